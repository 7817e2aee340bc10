//! Complete directories are measured, copied and removed, whatever a server has put into them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mydb::storage::{DataDir, Files};

use super::{Ground, IMAGE, SECRET, VOLUME, both, fifo, link, run, socket, soon};

/// Names that a shell, a log or a page might misinterpret.
const NAMES: &[&[u8]] = &[
    b"two\nlines",
    b"-rf",
    b"--",
    b"$(touch owned)",
    b"`id`",
    b"a b\t'\"\\",
    b"\xff\xfe not text",
    b"*",
    "🐘".as_bytes(),
];

/// Fills a directory with unusual entries that are legitimate.
fn strange(data: &Path) {
    for (n, name) in NAMES.iter().enumerate() {
        std::fs::write(data.join(OsStr::from_bytes(name)), format!("file {n}")).expect("a file");
        let below = data.join("below").join(OsStr::from_bytes(name));
        std::fs::create_dir_all(&below).expect("a directory");
        std::fs::write(below.join("x"), "below").expect("a file");
    }
    fifo(&data.join("pipe"));
    socket(&data.join("socket"));
    link("below", &data.join("inner"));
    link(&format!("{VOLUME}/below"), &data.join("inner-whole"));
    link("nowhere", &data.join("dangling"));
    link("loop", &data.join("loop"));
    let sparse = std::fs::File::create(data.join("sparse")).expect("a file");
    sparse.set_len(8 << 30).expect("holes");
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"in the middle", 5 << 30).expect("written");
    std::fs::set_permissions(data.join("below"), std::fs::Permissions::from_mode(0o751)).expect("a mode");
    for name in ["sparse", "below"] {
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(data.join(name), "user.note", b"kept", flags).expect("an attribute");
    }
}

/// The extended attribute of an entry.
fn note(path: &Path) -> Vec<u8> {
    let mut value = [0; 64];
    let length = rustix::fs::getxattr(path, "user.note", &mut value).expect("the attribute is there");
    value[..length].to_vec()
}

