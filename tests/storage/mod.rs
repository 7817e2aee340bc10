//! Hostile contents of data directories against the portal's file operations: run directly, and in the helper
//! container.

mod hostile;
mod portal;
mod trees;

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mydb::domain::names::InstanceId;
use mydb::runtime::docker::DockerRuntime;
use mydb::storage::{DataDir, Files};
use uuid::Uuid;

use crate::support::portal::{prefix, test_dir};

/// The image of the helper containers.
pub const IMAGE: &str = "db4sci-dev/postgres:17";
/// Where the server of that image knows its data.
pub const VOLUME: &str = "/var/lib/postgresql/data";
/// What nobody may come to read, lying beside the instance's directory and below the root of the file system.
pub const SECRET: &str = "sesame-of-the-host";

/// A tier's directory with nothing of a portal.
pub struct Ground {
    pub base: PathBuf,
}

impl Ground {
    /// An empty one, with a secret beside it.
    pub fn new() -> Self {
        let base = test_dir().join(format!("{}-ground-{}", prefix(), Uuid::now_v7().simple()));
        std::fs::create_dir_all(base.join("instance")).expect("a directory");
        std::fs::create_dir_all(base.join("host")).expect("a directory");
        std::fs::write(base.join("host/secret"), SECRET).expect("a secret");
        Self { base }
    }

    /// A container's directory on it, with an empty data directory.
    pub fn place(&self) -> DataDir {
        let dir = DataDir { base: self.base.join("instance"), id: Uuid::now_v7() };
        std::fs::create_dir_all(dir.data()).expect("a directory");
        dir
    }

    /// The secret's path.
    pub fn secret(&self) -> PathBuf {
        self.base.join("host/secret")
    }

    /// Fails if what lies on the host beside the instance is not as it was.
    pub fn untouched(&self) {
        let said = std::fs::read_to_string(self.secret()).expect("it is there");
        assert_eq!(said, SECRET);
        assert_eq!(std::fs::read_dir(self.base.join("host")).expect("it is there").count(), 1);
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = Command::new("rm").arg("-rf").arg(&self.base).status();
    }
}

/// Both ways in which file work is done.
pub async fn both() -> [(&'static str, Files); 2] {
    let runtime = Arc::new(DockerRuntime::connect().await.expect("the container engine answers"));
    let instance = InstanceId::parse(&format!("{}-ground", prefix())).expect("an instance");
    [("direct", Files::Direct), ("helper", Files::Helper { runtime, instance })]
}

/// Runs a program that must succeed.
pub fn run(program: &str, arguments: &[&str]) {
    let done = Command::new(program).args(arguments).status();
    assert!(done.is_ok_and(|d| d.success()), "{program} {arguments:?}");
}

/// A named pipe.
pub fn fifo(path: &Path) {
    run("mkfifo", &[&path.display().to_string()]);
}

/// A socket; made by name, as its path may be longer than the address of one can be.
pub fn socket(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Socket, Mode::RWXU, 0).expect("a socket");
}

/// A link.
pub fn link(to: &str, at: &Path) {
    symlink(to, at).expect("a link");
}

/// Waits for file work, which must not hang on what a server laid there.
pub async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    let begin = Instant::now();
    let done = tokio::time::timeout(Duration::from_secs(60), work).await;
    done.unwrap_or_else(|_| panic!("{what} goes on after {:?}", begin.elapsed()))
}
