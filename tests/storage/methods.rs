//! Which way to copy each kind of file system gets, and that a copy is made that way.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use mydb::domain::copy_method::CopyMethod;
use mydb::storage::{DataDir, Files, capacity};
use uuid::Uuid;

use super::{IMAGE, VOLUME, run, soon};
use crate::support::disk::Disk;

/// Bytes of data that are copied.
const BYTES: usize = 8 << 20;

/// A data directory as the portal prepares it, on a file system without an instance.
async fn prepared(at: &Path) -> DataDir {
    let dir = DataDir { base: at.join("instance"), id: Uuid::now_v7() };
    Files::Direct.prepare(&dir, IMAGE, 999, 999).await.expect("prepared");
    dir
}

/// Copies data there and back, and says what a copy shares.
async fn copied(at: &Path) -> (DataDir, DataDir, i64) {
    let (files, from) = (Files::Direct, prepared(at).await);
    let to = DataDir { base: from.base.clone(), id: Uuid::now_v7() };
    std::fs::write(from.data().join("file"), vec![7; BYTES]).expect("a file");
    soon("copying", files.copy(&from, &to, IMAGE, VOLUME)).await.expect("copied");
    files.sync(&to).await.expect("on disk");
    run("diff", &["-r", &from.data().display().to_string(), &to.data().display().to_string()]);
    let meta = to.data().metadata().expect("it is there");
    assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o7777), (999, 999, 0o700));
    let shared = files.shared(&to).await.expect("measured").expect("measured by a portal that is root");
    (from, to, shared)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_file_system_gets_its_fastest_way_to_copy() {
    let kinds: [(&str, &str, &[&str], CopyMethod); 5] = [
        ("btrfs", "512M", &[], CopyMethod::Subvolume),
        ("xfs", "512M", &["-m", "reflink=1"], CopyMethod::Reflink),
        ("xfs", "512M", &["-m", "reflink=0"], CopyMethod::Plain),
        ("ext4", "256M", &[], CopyMethod::Plain),
        ("tmpfs", "256M", &[], CopyMethod::Plain),
    ];
    for (kind, size, options, method) in kinds {
        let Some(disk) = Disk::make(kind, size, options) else { continue };
        let has = capacity(&disk.at).expect("measured");
        assert_eq!((has.file_system.as_str(), has.copies), (kind, method), "{options:?}");
        let (from, to, shared) = copied(&disk.at).await;
        let bytes = i64::try_from(BYTES).expect("a small number");
        assert_eq!(shared, if method == CopyMethod::Plain { 0 } else { bytes }, "{kind} {options:?}");
        let snapshot = to.data().metadata().expect("it is there").dev() != to.root().metadata().expect("there").dev();
        assert_eq!(snapshot, method == CopyMethod::Subvolume, "{kind}: only a subvolume has its own number");
        for dir in [&from, &to] {
            Files::Direct.remove(dir, IMAGE).await.expect("removed");
        }
        // The attempts leave nothing behind.
        let left: Vec<_> = std::fs::read_dir(&disk.at).expect("read").flatten().map(|e| e.file_name()).collect();
        assert!(left.iter().all(|name| name == "instance" || name == "lost+found"), "{kind}: {left:?}");
        assert_eq!(std::fs::read_dir(disk.at.join("instance")).expect("read").count(), 0, "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_on_zfs_share_their_blocks_where_it_can_clone_blocks() {
    let have = |program: &str| Command::new(program).arg("version").output().is_ok_and(|said| said.status.success());
    if !have("zfs") || !Path::new("/dev/zfs").exists() {
        println!("skipped: this machine has no ZFS");
        return;
    }
    let disk = Disk::make("tmpfs", "512M", &[]).expect("every machine has it");
    let (file, pool) = (disk.at.join("pool.img"), format!("db4sci-test-{}", std::process::id()));
    run("truncate", &["-s", "256M", &file.display().to_string()]);
    let at = disk.at.join("pool");
    run("zpool", &["create", "-m", &at.display().to_string(), &pool, &file.display().to_string()]);
    let done = tokio::spawn(async move {
        let has = capacity(&at).expect("measured");
        assert_eq!(has.file_system, "zfs");
        copied(&at).await;
        println!("ZFS of this machine: {:?}", has.copies);
    })
    .await;
    run("zpool", &["destroy", &pool]);
    done.expect("the copy is right");
}
