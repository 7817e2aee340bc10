//! File systems for single tests, each in a file that is mounted and removed at the end.

use std::path::{Path, PathBuf};
use std::process::Command;

use mydb::config::Tier;

use super::portal::{environment, test_dir};

/// A mounted file system.
pub struct Disk {
    /// Where it is mounted.
    pub at: PathBuf,
}

impl Disk {
    /// Makes a file system of this kind with the program `mkfs.KIND` and these options. `None` if this machine has no such
    /// file system and dev/test.sh has said so.
    pub fn make(kind: &str, size: &str, options: &[&str]) -> Option<Self> {
        let unique = hex::encode(mydb::secrets::Random::system().bytes::<4>());
        let at = test_dir().join(format!("disk-{unique}"));
        std::fs::create_dir_all(&at).expect("a mount point");
        let disk = Self { at };
        if kind == "tmpfs" {
            disk.run("mount", &["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]);
            return Some(disk);
        }
        let image = disk.image();
        run("truncate", &["-s", size], &image);
        let program = format!("/usr/sbin/mkfs.{kind}");
        let program = if Path::new(&program).exists() { program } else { format!("/sbin/mkfs.{kind}") };
        run(&program, &[&["-q"][..], options].concat(), &image);
        let mounted = Command::new("mount").args(["-o", "loop,noatime"]).args([&image, &disk.at]).output();
        let said = mounted.expect("mount can be run");
        if said.status.success() {
            return Some(disk);
        }
        let known = std::fs::read_to_string("/proc/filesystems").expect("Linux says what it has");
        assert!(
            !known.split_whitespace().any(|name| name == kind),
            "{kind}: {}",
            String::from_utf8_lossy(&said.stderr)
        );
        // A test that is left out says so where the run begins, not only in its own output.
        let without = environment("DB4SCI_TEST_WITHOUT").unwrap_or_default();
        assert!(without.split_whitespace().any(|name| name == kind), "the kernel of this machine has no {kind}");
        println!("skipped: the kernel of this machine has no {kind}");
        None
    }

    fn image(&self) -> PathBuf {
        self.at.with_extension("img")
    }

    /// Runs a program with these arguments and the path of the file system.
    pub fn run(&self, program: &str, arguments: &[&str]) {
        run(program, arguments, &self.at);
    }

    /// A storage tier on it with this name.
    pub fn tier(&self, name: &str) -> Tier {
        Tier {
            name: name.to_owned(),
            path: self.at.clone(),
            label: name.to_owned(),
            users: Vec::new(),
            engines: Vec::new(),
            limit: None,
            seen: None,
        }
    }

    /// Paths of its Btrfs subvolumes.
    pub fn subvolumes(&self) -> Vec<String> {
        let listed =
            Command::new("btrfs").args(["subvolume", "list"]).arg(&self.at).output().expect("btrfs can be run");
        assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
        let text = String::from_utf8_lossy(&listed.stdout).into_owned();
        text.lines().filter_map(|line| line.split_once(" path ")).map(|(_, path)| path.to_owned()).collect()
    }
}

fn run(program: &str, arguments: &[&str], path: &Path) {
    let done = Command::new(program).args(arguments).arg(path).output().expect("it can be run");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{program} {arguments:?} {}: {said}", path.display());
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-d"]).arg(&self.at).status();
        let _ = std::fs::remove_dir(&self.at);
        let _ = std::fs::remove_file(self.image());
    }
}
