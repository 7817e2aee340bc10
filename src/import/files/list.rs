//! The files of a dump in a directory.

use std::path::{Path, PathBuf};

/// Maximum number of files of a dump: more than any tool writes, and few enough to list.
pub(super) const MOST: usize = 200_000;

/// A file of a dump: its name and its size in bytes.
pub type Member = (String, u64);

/// The files of a dump in a directory, by name.
#[derive(Debug)]
pub struct DumpFiles {
    /// The directory.
    pub dir: PathBuf,
    /// The files in it.
    pub members: Vec<Member>,
}

impl DumpFiles {
    /// Lists a directory. Hidden files are ignored.
    ///
    /// # Errors
    /// A sentence, if it contains anything but regular files.
    pub fn list(dir: &Path) -> Result<Self, String> {
        let failed = |e: std::io::Error| format!("The directory cannot be read: {e}.");
        let mut members = Vec::new();
        for entry in std::fs::read_dir(dir).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().into_string();
            let name = name.map_err(|name| format!("The name of the file {} is not text.", name.display()))?;
            if name.starts_with('.') {
                continue;
            }
            let about = std::fs::symlink_metadata(entry.path()).map_err(failed)?;
            if !about.is_file() {
                return Err(format!(
                    "{name} is not a regular file. The files of a dump must be in the directory itself."
                ));
            }
            members.push((name, about.len()));
            if members.len() > MOST {
                return Err(format!("The directory contains more than {MOST} files."));
            }
        }
        members.sort_unstable();
        Ok(Self { dir: dir.to_owned(), members })
    }
}

/// A directory of a test, removed at its end.
#[cfg(test)]
pub(super) struct TestDir(PathBuf);

#[cfg(test)]
impl TestDir {
    pub(super) fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("db4sci-files-{}", uuid::Uuid::now_v7()));
        std::fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

#[cfg(test)]
impl Drop for TestDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_listed() {
        let dir = TestDir::new();
        std::fs::write(dir.path().join("mice.csv"), "a\n1\n").unwrap();
        std::fs::write(dir.path().join(".partial"), "a").unwrap();
        let listed = DumpFiles::list(dir.path()).unwrap();
        assert_eq!(listed.members, [("mice.csv".to_owned(), 4)]);
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("passwd.csv")).unwrap();
        assert!(DumpFiles::list(dir.path()).unwrap_err().contains("passwd.csv is not a regular file"));
    }
}
