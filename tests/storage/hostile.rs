//! Special files in place of small files, and a data directory that is not a directory.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use mydb::storage::SmallFile;

use super::{Ground, IMAGE, SECRET, both, fifo, link, run, socket, soon};

type Lay = fn(&Path, &Ground);

/// What a server may put in place of a small file, and the line that must be read, if any.
const KINDS: &[(&str, Lay, Option<&str>)] = &[
    ("a file", |at, _| std::fs::write(at, "17\n").expect("it is created"), Some("17")),
    ("an empty file", |at, _| std::fs::write(at, "").expect("it is created"), Some("")),
    (
        "a file of two names",
        |at, _| {
            std::fs::write(at.with_extension("other"), "17\n").expect("it is created");
            std::fs::hard_link(at.with_extension("other"), at).expect("it is created");
        },
        Some("17"),
    ),
    ("a link to a file of the host", |at, ground| link(&ground.secret().display().to_string(), at), None),
    ("a link that climbs", |at, _| link("../../../host/secret", at), None),
    ("a link to the process", |at, _| link("/proc/self/environ", at), None),
    ("a link to a door", |at, _| link("/proc/1/root/etc/hostname", at), None),
    ("a link to endless zeros", |at, _| link("/dev/zero", at), None),
    ("a link to nothing", |at, _| link("/nowhere/at/all", at), None),
    ("a link to itself", |at, _| link(&at.display().to_string(), at), None),
    (
        "a link to a file beside it",
        |at, _| {
            std::fs::write(at.with_extension("other"), "17\n").expect("it is created");
            link("PG_VERSION.other", at);
        },
        None,
    ),
    ("a pipe", |at, _| fifo(at), None),
    ("a socket", |at, _| socket(at), None),
    ("a directory", |at, _| std::fs::create_dir(at).expect("it is created"), None),
    ("a device", |at, _| run("mknod", &[&at.display().to_string(), "c", "1", "5"]), None),
    ("a line without end", |at, _| std::fs::write(at, "17".repeat(4 << 20)).expect("it is created"), None),
    (
        "a hole of a thousand million bytes",
        |at, _| std::fs::File::create(at).expect("it is created").set_len(1 << 30).expect("it is created"),
        None,
    ),
    ("control characters", |at, _| std::fs::write(at, "17\x1b[2J\n").expect("it is created"), None),
    ("no UTF-8", |at, _| std::fs::write(at, [0xff, 0xfe, b'\n']).expect("it is created"), None),
];

#[tokio::test(flavor = "multi_thread")]
async fn links_pipes_and_odd_files_are_not_followed_or_quoted() {
    let ground = Ground::new();
    let root = rustix::process::geteuid().is_root();
    let files = ["PG_VERSION".to_owned()];
    for (way, hands) in both().await {
        let dir = ground.place();
        assert_eq!(hands.first_line(&dir, &files, IMAGE).await.unwrap(), SmallFile::Missing, "{way}: nothing");
        for (what, lay, line) in KINDS {
            if *what == "a device" && !root {
                continue;
            }
            let dir = ground.place();
            lay(&dir.data().join("PG_VERSION"), &ground);
            let found =
                soon(what, hands.first_line(&dir, &files, IMAGE)).await.unwrap_or_else(|e| panic!("{what}: {e}"));
            let expected = line.map_or(SmallFile::Odd, |line| SmallFile::Line(line.to_owned()));
            assert_eq!(found, expected, "{way}: {what}");
        }
        // A link in the path to the file must not be followed either.
        let dir = ground.place();
        link(&ground.base.join("host").display().to_string(), &dir.data().join("18"));
        let found = hands.first_line(&dir, &["18/secret".to_owned()], IMAGE).await;
        assert!(!format!("{found:?}").contains(SECRET), "{way}: {found:?}");
    }
    ground.untouched();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_directory_that_is_a_link_is_rejected() {
    let ground = Ground::new();
    let host = ground.base.join("host");
    std::fs::set_permissions(&host, std::fs::Permissions::from_mode(0o755)).unwrap();
    let before = (host.metadata().unwrap().uid(), host.metadata().unwrap().mode());
    for (way, hands) in both().await {
        let (dir, to) = (ground.place(), ground.place());
        std::fs::remove_dir(dir.data()).unwrap();
        link(&host.display().to_string(), &dir.data());
        assert!(hands.prepare(&dir, IMAGE, 999, 999).await.is_err(), "{way}");
        assert!(hands.copy(&dir, &to, IMAGE, super::VOLUME).await.is_err(), "{way}");
        let found = hands.first_line(&dir, &["secret".to_owned()], IMAGE).await;
        assert!(!format!("{found:?}").contains(SECRET), "{way}: {found:?}");
        let size = hands.usage(&dir, IMAGE).await;
        assert!(size.as_ref().map_or(true, |size| *size == 0), "{way}: {size:?}");
        hands.remove(&dir, IMAGE).await.unwrap();
        assert!(!dir.root().exists(), "{way}");
    }
    assert_eq!((host.metadata().unwrap().uid(), host.metadata().unwrap().mode()), before);
    ground.untouched();
}
