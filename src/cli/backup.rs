//! `db4sci backup …`: makes, lists, removes, audits, registers, downloads and locks backups.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use clap::Subcommand;
use uuid::Uuid;

use super::backup_download as download;
use super::session::{CommandSession, note};
use super::table::{moment, table};
use crate::admin_db::backups::listing::{BackupQuery, StatusFilter};
use crate::admin_db::backups::{Backup, audits, listing, retention};
use crate::audit;
use crate::backup::retention::prune;
use crate::backup::retention::prune::Remover;
use crate::cli::stores::ConfiguredStores;
use crate::cli::surroundings::{Surroundings, end, say};
use crate::cli::{backup_import as found, enqueue};
use crate::domain::quantity::ByteSize;
use crate::secrets::Sealer;

#[derive(Debug, Subcommand)]
pub(super) enum BackupCommand {
    /// Back up databases now; exit code 0 if a backup of each was enqueued, which the running portal then makes
    Now(enqueue::backup::BackupOptions),
    /// List backups, newest first
    List {
        /// Only backups of databases with this name, existing or deleted
        #[arg(long)]
        container: Option<String>,
        /// Only backups with this status: stored, running, failed, cancelled or removed
        #[arg(long)]
        status: Option<String>,
        /// Maximum number of rows
        #[arg(long, default_value_t = 100)]
        limit: i64,
    },
    /// Remove backups that the retention policy ([backups.keep]) does not keep
    Prune {
        /// Only show what would be removed
        #[arg(long)]
        dry_run: bool,
    },
    /// Compare databases, records and objects, and report problems; exit code 0 if there are none
    Audit {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List unregistered backups in a target
    Find {
        /// Name of the target
        #[arg(long)]
        target: String,
        /// Instance id of the portal whose backups to list; this portal if omitted
        #[arg(long)]
        instance: Option<String>,
    },
    /// Check an unregistered backup and register it, so that it can be restored from its page
    Import {
        /// Name of the target
        #[arg(long)]
        target: String,
        /// Account that owns the backup if the owner in its manifest does not exist
        #[arg(long)]
        owner: String,
        /// Accept a backup not signed by this portal; anyone who can write to the bucket may have made it
        #[arg(long)]
        unsigned: bool,
        /// Location of the backup, PORTAL/DATABASE/BACKUP, as listed by `find`
        location: String,
    },
    /// Sign backups of earlier versions whose manifests are unchanged
    Sign {
        /// Name of the target; all targets if omitted
        #[arg(long)]
        target: Option<String>,
    },
    /// Download a backup: all its objects and the restore script in one tar archive
    Download {
        /// Id of the backup
        id: Uuid,
        /// Output file, or - for standard output; by default the archive's own name in the current directory
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// plain (decrypted and decompressed) or stored; plain by default if the key is available
        #[arg(long = "as", value_name = "FORM")]
        form: Option<String>,
    },
    /// Keep a backup until a date, regardless of the retention policy
    Lock {
        /// Id of the backup
        id: Uuid,
        /// Date (UTC) such as 2030-12-31; the lock expires at the end of that day
        #[arg(long)]
        until: NaiveDate,
    },
    /// Undo `lock`
    Unlock {
        /// Id of the backup
        id: Uuid,
    },
}

pub(super) async fn run(command: BackupCommand, at: &Surroundings) -> ExitCode {
    match command {
        BackupCommand::Now(options) => enqueue::backup::run(options, at).await,
        BackupCommand::List { container, status, limit } => end(list(at, container.as_deref(), status, limit).await),
        BackupCommand::Prune { dry_run } => end(remove(at, dry_run).await),
        BackupCommand::Audit { json } => match examine(at, json).await {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(e) => end(Err(e)),
        },
        BackupCommand::Find { target, instance } => end(found::find(at, &target, instance).await),
        BackupCommand::Import { target, owner, unsigned, location } => {
            end(found::import(at, &target, &owner, &location, unsigned).await)
        }
        BackupCommand::Sign { target } => end(found::sign(at, target.as_deref()).await),
        BackupCommand::Download { id, output, form } => end(download::run(at, id, output, form.as_deref()).await),
        BackupCommand::Lock { id, until } => end(lock(at, id, Some(end_of(until))).await),
        BackupCommand::Unlock { id } => end(lock(at, id, None).await),
    }
}

/// The end of a day.
fn end_of(day: NaiveDate) -> DateTime<Utc> {
    (day + chrono::Days::new(1)).and_time(NaiveTime::MIN).and_utc()
}

async fn list(at: &Surroundings, name: Option<&str>, status: Option<String>, limit: i64) -> anyhow::Result<()> {
    let mut s = CommandSession::open(at).await?;
    let which = status.map(|word| StatusFilter::parse(&word).with_context(|| format!("there is no status “{word}”")));
    let filter = BackupQuery { container: name, which: which.transpose()?, before: None, limit };
    let rows = listing::page(&mut s.db, &filter).await?;
    say(&table(
        &["id", "database", "created", "status", "size", "level", "proven", "locked until", "target"],
        &rows.iter().map(row).collect::<Vec<_>>(),
    ));
    Ok(())
}

fn row(b: &Backup) -> Vec<String> {
    let status = if b.retired_at.is_some() {
        "target retired"
    } else if b.removed_at.is_some() {
        "removed"
    } else if b.removing_at.is_some() {
        "being removed"
    } else {
        b.status.as_str()
    };
    vec![
        b.id.to_string(),
        b.container.clone(),
        moment(Some(b.started_at)),
        status.to_owned(),
        b.bytes.map_or_else(|| "–".to_owned(), |n| ByteSize(n).to_string()),
        b.level.map_or_else(|| "–".to_owned(), |n| n.to_string()),
        moment(b.proven_at),
        moment(b.locked_until),
        b.target.clone().unwrap_or_default(),
    ]
}

async fn remove(at: &Surroundings, dry_run: bool) -> anyhow::Result<()> {
    let mut s = CommandSession::open(at).await?;
    let places = ConfiguredStores::open(at).await?;
    let done = if dry_run { would_go(&mut s, &places).await } else { removed(&mut s, &places).await };
    places.close().await;
    done
}

async fn would_go(s: &mut CommandSession, places: &ConfiguredStores) -> anyhow::Result<()> {
    let due = prune::due(&mut s.db, &places.config, s.now).await?;
    let rows = listing::by_ids(&mut s.db, &due).await?;
    show(&rows, "to be removed");
    Ok(())
}

fn show(rows: &[Backup], what: &str) {
    if !rows.is_empty() {
        let shown: Vec<_> = rows.iter().map(row).collect();
        say(&table(
            &["id", "database", "created", "status", "size", "level", "proven", "locked until", "target"],
            &shown,
        ));
    }
    let bytes = rows.iter().filter_map(|b| b.bytes).sum();
    let noun = if rows.len() == 1 { "backup" } else { "backups" };
    say(&format!("{} {noun} {what}, {}.\n", rows.len(), ByteSize(bytes)));
}

async fn removed(s: &mut CommandSession, places: &ConfiguredStores) -> anyhow::Result<()> {
    let remover = Remover { config: &places.config, stores: &places.stores, actor: &s.actor, now: s.now };
    let done = prune::all(&remover, &mut s.db, None).await?;
    show(&done.removed, "removed");
    if !done.kept.is_empty() {
        bail!("{}", done.kept.join("\n"));
    }
    Ok(())
}

/// Runs the audit and returns whether it found no problems.
async fn examine(at: &Surroundings, json: bool) -> anyhow::Result<bool> {
    let mut s = CommandSession::open(at).await?;
    let places = ConfiguredStores::open(at).await?;
    let report = async {
        let sealer = Sealer::from_file(&places.config.seal_key, s.random.clone())?;
        Ok::<_, anyhow::Error>(audit::look(&mut s.db, &places.config, &places.stores, &sealer, s.now).await?)
    };
    let report = report.await;
    places.close().await;
    let report = report?;
    audits::insert(&mut s.db, &report).await?;
    if json {
        say(&format!("{}\n", serde_json::to_string_pretty(&report)?));
        return Ok(report.all() == 0);
    }
    let lines = report.findings.iter().map(|f| format!("{}: {}\n", f.kind.label(), f.text));
    say(&lines.collect::<String>());
    let more = report.all().saturating_sub(report.findings.len() as u64);
    if more > 0 {
        say(&format!("And {more} more.\n"));
    }
    say(&format!("{} databases, {} backups, {} findings.\n", report.databases, report.backups, report.all()));
    Ok(report.all() == 0)
}

async fn lock(at: &Surroundings, id: Uuid, until: Option<DateTime<Utc>>) -> anyhow::Result<()> {
    let mut s = CommandSession::open(at).await?;
    ensure!(until.is_none_or(|at| at > s.now), "this date is in the past");
    let mut tx = sqlx::Connection::begin(&mut s.db).await?;
    ensure!(retention::set_lock(&mut tx, id, until).await?, "there is no complete backup {id}");
    let (action, detail) = match until {
        Some(at) => ("backup.lock", format!("{id} until {}", moment(Some(at)))),
        None => ("backup.unlock", id.to_string()),
    };
    note(&mut tx, &s.actor, s.now, action, &detail).await?;
    tx.commit().await?;
    say(&match until {
        Some(at) => format!("Backup {id} locked until {}.\n", moment(Some(at))),
        None => format!("Backup {id} unlocked.\n"),
    });
    Ok(())
}
