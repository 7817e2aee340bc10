//! Storage tiers that are full or missing.

use std::path::PathBuf;
use std::process::Command;

use mydb::config::{Config, Tier};

use super::{Place, held, until};
use crate::backups::back_up;
use crate::support::seeds::directories;
use crate::support::{Options, TestPortal, portal::test_dir, store};

/// A small file system for a storage tier.
pub struct Small(pub PathBuf);

impl Small {
    pub fn mount(size: &str) -> Self {
        let unique = hex::encode(mydb::secrets::Random::system().bytes::<4>());
        let path = test_dir().join(format!("small-{unique}"));
        std::fs::create_dir_all(&path).expect("a mount point");
        let small = Self(path);
        small.run("mount", &["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]);
        small
    }

    /// Shrinks the file system so that this many bytes are free.
    pub fn leave(&self, bytes: u64) {
        let has = rustix::fs::statvfs(&self.0).expect("it is mounted");
        let used = (has.f_blocks - has.f_bfree) * has.f_frsize;
        self.run("mount", &["-o", &format!("remount,size={}", used + bytes)]);
    }

    pub fn run(&self, program: &str, args: &[&str]) {
        let done = Command::new(program).args(args).arg(&self.0).status().expect("it can be run");
        assert!(done.success(), "{program} {}", self.0.display());
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// Options of a portal with this tier, named `small`.
pub fn with_tier(path: PathBuf) -> Options {
    let tier = Tier {
        name: "small".to_owned(),
        path,
        label: "Small disk".to_owned(),
        users: Vec::new(),
        engines: Vec::new(),
        limit: None,
        seen: None,
    };
    Options { configure: Box::new(move |config: &mut Config| config.storage.push(tier)), ..Options::default() }
}

fn left(place: &Place, tier: &Small) -> usize {
    directories(&tier.0.join(&place.instance)).len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_tier_is_reported_before_anything_is_created() {
    let small = Small::mount("64m");
    let portal = TestPortal::with(with_tier(small.0.clone())).await;
    let place = Place::of(&portal);
    let admin = portal.admin().await;
    admin.submit_create("lab", &[("storage", "small")]).await.expect(303);
    admin.wait_for("lab", "failed").await;
    let page = admin.get("/containers/lab").await.expect(200).text();
    assert!(page.contains("The storage tier “Small disk” is full") && page.contains("Choose another tier"), "{page}");
    assert_eq!(left(&place, &small), 0);
    place.all_is_right().await;
    admin.post("/containers/lab/delete", &[("confirm", "lab")]).await.expect(303);
    until("its name is free", || portal.sql("select count(*) from state") == "0").await;
    admin.create("lab", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tier_filling_up_during_a_create_leaves_nothing_incomplete() {
    let small = Small::mount("300m");
    let portal = TestPortal::with(with_tier(small.0.clone())).await;
    let place = Place::of(&portal);
    held::prepare(&place);
    held::hold(&place, "create", "lab", 4, "running");
    let admin = portal.admin().await;
    admin.submit_create("lab", &[("storage", "small")]).await.expect(303);
    until("its directory is created", || held::waiting(&place) == 1).await;
    std::fs::write(small.0.join("other"), vec![0u8; 290 * 1024 * 1024]).expect("an unrelated file");
    held::release(&place);
    admin.wait_for("lab", "failed").await;
    let page = admin.get("/containers/lab").await.expect(200).text();
    assert!(page.contains("No space left on device"), "the last lines of the server's log are shown: {page}");
    assert_eq!(left(&place, &small), 0, "its directory is removed");
    assert!(place.containers().is_empty());

    std::fs::remove_file(small.0.join("other")).expect("there is room again");
    admin.post("/containers/lab/start", &[]).await.expect(303);
    admin.wait_for("lab", "running").await;
    assert!(portal.connect("lab", "correct-horse").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tier_filling_up_during_a_restore_keeps_only_the_original() {
    let small = Small::mount("1300m");
    let tier = with_tier(small.0.clone());
    let configure = |config: &mut Config| {
        (tier.configure)(config);
        store(config);
    };
    let portal = TestPortal::with(Options { configure: Box::new(configure), ..Options::default() }).await;
    let place = Place::of(&portal);
    held::prepare(&place);
    let admin = portal.admin().await;
    admin.create("lab", &[("storage", "small")]).await;
    let count = async || {
        let db = portal.connect("lab", "correct-horse").await.expect("signs in");
        db.query_one("select count(distinct body) from t", &[]).await.expect("reads").get::<_, i64>(0)
    };
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    let fill = "create table t as select i, md5(i::text) as body from generate_series(1, 500000) i";
    db.batch_execute(fill).await.expect("fills");
    let id = back_up(&portal, &admin, "lab").await;
    assert_eq!(portal.ended("drill").await, ("succeeded".to_owned(), String::new()));
    let path = format!("/containers/lab/backups/{id}/restore");
    for (kind, seq, fields) in [
        ("restore", 9, [("name", "copy"), ("confirm", "")]),
        ("restore-in-place", 2, [("in_place", "true"), ("confirm", "lab")]),
    ] {
        let name = if kind == "restore" { "copy" } else { "lab" };
        held::hold(&place, kind, name, seq, "running");
        admin.post(&path, &fields).await.expect(303);
        until("the restore is held at its step", || held::waiting(&place) == 1).await;
        // Leaves room for an empty server, if that is still to be created, and for some of the data.
        small.leave(if kind == "restore" { 12 } else { 70 } * 1024 * 1024);
        held::release(&place);
        let (status, error) = portal.ended(kind).await;
        println!("{kind}: {error}");
        assert!(status == "failed" && error.contains("The storage tier “Small disk” filled up"), "{kind}: {error}");
        assert!(error.contains("Free up space, then restore again"), "{kind}: {error}");
        assert_eq!(place.containers(), [portal.container("lab")], "{kind}");
        assert_eq!(left(&place, &small), 1, "{kind}: only the database's own directory");
        assert_eq!(count().await, 500_000, "{kind}");
        small.run("mount", &["-o", "remount,size=1300m"]);
        admin.wait_for("lab", "running").await;
        assert_eq!(portal.sql("select count(*) from snapshot where made_at is not null"), "0");
    }
    admin.wait_for("copy", "failed").await;
    assert_eq!(
        portal.sql(&format!("select level from backup_log where id = '{id}'")),
        "5",
        "the level of the earlier test restore remains"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unavailable_tier_is_shown_with_its_reason_and_not_used() {
    let at = test_dir().join(format!("absent-{}", std::process::id()));
    std::fs::create_dir_all(at.join("tier")).expect("a directory");
    std::fs::write(at.join("tier.unavailable"), "the loop device could not be made\n").expect("a note");
    let portal = TestPortal::with(with_tier(at.join("tier"))).await;
    let admin = portal.admin().await;
    let form = admin.get("/containers/new").await.expect(200);
    assert!(form.text().contains("the loop device could not be made"), "{}", form.text());
    let reply = admin.submit_create("lab", &[("storage", "small")]).await.expect(422);
    assert!(reply.text().contains("the loop device could not be made"), "{}", reply.text());
    std::fs::remove_file(at.join("tier.unavailable")).expect("the note is taken away");
    admin.create("lab", &[("storage", "small")]).await;

    // The tier disappears under a database: its data is not created anew, and nothing runs on its mount point.
    admin.post("/containers/lab/stop", &[]).await.expect(303);
    admin.wait_for("lab", "stopped").await;
    std::fs::rename(at.join("tier"), at.join("away")).expect("the tier is away");
    admin.post("/containers/lab/start", &[]).await.expect(303);
    admin.wait_for("lab", "failed").await;
    assert!(portal.sql("select failed_reason from state").contains("The storage tier “Small disk” is unavailable"));
    assert!(!at.join("tier").exists(), "nothing is made in its place");
    std::fs::rename(at.join("away"), at.join("tier")).expect("the tier is back");
    admin.post("/containers/lab/start", &[]).await.expect(303);
    admin.wait_for("lab", "running").await;
    drop(portal);
    std::fs::remove_dir_all(at).expect("it is removed");
}
