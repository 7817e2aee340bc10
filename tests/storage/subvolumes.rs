//! Data directories that are Btrfs subvolumes: copied as snapshots, checked, moved and removed.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use mydb::storage::{DataDir, Files};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use uuid::Uuid;

use super::{IMAGE, VOLUME, both, fifo, link, run, socket, soon};
use crate::support::disk::Disk;

/// The number of the top directory of a subvolume.
const TOP: u64 = 256;

fn place(disk: &Disk) -> DataDir {
    DataDir { base: disk.at.join("instance"), id: Uuid::now_v7() }
}

async fn prepared(disk: &Disk) -> DataDir {
    let dir = place(disk);
    Files::Direct.prepare(&dir, IMAGE, 999, 999).await.expect("prepared");
    assert_eq!(dir.data().metadata().expect("there").ino(), TOP, "it is a subvolume");
    dir
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir)
        .map(|entries| entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect())
        .unwrap_or_default();
    names.sort();
    names
}

fn nested(path: &Path) {
    run("btrfs", &["-q", "subvolume", "create", &path.display().to_string()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_omits_files_that_servers_recreate() {
    let Some(disk) = Disk::make("btrfs", "512M", &[]) else { return };
    let (from, to) = (prepared(&disk).await, place(&disk));
    let data = from.data();
    std::fs::create_dir(data.join("below")).expect("a directory");
    std::fs::write(data.join("below/file"), "text").expect("a file");
    std::fs::write(data.join("program"), "text").expect("a file");
    std::fs::set_permissions(data.join("program"), std::fs::Permissions::from_mode(0o6755)).expect("a mode");
    std::fs::set_permissions(data.join("below"), std::fs::Permissions::from_mode(0o2750)).expect("a mode");
    link("below", &data.join("inner"));
    link(&format!("{VOLUME}/below"), &data.join("inner-whole"));
    fifo(&data.join("below/pipe"));
    socket(&data.join("socket"));
    soon("copying", Files::Direct.copy(&from, &to, IMAGE, VOLUME)).await.expect("copied");
    assert_eq!(to.data().metadata().expect("there").ino(), TOP, "the copy is a subvolume as well");
    assert_eq!(names(&to.root()), ["data"]);
    assert_eq!(names(&to.data()), ["below", "inner", "inner-whole", "program"]);
    assert_eq!(names(&to.data().join("below")), ["file"]);
    let mode = |name: &str| to.data().join(name).metadata().expect("there").mode() & 0o7777;
    assert_eq!((mode("program"), mode("below")), (0o755, 0o750));
    // The source keeps all of it, and neither sees changes of the other.
    assert_eq!(names(&data.join("below")), ["file", "pipe"]);
    std::fs::write(to.data().join("below/file"), "changed").expect("a file");
    assert_eq!(std::fs::read_to_string(data.join("below/file")).expect("read"), "text");
    for dir in [&from, &to] {
        soon("removing", Files::Direct.remove(dir, IMAGE)).await.expect("removed");
    }
    assert_eq!((disk.subvolumes(), names(&from.base)), (Vec::new(), Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_rejects_odd_files_by_name() {
    type Lay = fn(&Path);
    let kinds: &[(&str, Lay)] = &[
        ("data/out", |data| link("/etc", &data.join("out"))),
        ("data/below/out", |data| {
            std::fs::create_dir(data.join("below")).expect("a directory");
            link("../../../secret", &data.join("below/out"));
        }),
        ("data/null", |data| run("mknod", &[&data.join("null").display().to_string(), "c", "1", "3"])),
        ("data/inner volume", |data| nested(&data.join("inner volume"))),
        ("data/below/inner", |data| {
            std::fs::create_dir(data.join("below")).expect("a directory");
            nested(&data.join("below/inner"));
            std::fs::write(data.join("below/inner/file"), "text").expect("a file");
        }),
        ("data/mounted here", |data| {
            let at = data.join("mounted here");
            std::fs::create_dir(&at).expect("a directory");
            run("mount", &["-t", "tmpfs", "tmpfs", &at.display().to_string()]);
        }),
        ("data/huge", |data| {
            let file = std::fs::File::create(data.join("huge")).expect("a file");
            file.set_len((1 << 62) - 4096).expect("a size");
        }),
        ("deeper", |data| std::fs::create_dir_all(data.join("deeper/".repeat(80))).expect("directories")),
    ];
    let Some(disk) = Disk::make("btrfs", "512M", &[]) else { return };
    let files = Files::Direct;
    for (name, lay) in kinds {
        let (from, to) = (prepared(&disk).await, place(&disk));
        lay(&from.data());
        let refused = soon(name, files.copy(&from, &to, IMAGE, VOLUME)).await.expect_err(name).to_string();
        assert!(refused.contains(name) && refused.contains("cannot be copied"), "{name}: {refused}");
        assert_eq!(names(&to.root()), Vec::<String>::new(), "{name}");
        // The same while a server works and is paused.
        let refused = match soon(name, files.copy_ahead(&from, &to, VOLUME)).await {
            Err(refused) => refused.to_string(),
            Ok(ahead) => {
                let copy = files.copy_rest(&from, &to, IMAGE, VOLUME, ahead).await.expect("a snapshot");
                files.finish_copy(&to, VOLUME, copy).await.expect_err(name).to_string()
            }
        };
        assert!(refused.contains(name) && refused.contains("cannot be copied"), "{name}: {refused}");
        assert_eq!(names(&to.root()), Vec::<String>::new(), "{name}");
        // A copy made file by file refuses it as well.
        if name.contains("inner") || name.contains("mounted") {
            let plain = place(&disk);
            std::fs::create_dir_all(plain.root()).expect("a directory");
            run("cp", &["-a", &from.data().display().to_string(), &plain.data().display().to_string()]);
            if name.contains("inner volume") {
                std::fs::remove_dir(plain.data().join("inner volume")).expect("removed");
                nested(&plain.data().join("inner volume"));
                let refused = files.copy(&plain, &to, IMAGE, VOLUME).await.expect_err(name).to_string();
                assert!(refused.contains(name) && refused.contains("cannot be copied"), "{name}: {refused}");
            }
            files.remove(&plain, IMAGE).await.expect("removed");
        }
        if name.contains("mounted") {
            run("umount", &[&from.data().join("mounted here").display().to_string()]);
        }
        for dir in [&from, &to] {
            soon("removing", files.remove(dir, IMAGE)).await.unwrap_or_else(|e| panic!("{name}: {e}"));
        }
        assert_eq!((disk.subvolumes(), names(&from.base)), (Vec::new(), Vec::new()), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_taken_in_the_second_pass_and_sizes_are_correct() {
    let Some(disk) = Disk::make("btrfs", "512M", &[]) else { return };
    let (files, from, to) = (Files::Direct, prepared(&disk).await, place(&disk));
    let write = |name: &str| std::fs::write(from.data().join(name), vec![1; 4 << 20]).expect("a file");
    write("first");
    assert!(files.shares_blocks(&from, &to, IMAGE).await.expect("tried"));
    let ahead = files.copy_ahead(&from, &to, VOLUME).await.expect("tried").expect("the copy is made directly");
    assert_eq!(names(&to.root()), Vec::<String>::new(), "the attempt leaves nothing");
    write("between");
    let copy = files.copy_rest(&from, &to, IMAGE, VOLUME, Some(ahead)).await.expect("a snapshot");
    write("after");
    assert!(!to.data().exists(), "it is not in its place before it is checked");
    files.finish_copy(&to, VOLUME, copy).await.expect("checked");
    assert_eq!(names(&to.data()), ["between", "first"]);
    files.sync(&from).await.expect("on disk");
    let (mib, four) = (1 << 20, 4 << 20);
    for (dir, whole, shared) in [(&from, 3 * four, 2 * four), (&to, 2 * four, 2 * four)] {
        let size = files.usage(dir, IMAGE).await.expect("measured");
        assert!((whole..whole + mib).contains(&size), "{size} of {whole}");
        assert_eq!(files.shared(dir).await.expect("measured"), Some(shared));
    }
    // What is changed in the copy is its own.
    std::fs::write(to.data().join("first"), vec![2; 4 << 20]).expect("a file");
    files.sync(&to).await.expect("on disk");
    assert_eq!(files.shared(&to).await.expect("measured"), Some(four));
    // Renamed with the directory that it is in, and exchanged with another one.
    let moved = place(&disk);
    assert!(files.move_directory(&to, &moved, IMAGE).await.expect("moved"));
    renameat_with(CWD, moved.root(), CWD, from.root(), RenameFlags::EXCHANGE).expect("exchanged");
    assert_eq!((names(&from.data()), names(&moved.data()).len()), (vec!["between".to_owned(), "first".to_owned()], 3));
    // An attempt that was interrupted is replaced by the next.
    let ahead = files.copy_ahead(&from, &to, VOLUME).await.expect("tried");
    let lost = files.copy_rest(&from, &to, IMAGE, VOLUME, ahead).await.expect("a snapshot");
    drop(lost);
    files.copy(&from, &to, IMAGE, VOLUME).await.expect("copied");
    files.copy(&from, &to, IMAGE, VOLUME).await.expect("copied over the copy");
    assert_eq!(names(&to.root()), ["data"]);
    for dir in [&from, &to, &moved] {
        files.remove(dir, IMAGE).await.expect("removed");
    }
    assert_eq!((disk.subvolumes(), names(&from.base)), (Vec::new(), Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_directory_is_copied_by_reflinks_into_a_subvolume() {
    let Some(disk) = Disk::make("btrfs", "512M", &[]) else { return };
    let (files, from, to) = (Files::Direct, place(&disk), place(&disk));
    std::fs::create_dir_all(from.data()).expect("a plain directory");
    std::fs::write(from.data().join("file"), vec![1; 4 << 20]).expect("a file");
    files.copy(&from, &to, IMAGE, VOLUME).await.expect("copied");
    files.sync(&to).await.expect("on disk");
    assert_eq!(to.data().metadata().expect("there").ino(), TOP);
    assert_eq!(files.shared(&to).await.expect("measured"), Some(4 << 20));
    files.remove(&from, IMAGE).await.expect("removed");
    files.remove(&to, IMAGE).await.expect("removed");
    assert_eq!(disk.subvolumes(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn subvolumes_created_by_a_server_are_removed_with_its_data() {
    let Some(disk) = Disk::make("btrfs", "512M", &[]) else { return };
    for (way, hands) in both().await {
        let dir = prepared(&disk).await;
        let mut at = dir.data();
        for n in 0..5 {
            at = at.join(format!("a directory/volume {n}"));
            std::fs::create_dir_all(at.parent().expect("a directory")).expect("directories");
            nested(&at);
            std::fs::create_dir_all(at.join("x/y/z")).expect("directories");
            std::fs::write(at.join("x/y/file"), "text").expect("a file");
        }
        assert_eq!(disk.subvolumes().len(), 6, "{way}");
        soon("removing", hands.remove(&dir, IMAGE)).await.unwrap_or_else(|e| panic!("{way}: {e}"));
        assert_eq!((disk.subvolumes(), names(&dir.base)), (Vec::new(), Vec::new()), "{way}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_that_is_not_root_copies_a_subvolume_by_reflinks() {
    let Some(disk) = Disk::make("btrfs", "512M", &[]) else { return };
    let [_, (_, helper)] = both().await;
    let (from, to) = (prepared(&disk).await, place(&disk));
    std::fs::write(from.data().join("file"), vec![1; 4 << 20]).expect("a file");
    std::fs::write(from.root().join("made-by"), "test\n").expect("a note");
    Files::Direct.sync(&from).await.expect("on disk");
    assert!(helper.shares_blocks(&from, &to, IMAGE).await.expect("tried"));
    helper.copy(&from, &to, IMAGE, VOLUME).await.expect("copied");
    assert_ne!(to.data().metadata().expect("there").ino(), TOP, "its copy is a plain directory");
    assert_eq!(Files::Direct.shared(&to).await.expect("measured"), Some(4 << 20));
    for dir in [&from, &to] {
        helper.remove(dir, IMAGE).await.expect("removed");
    }
    assert_eq!((disk.subvolumes(), names(&from.base)), (Vec::new(), Vec::new()));
}
