//! `db4sci backup …`: what there is, what the policy removes, locks.

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
use crate::cli::backup_import as found;
use crate::cli::stores::ConfiguredStores;
use crate::cli::surroundings::{Surroundings, end, say};
use crate::domain::quantity::ByteSize;
use crate::secrets::Sealer;

#[derive(Debug, Subcommand)]
pub(super) enum BackupCommand {
    /// List backups, the newest first
    List {
        /// Only of databases of this name, living or gone
        #[arg(long)]
        container: Option<String>,
        /// Only these: stored, running, failed, cancelled or removed
        #[arg(long)]
        status: Option<String>,
        /// Most rows
        #[arg(long, default_value_t = 100)]
        limit: i64,
    },
    /// Remove what the policy ([backups.keep]) does not keep
    Prune {
        /// Only say what would go
        #[arg(long)]
        dry_run: bool,
    },
    /// Compare databases, rows and objects, and say what is wrong; exit code 0: nothing
    Audit {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Look for backups in a target that are not in the list
    Find {
        /// Name of the target
        #[arg(long)]
        target: String,
        /// Portal whose backups are looked for; this one unless given
        #[arg(long)]
        instance: Option<String>,
    },
    /// Check a backup that was found and take it into the list, so that it can be restored from the page
    Import {
        /// Name of the target
        #[arg(long)]
        target: String,
        /// Account it belongs to where that of its manifest is not known
        #[arg(long)]
        owner: String,
        /// Also if this portal did not sign it: whoever can write into the bucket may have made it
        #[arg(long)]
        unsigned: bool,
        /// Where it lies: PORTAL/DATABASE/BACKUP, as `find` says
        location: String,
    },
    /// Sign the backups of earlier versions whose manifests are as they were stored
    Sign {
        /// Name of the target; all of them unless given
        #[arg(long)]
        target: Option<String>,
    },
    /// Take a backup away: all its objects, with the script that restores them, as one tar archive
    Download {
        /// The backup
        id: Uuid,
        /// The file; - is standard output. Without it the archive's own name, in this directory
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// plain (decrypted and decompressed) or stored; plain where the key is there
        #[arg(long = "as", value_name = "FORM")]
        form: Option<String>,
    },
    /// Keep a backup until a day, whatever the policy says
    Lock {
        /// The backup
        id: Uuid,
        /// The day (UTC), as 2030-12-31; the lock ends when that day does
        #[arg(long)]
        until: NaiveDate,
    },
    /// Undo `lock`
    Unlock {
        /// The backup
        id: Uuid,
    },
}

pub(super) async fn run(command: BackupCommand, at: &Surroundings) -> ExitCode {
    match command {
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
        &["id", "database", "made", "status", "size", "level", "proven", "locked until", "target"],
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
    show(&rows, "would go");
    Ok(())
}

fn show(rows: &[Backup], what: &str) {
    if !rows.is_empty() {
        let shown: Vec<_> = rows.iter().map(row).collect();
        say(&table(&["id", "database", "made", "status", "size", "level", "proven", "locked until", "target"], &shown));
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

/// Whether all is well.
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
    ensure!(until.is_none_or(|at| at > s.now), "this day is over");
    let mut tx = sqlx::Connection::begin(&mut s.db).await?;
    ensure!(retention::set_lock(&mut tx, id, until).await?, "there is no good backup {id}");
    let (action, detail) = match until {
        Some(at) => ("backup.lock", format!("{id} until {}", moment(Some(at)))),
        None => ("backup.unlock", id.to_string()),
    };
    note(&mut tx, &s.actor, s.now, action, &detail).await?;
    tx.commit().await?;
    say(&match until {
        Some(at) => format!("The backup {id} is kept until {}.\n", moment(Some(at))),
        None => format!("The backup {id} is no longer locked.\n"),
    });
    Ok(())
}
