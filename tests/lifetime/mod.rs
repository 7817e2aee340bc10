//! Databases with a time to live: their expiry is set, shown, announced and kept; and the reaper.

mod ends;
pub mod inputs;
mod limits;
mod reaper;

use mydb::config::Config;

use crate::support::{Client, Options, TestPortal};

/// A portal whose reaper runs every second.
async fn reaping() -> TestPortal {
    reaping_with(|_| {}).await
}

/// The same, with further settings.
async fn reaping_with(more: impl FnOnce(&mut Config) + Send + 'static) -> TestPortal {
    let configure = Box::new(|config: &mut Config| {
        crate::support::store(config);
        config.jobs.reaper_every = std::time::Duration::from_secs(1);
        more(config);
    });
    TestPortal::with(Options { configure, ..Options::default() }).await
}

/// The whole seconds from now until a database expires; empty if it does not.
fn seconds_left(portal: &TestPortal, name: &str) -> Option<i64> {
    let left = format!(
        "select coalesce(extract(epoch from expires_at - now())::bigint::text, '') from container
          where name = '{name}' and purged_at is null"
    );
    portal.sql(&left).parse().ok()
}

/// Asserts that a database expires about this many seconds from now.
fn ends_in(portal: &TestPortal, name: &str, seconds: i64) {
    let left = seconds_left(portal, name).unwrap_or_else(|| panic!("{name} does not expire"));
    assert!((seconds - 60..=seconds).contains(&left), "{name} expires in {left} s, not {seconds} s");
}

/// Sets the expiry of a database to the past.
fn let_end(portal: &TestPortal, name: &str) {
    portal.sql(&format!("update container set expires_at = now() - interval '1 second' where name = '{name}'"));
}

/// Runs the reaper once more from the beginning, and waits until it is done.
async fn next_run(portal: &TestPortal) {
    portal.sql("update schedule set result = null, next_run = now() where name = 'reaper'");
    let done = "select count(*) from schedule where name = 'reaper' and result is not null";
    // The first run may have begun before this call.
    portal.until(done, |said| said == "1").await;
    portal.sql("update schedule set result = null, next_run = now() where name = 'reaper'");
    portal.until(done, |said| said == "1").await;
}

/// The text of the page of a database.
async fn page(client: &Client, name: &str) -> String {
    client.get(&format!("/containers/{name}")).await.expect(200).text()
}
