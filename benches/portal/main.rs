//! The measurements of `make bench`: most limits are ratios within one run; absolute figures describe this machine.
//!
//! All requests go to 127.0.0.1. A complete run takes a while; arguments after `--` select a part of it. Nothing else
//! should be running on the machine.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a measurement that fails ends the run, like a test"
)]

#[path = "../../tests/support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "shared with the tests, which use all of it")]
mod support;

#[path = "../../tests/engines/drivers/mod.rs"]
#[expect(dead_code, reason = "shared with the tests, which use all of it")]
mod drivers;

mod backup;
mod backup_data;
mod backup_lists;
mod clones;
mod create;
mod idle;
mod idle_databases;
mod pages;
mod process;
mod table;
mod templates;

use table::Table;

fn main() {
    // `cargo test --all-targets` runs this too, only to check that it compiles; `cargo bench` adds `--bench`.
    if !std::env::args().any(|a| a == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let mut table = Table::default();
    // Arguments after `--` select what is measured: pages, idle, idle-databases, backup, backup-lists, clones, templates, create, or an image's label.
    let words: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let wanted = |name: &str| words.is_empty() || words.iter().any(|w| w == name);
    runtime.block_on(async {
        if wanted("pages") {
            Box::pin(pages::measure(&mut table)).await;
        }
        if wanted("idle") {
            Box::pin(idle::measure(&mut table)).await;
        }
        if wanted("backup") {
            Box::pin(backup::measure(&mut table)).await;
        }
        if wanted("backup") || wanted("backup-lists") {
            Box::pin(backup_lists::measure(&mut table)).await;
        }
        if wanted("clones") {
            Box::pin(clones::measure(&mut table)).await;
        }
        if wanted("templates") {
            Box::pin(templates::measure(&mut table)).await;
        }
        // Takes an hour and measures the whole host, so it is only run by name.
        let idle = |label: &str| words.iter().any(|w| w == "idle-databases" || w == &format!("idle-databases-{label}"));
        Box::pin(idle_databases::measure(&mut table, &idle)).await;
        Box::pin(create::measure(&mut table, &|label| wanted("create") || wanted(label))).await;
    });
    table.print();
    if table.missed() {
        std::process::exit(1);
    }
}
