//! Extended attributes of copied files: those of users, and access control lists. Attributes that give a program rights
//! are left out, and so are those that belong to the system.

use std::ffi::CString;
use std::os::fd::AsFd;

use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr};
use rustix::io::Errno;

/// Maximum bytes that Linux allows for all names of a file, and for a value.
const MOST: usize = 64 << 10;
/// Beginnings of the names that are copied.
const COPIED: [&[u8]; 2] = [b"user.", b"system.posix_acl_"];

/// Gives `to` the attributes of `from`.
pub(super) fn copy(from: impl AsFd, to: impl AsFd) -> Result<(), Errno> {
    let mut few = [0; 1024];
    let mut many = Vec::new();
    let names: &[u8] = match flistxattr(&from, &mut few) {
        Ok(length) => few.get(..length).unwrap_or_default(),
        // The file system has none.
        Err(Errno::OPNOTSUPP) => return Ok(()),
        Err(Errno::RANGE) => {
            many.resize(MOST, 0);
            let length = flistxattr(&from, &mut *many)?;
            many.get(..length).unwrap_or_default()
        }
        Err(e) => return Err(e),
    };
    for name in names.split(|b| *b == 0).filter(|name| COPIED.iter().any(|begin| name.starts_with(begin))) {
        let name = CString::new(name).map_err(|_| Errno::INVAL)?;
        let mut value = vec![0; MOST];
        let length = fgetxattr(&from, &name, &mut *value)?;
        fsetxattr(&to, &name, value.get(..length).unwrap_or_default(), XattrFlags::empty())?;
    }
    Ok(())
}
