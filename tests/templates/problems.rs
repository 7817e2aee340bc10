//! Notices to administrators about dumps that cannot be imported.

use chrono::{DurationRound, TimeDelta, Timelike, Utc};

use super::{dumps, portal_with, settled, sql, update, write};
use crate::support::{Client, TestPortal};

/// Runs the nightly import.
async fn night(portal: &TestPortal) {
    portal.sql("update schedule set result = null, next_run = now() - interval '1 day' where name = 'templates'");
    portal.until("select result is not null from schedule where name = 'templates'", |said| said == "t").await;
    settled(portal).await;
}

async fn told(admin: &Client) -> String {
    admin.get("/admin").await.expect(200).text()
}

#[tokio::test(flavor = "multi_thread")]
async fn nightly_problems_are_shown_to_administrators_until_they_are_solved() {
    // In the middle of an hour, so that the test does not run into the next one.
    let half_past = Utc::now().duration_trunc(TimeDelta::hours(1)).expect("an hour") + TimeDelta::minutes(30);
    let portal = portal_with(move |config| {
        config.templates.hour = Some(half_past.with_timezone(&config.backups.window.zone).hour());
    })
    .await;
    portal.clock.shift((half_past - Utc::now()).num_seconds());
    let admin = portal.admin().await;
    let api = portal.token(&admin).await;
    for name in ["shop.sql", "farm.sql"] {
        write(&portal, name, sql("create table mice (id int primary key);\n"));
    }
    update(&portal, &api).await;
    let (missing, unreadable) = ("The dump of the template shop cannot be imported", "Dumps cannot be imported");
    let page = told(&admin).await;
    assert!(!page.contains(missing) && !page.contains(unreadable), "{page}");

    // The dump of a template is missing, and a new one is truncated.
    std::fs::rename(dumps(&portal).join("shop.sql"), portal.dir.join("shop.sql")).expect("renamed");
    write(&portal, "fresh.sql.gz", [&b"\x1f\x8b\x08\x00"[..], &[0; 200]].concat());
    night(&portal).await;
    let page = told(&admin).await;
    for words in
        [missing, "shop.sql is not in the directory of dumps. Databases are still created", unreadable, "fresh.sql.gz"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains("the template farm cannot"), "{page}");
    // A dismissed notice does not come back every night.
    let id = portal.sql("select id from notice where kind = 'dumps_unusable' and ended_at is null");
    admin.post(&format!("/admin/notices/{id}/seen"), &[("back", "admin")]).await.expect(303);
    let page = told(&admin).await;
    assert!(!page.contains(unreadable) && page.contains(missing), "{page}");
    night(&portal).await;
    assert!(!told(&admin).await.contains(unreadable));
    let nobody = portal.user("ada").await;
    nobody.post(&format!("/admin/notices/{id}/seen"), &[]).await.expect(403);

    // It is shortened until it is no dump any more.
    write(&portal, "shop.sql", "-- cut\n");
    portal.sql("update notice set ended_at = now() where kind = 'dump_unusable'");
    night(&portal).await;
    let page = told(&admin).await;
    assert!(page.contains(missing) && page.contains("It has only 7 bytes, so it is not a dump."), "{page}");

    // All is well again.
    std::fs::remove_file(dumps(&portal).join("fresh.sql.gz")).expect("removed");
    write(&portal, "shop.sql", sql("create table mice (id int primary key);\n"));
    night(&portal).await;
    let page = told(&admin).await;
    assert!(!page.contains(missing) && !page.contains(unreadable), "{page}");
    assert_eq!(portal.sql("select count(*) from notice where ended_at is null"), "0");

    // The directory is not mounted: it is empty, or not there at all. That is one notice, not one for each template.
    let away = dumps(&portal).with_extension("away");
    std::fs::rename(dumps(&portal), &away).expect("renamed");
    night(&portal).await;
    let page = told(&admin).await;
    assert!(page.contains(unreadable) && page.contains("cannot be read"), "{page}");
    assert!(!page.contains(missing), "{page}");
    portal.sql("update notice set ended_at = now()");
    std::fs::create_dir_all(dumps(&portal)).expect("an empty directory");
    night(&portal).await;
    let page = told(&admin).await;
    assert!(page.contains(unreadable) && page.contains("Is its disk mounted?"), "{page}");
    assert!(!page.contains(missing), "{page}");
    std::fs::remove_dir(dumps(&portal)).expect("removed");
    std::fs::rename(&away, dumps(&portal)).expect("mounted");
    night(&portal).await;
    assert!(!told(&admin).await.contains(unreadable));
}
