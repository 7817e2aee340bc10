//! What `make bench` measures: bars as ratios within one run, and figures of this machine.
//!
//! Everything asked is asked of 127.0.0.1, and the whole run takes a while: what is asked for after `--` is less. Nothing else should be at work.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a measurement that can't be made ends the run, as a test does"
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
mod create;
mod idle;
mod pages;
mod process;
mod table;

use table::Table;

fn main() {
    // `cargo test --all-targets` runs this too, only to see that it compiles; `cargo bench` says what it is.
    if !std::env::args().any(|a| a == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let mut table = Table::default();
    // Words after `--` choose what is measured: pages, idle, backup, backup-lists, create, or an image's label.
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
        Box::pin(create::measure(&mut table, &|label| wanted("create") || wanted(label))).await;
    });
    table.print();
    if table.missed() {
        std::process::exit(1);
    }
}
