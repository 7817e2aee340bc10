//! The portal's file operations on data directories with hostile contents: run directly, and in the helper container.

mod hostile;
mod methods;
mod portal;
pub mod scratch;
mod subvolumes;
mod trees;
mod two_passes;

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
/// The path at which a server of that image sees its data.
pub const VOLUME: &str = "/var/lib/postgresql/data";
/// Content that must never be disclosed, in a file on the host next to the instance's directory.
pub const SECRET: &str = "sesame-of-the-host";

/// The directory of a storage tier without a portal.
pub struct Ground {
    pub base: PathBuf,
}

impl Ground {
    /// Creates an empty one, with a secret next to the instance's directory.
    pub fn new() -> Self {
        let base = test_dir().join(format!("{}-ground-{}", prefix(), Uuid::now_v7().simple()));
        std::fs::create_dir_all(base.join("instance")).expect("a directory");
        std::fs::create_dir_all(base.join("host")).expect("a directory");
        std::fs::write(base.join("host/secret"), SECRET).expect("a secret");
        Self { base }
    }

    /// Creates a container's directory in it, with an empty data directory.
    pub fn place(&self) -> DataDir {
        let dir = DataDir { base: self.base.join("instance"), id: Uuid::now_v7() };
        std::fs::create_dir_all(dir.data()).expect("a directory");
        dir
    }

    /// The path of the secret.
    pub fn secret(&self) -> PathBuf {
        self.base.join("host/secret")
    }

    /// Fails if the files next to the instance's directory have changed.
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

/// Both ways to run file operations.
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

/// Creates a named pipe.
pub fn fifo(path: &Path) {
    run("mkfifo", &[&path.display().to_string()]);
}

/// Creates a socket with `mknod`, because its path may be too long for a socket address.
pub fn socket(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Socket, Mode::RWXU, 0).expect("a socket");
}

/// Creates a symbolic link.
pub fn link(to: &str, at: &Path) {
    symlink(to, at).expect("a link");
}

/// Waits for a file operation, which must not hang because of what a server has put there.
pub async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    let begin = Instant::now();
    let done = tokio::time::timeout(Duration::from_secs(60), work).await;
    done.unwrap_or_else(|_| panic!("{what} has not ended after {:?}", begin.elapsed()))
}