/// Nests directories so deeply that the path is longer than the system accepts.
fn nest(top: &Path, levels: usize) {
    let mut here =
        rustix::fs::open(top, rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY, rustix::fs::Mode::empty())
            .expect("opened");
    for _ in 0..levels {
        rustix::fs::mkdirat(&here, c"deeper", rustix::fs::Mode::RWXU).expect("made");
        here = rustix::fs::openat(
            &here,
            c"deeper",
            rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY,
            rustix::fs::Mode::empty(),
        )
        .expect("opened");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_files_are_measured_copied_and_removed_without_leaving_the_directory() {
    let ground = Ground::new();
    for (way, hands) in both().await {
        let (from, to) = (ground.place(), ground.place());
        strange(&from.data());
        // Left by an interrupted attempt.
        std::fs::write(to.data().join("old"), "old").expect("a file");
        std::fs::create_dir_all(to.root().join("copy/data")).expect("a directory");
        let size = soon("measuring", hands.usage(&from, IMAGE)).await.expect("measured");
        assert!((1..4 << 20).contains(&size), "{way}: {size}: holes take no space and links are not followed");
        soon("copying", hands.copy(&from, &to, IMAGE, VOLUME)).await.unwrap_or_else(|e| panic!("{way}: {e}"));
        let left: Vec<_> = std::fs::read_dir(to.root()).unwrap().flatten().map(|e| e.file_name()).collect();
        assert_eq!(left, ["data"], "{way}");
        for (n, name) in NAMES.iter().enumerate() {
            let said = std::fs::read_to_string(to.data().join(OsStr::from_bytes(name))).expect("copied");
            assert_eq!(said, format!("file {n}"), "{way}");
        }
        assert!(!to.data().join("old").exists() && !to.data().join("owned").exists(), "{way}");
        assert_eq!(std::fs::read_link(to.data().join("inner")).unwrap(), Path::new("below"), "{way}");
        let sparse = to.data().join("sparse").metadata().unwrap();
        assert!(sparse.len() == 8 << 30 && sparse.blocks() < 2048, "{way}: {}", sparse.blocks());
        let mut middle = [0; 13];
        let file = std::fs::File::open(to.data().join("sparse")).unwrap();
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut middle, 5 << 30).unwrap();
        assert_eq!(&middle, b"in the middle", "{way}");
        let (a, b) = (from.data().join("below").metadata().unwrap(), to.data().join("below").metadata().unwrap());
        assert_eq!((a.mode(), a.uid(), a.gid(), a.mtime()), (b.mode(), b.uid(), b.gid(), b.mtime()), "{way}");
        for name in ["sparse", "below"] {
            assert_eq!(note(&to.data().join(name)), b"kept", "{way}: {name}");
        }
        for dir in [&from, &to] {
            soon("removing", hands.remove(dir, IMAGE)).await.unwrap_or_else(|e| panic!("{way}: {e}"));
            hands.remove(dir, IMAGE).await.expect("removing it again succeeds");
        }
        assert_eq!(std::fs::read_dir(ground.base.join("instance")).unwrap().count(), 0, "{way}");
    }
    ground.untouched();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_rejects_odd_files_by_name_and_leaves_nothing() {
    type Lay = fn(&Path, &Ground);
    let kinds: &[(&str, Lay)] = &[
        ("out", |data, ground| link(&ground.base.join("host").display().to_string(), &data.join("out"))),
        ("out", |data, _| link("/proc/self/root", &data.join("out"))),
        ("below/out", |data, _| {
            std::fs::create_dir(data.join("below")).unwrap();
            link("../../../../host", &data.join("below/out"));
        }),
        ("out", |data, _| link("/var/lib/postgresql/data/../../secret", &data.join("out"))),
        ("out\\{a}line", |data, _| link("/etc", &data.join("out\nline"))),
        ("huge", |data, _| {
            let file = std::fs::File::create(data.join("huge")).unwrap();
            // As large as this file system allows, up to 8 EiB.
            let most = (40..=63).rev().find(|n| file.set_len((1u64 << n) - 4096).is_ok());
            assert!(most.is_some_and(|n| n > 40));
        }),
        ("deeper", |data, _| nest(data, 300)),
    ];
    let ground = Ground::new();
    for (way, hands) in both().await {
        for (name, lay) in kinds {
            if *name == "deeper" && way == "helper" {
                continue; // `cp` copies deeply nested directories without an error
            }
            let (from, to) = (ground.place(), ground.place());
            lay(&from.data(), &ground);
            let refused = soon(name, hands.copy(&from, &to, IMAGE, VOLUME)).await.expect_err(name).to_string();
            assert!(refused.contains(name) && refused.contains("cannot be copied"), "{way}: {name}: {refused}");
            assert!(!refused.contains('\n') && refused.len() < 600, "{way}: {refused}");
            for dir in [&from, &to] {
                soon("removing", hands.remove(dir, IMAGE)).await.unwrap_or_else(|e| panic!("{way}: {name}: {e}"));
            }
        }
        assert_eq!(std::fs::read_dir(ground.base.join("instance")).unwrap().count(), 0, "{way}");
    }
    ground.untouched();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_entries_deep_nesting_and_hard_links_are_handled_quickly() {
    let ground = Ground::new();
    for (way, hands) in both().await {
        let dir = ground.place();
        nest(&dir.data(), 3000);
        let deep = soon("measuring", hands.usage(&dir, IMAGE)).await;
        assert!(way == "helper" || deep.is_err(), "{way}: {deep:?}");
        soon("removing", hands.remove(&dir, IMAGE)).await.unwrap_or_else(|e| panic!("{way}: {e}"));

        let dir = ground.place();
        for n in 0..30_000 {
            std::fs::write(dir.data().join(format!("a file of a name that is not short {n}")), "").expect("a file");
        }
        assert!(!soon("looking", hands.is_empty(&dir, IMAGE)).await.unwrap(), "{way}");
        soon("measuring", hands.usage(&dir, IMAGE)).await.unwrap();
        soon("removing", hands.remove(&dir, IMAGE)).await.unwrap_or_else(|e| panic!("{way}: {e}"));

        let dir = ground.place();
        let first = dir.data().join("first");
        std::fs::write(&first, vec![1; 4 << 20]).expect("a file");
        for n in 0..100 {
            std::fs::hard_link(&first, dir.data().join(n.to_string())).expect("a name");
        }
        let size = hands.usage(&dir, IMAGE).await.unwrap();
        assert!((4 << 20..5 << 20).contains(&size), "{way}: {size}: a file with many names counts once");
        assert_eq!(std::fs::read_dir(ground.base.join("instance")).unwrap().count(), 1, "{way}");
        hands.remove(&dir, IMAGE).await.unwrap();
    }
}

/// Fills a directory with names of files, several for each file, because that is faster than as many files.
fn crowd(data: &Path, entries: u64) {
    /// File systems allow at least this many names of a file.
    const NAMES_EACH: u64 = 60_000;
    let mut file = data.join("0");
    for n in 0..entries {
        let name = data.join(n.to_string());
        if n % NAMES_EACH == 0 {
            std::fs::write(&name, "").expect("a file");
            file = name;
        } else {
            std::fs::hard_link(&file, name).expect("a name");
        }
    }
}

/// Bytes of memory that this process has used at most.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("the status");
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).expect("the peak");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes half an hour and several GB; run it by name"]
async fn ten_million_entries_take_time_but_no_memory() {
    const ENTRIES: u64 = 10_000_000;
    let ground = Ground::new();
    for (way, hands) in both().await {
        let (dir, copy) = (ground.place(), ground.place());
        let step = |what: &str, begin: std::time::Instant| println!("{way}: {what} took {:?}", begin.elapsed());
        let begin = std::time::Instant::now();
        crowd(&dir.data(), ENTRIES);
        step("making", begin);
        let before = peak_memory();
        assert!(!soon("looking", hands.is_empty(&dir, IMAGE)).await.unwrap(), "{way}");
        let begin = std::time::Instant::now();
        let measured = hands.usage(&dir, IMAGE).await;
        step("measuring", begin);
        println!("{way}: measured {measured:?}");
        // What takes too long is given up, so that a worker is not held.
        let begin = std::time::Instant::now();
        let given_up =
            tokio::time::timeout(std::time::Duration::from_secs(20), hands.copy(&dir, &copy, IMAGE, VOLUME)).await;
        println!("{way}: copying ended with {given_up:?} after {:?}", begin.elapsed());
        for dir in [&copy, &dir] {
            let begin = std::time::Instant::now();
            hands.remove(dir, IMAGE).await.unwrap_or_else(|e| panic!("{way}: {e}"));
            step("removing", begin);
        }
        let grown = peak_memory() - before;
        assert!(grown < 64 << 20, "{way}: {grown} bytes of memory for {ENTRIES} entries");
    }
    ground.untouched();
}

/// Keeps exchanging a directory with a link that leads outside, and changes the size of a file, until `stop` is set.
fn restless(dir: &DataDir, host: &Path, stop: &Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    let (data, host, stop) = (dir.data(), host.to_owned(), stop.clone());
    std::thread::spawn(move || {
        link(&host.display().to_string(), &data.join("other"));
        for n in 0u64.. {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            assert!(exchange(&data), "the directory and the link could not be exchanged");
            std::thread::sleep(std::time::Duration::from_micros(200));
            let _ = std::fs::File::options().write(true).open(data.join("file")).map(|f| f.set_len(n % 7 * 100_000));
        }
    })
}

fn exchange(data: &Path) -> bool {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, data.join("dir"), CWD, data.join("other"), RenameFlags::EXCHANGE).is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_during_a_copy_never_lead_outside() {
    let ground = Ground::new();
    for (way, hands) in both().await {
        let (from, to) = (ground.place(), ground.place());
        std::fs::create_dir(from.data().join("dir")).unwrap();
        for n in 0..200 {
            std::fs::write(from.data().join(format!("dir/{n}")), "inside").unwrap();
        }
        std::fs::write(from.data().join("file"), vec![7; 1 << 20]).unwrap();
        std::fs::write(from.data().join("dir/secret"), "a decoy").unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let moving = restless(&from, &ground.base.join("host"), &stop);
        let rounds = if way == "helper" { 3 } else { 40 };
        for _ in 0..rounds {
            let _ = soon("copying", hands.copy(&from, &to, IMAGE, VOLUME)).await;
            let _ = soon("measuring", hands.usage(&from, IMAGE)).await;
            holds_no_secret(&to.root());
        }
        stop.store(true, Ordering::Relaxed);
        moving.join().expect("the exchanges succeeded to the end");
        hands.remove(&to, IMAGE).await.unwrap();
        hands.remove(&from, IMAGE).await.unwrap();
    }
    ground.untouched();
}

/// Fails if a file in the directory contains the host's secret.
fn holds_no_secret(dir: &Path) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let kind = entry.file_type().expect("a kind");
        if kind.is_dir() {
            holds_no_secret(&entry.path());
        } else if kind.is_file() {
            let said = std::fs::read(entry.path()).expect("read");
            assert_ne!(said, SECRET.as_bytes(), "{}", entry.path().display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abandoned_copy_stops_and_the_next_one_is_complete() {
    let ground = Ground::new();
    let (from, to) = (ground.place(), ground.place());
    for n in 0..3000 {
        std::fs::write(from.data().join(n.to_string()), vec![1; 50_000]).expect("a file");
    }
    let (a, b) = (from.clone(), to.clone());
    let copying = tokio::spawn(async move { Files::Direct.copy(&a, &b, IMAGE, VOLUME).await });
    let begin = std::time::Instant::now();
    while !to.root().join("copy").exists() && !copying.is_finished() {
        assert!(begin.elapsed() < crate::support::PATIENCE, "the copy did not begin in time");
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    copying.abort();
    let _ = copying.await;
    Files::Direct.copy(&from, &to, IMAGE, VOLUME).await.expect("copied");
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let left: Vec<_> = std::fs::read_dir(to.root()).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(left, ["data"]);
    assert_eq!(std::fs::read_dir(to.data()).unwrap().count(), 3000);
    run("diff", &["-r", &from.data().display().to_string(), &to.data().display().to_string()]);
}
