//! The real program when idle: how soon it is ready, and how much memory it needs.

use std::time::Duration;

use super::process::{Sweep, free_port, resident, start};
use super::support;
use super::table::{Bar, Table};

pub async fn measure(table: &mut Table) {
    let (config, tables) = support::portal::configuration(support::Tables::Shared);
    let sweep = Sweep(config);
    let port = free_port();

    let (mut process, first) = start(&sweep.0, &tables, port, &[]).await;
    table.add("ready, first start: creates tables, keys and certificates", first.as_secs_f64(), "s", &Bar::None);
    let mut again = Vec::new();
    for _ in 0..3 {
        // One at a time, because they share the port and the lease of the jobs.
        drop(process);
        let took;
        (process, took) = start(&sweep.0, &tables, port, &[]).await;
        again.push(took.as_secs_f64());
    }
    let again = super::table::quantile(&mut again, 0.5);
    table.add(
        "ready after the start of the process, with mydb_admin running (median of 3)",
        again,
        "s",
        &Bar::Most(1.0),
    );
    tokio::time::sleep(Duration::from_secs(10)).await;
    table.add("idle portal, resident after 10 s", resident(process.id()), "MiB", &Bar::Most(64.0));
}
