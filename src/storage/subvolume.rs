//! Btrfs subvolumes: made, copied as snapshots, and removed, each with one call that takes the same time for any size.
//! On other file systems, the calls fail.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::{AtFlags, Mode, Stat, fchmod, fstat, mkdirat, statat};
use rustix::io::Errno;
use rustix::ioctl::{Opcode, Setter, ioctl, opcode};

use super::no_follow;

/// The number of the top directory of every subvolume, which no other entry of a subvolume has (linux/btrfs_tree.h).
const TOP: u64 = 256;
/// The number of the empty directory that a snapshot has in place of a subvolume in its source.
const PLACEHOLDER: u64 = 2;
/// `BTRFS_PATH_NAME_MAX` and a zero.
const NAME: usize = 4088;

/// `struct btrfs_ioctl_vol_args` of linux/btrfs.h.
#[repr(C)]
struct VolumeArgs {
    fd: i64,
    name: [u8; NAME],
}

/// `BTRFS_IOC_SNAP_CREATE`.
const SNAPSHOT: Opcode = opcode::write::<VolumeArgs>(0x94, 1);
/// `BTRFS_IOC_SUBVOL_CREATE`.
const CREATE: Opcode = opcode::write::<VolumeArgs>(0x94, 14);
/// `BTRFS_IOC_SNAP_DESTROY`.
const DESTROY: Opcode = opcode::write::<VolumeArgs>(0x94, 15);

#[expect(unsafe_code, reason = "the system call library has no function for these calls")]
fn call<const OPCODE: Opcode>(dir: &OwnedFd, name: &CStr, fd: i64) -> Result<(), Errno> {
    let mut args = VolumeArgs { fd, name: [0; NAME] };
    // The last byte stays zero.
    let room = args.name.get_mut(..NAME - 1).and_then(|room| room.get_mut(..name.to_bytes().len()));
    room.ok_or(Errno::NAMETOOLONG)?.copy_from_slice(name.to_bytes());
    // SAFETY: for the three numbers above, the kernel reads one `VolumeArgs` and writes nothing. Both handles are open for
    // the time of the call.
    unsafe { ioctl(dir, Setter::<OPCODE, VolumeArgs>::new(args)) }
}

/// Whether a directory with this metadata can be the top of a subvolume. A directory of another file system can have the
/// same number; there the calls fail.
pub(super) fn is_top(stat: &Stat) -> bool {
    stat.st_ino == TOP
}

/// Whether an entry of a snapshot stands for a subvolume that is not in the snapshot.
pub(super) fn is_placeholder(stat: &Stat) -> bool {
    stat.st_ino == PLACEHOLDER
}

/// Makes a directory that only its owner can use: a subvolume if the file system has them, so that it can be copied as one.
pub(super) fn make(at: &OwnedFd, name: &CStr) -> Result<(), Errno> {
    match create(at, name) {
        Ok(()) => fchmod(no_follow::directory(at, name)?, Mode::RWXU),
        Err(Errno::EXIST) => Err(Errno::EXIST),
        Err(_) => mkdirat(at, name, Mode::RWXU),
    }
}

/// Makes a subvolume.
pub(super) fn create(at: &OwnedFd, name: &CStr) -> Result<(), Errno> {
    call::<CREATE>(at, name, 0)
}

/// Makes `name` a copy of the subvolume `source` that shares all its blocks and can be changed.
pub(super) fn snapshot(source: &OwnedFd, at: &OwnedFd, name: &CStr) -> Result<(), Errno> {
    // Older kernels take any directory for the subvolume that it is in.
    if !is_top(&fstat(source)?) {
        return Err(Errno::INVAL);
    }
    call::<SNAPSHOT>(at, name, i64::from(source.as_raw_fd()))
}

/// Removes the subvolume `name` with everything in it.
///
/// # Errors
/// [`Errno::NOTEMPTY`] if there are subvolumes in it, [`Errno::NOTDIR`] if it is not a subvolume.
pub(super) fn destroy(at: &OwnedFd, name: &CStr) -> Result<(), Errno> {
    if !is_top(&statat(at, name, AtFlags::SYMLINK_NOFOLLOW)?) {
        return Err(Errno::NOTDIR);
    }
    call::<DESTROY>(at, name, 0)
}
