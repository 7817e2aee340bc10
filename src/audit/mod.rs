//! The audit: whether each database has the backups that its policy promises, and the targets hold what the rows say.
//! It looks, and changes nothing.

pub(crate) mod bucket;
pub(crate) mod content;
pub(crate) mod databases;
pub(crate) mod own;

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::backups::{audit_facts, audits, replicas};
use crate::config::Config;
use crate::domain::work::{Cancel, Pool, Rules};
use crate::encryption::Keys;
use crate::objects::Stores;
use crate::queue::flow::{Flow, Step, StepError, Work};
use crate::secrets::Sealer;

/// Audit the backups.
pub static AUDIT: Flow = Flow {
    kind: "audit",
    title: "Audit the backups",
    rules: Rules::of(Pool::Long).cancel(Cancel::Always),
    steps: &[Step { name: "Compare databases, rows and objects", run: |w| Box::pin(audit(w)), undo: None }],
};

/// Hours after which a backup should have its copies.
const COPY_HOURS: i64 = 6;

/// Most findings that are kept one by one.
const MOST: usize = 500;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// There is no place for backups.
    NoTarget,
    /// A target can't be listed.
    TargetAway,
    /// mydb_admin itself has no fresh backup.
    AdminDbStale,
    /// There is no recovery key, so the portal's keys are in no backup.
    NoRecoveryKey,
    /// Objects of a good backup are missing or have other lengths.
    Missing,
    /// A manifest is not the one that was stored.
    Altered,
    /// A backup lacks its copy in another target.
    CopyMissing,
    /// A database has no backup as fresh as its policy promises.
    Stale,
    /// A backup holds much less than those before it.
    Shrunk,
    /// The last drill failed.
    DrillFailed,
    /// No drill for too long.
    DrillOverdue,
    /// The engine can't be backed up.
    Impossible,
    /// Backups without this portal's signature: a rebuild does not take them in by itself.
    Unsigned,
    /// Objects that no row explains.
    Unknown,
}

impl Kind {
    /// Every kind, the worst first.
    pub const ALL: [Self; 14] = [
        Self::NoTarget,
        Self::TargetAway,
        Self::AdminDbStale,
        Self::NoRecoveryKey,
        Self::Missing,
        Self::Altered,
        Self::CopyMissing,
        Self::Stale,
        Self::Shrunk,
        Self::DrillFailed,
        Self::DrillOverdue,
        Self::Impossible,
        Self::Unsigned,
        Self::Unknown,
    ];

    /// Its word, in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoTarget => "no_target",
            Self::TargetAway => "target_away",
            Self::AdminDbStale => "admin_db_stale",
            Self::NoRecoveryKey => "no_recovery_key",
            Self::Missing => "missing",
            Self::Altered => "altered",
            Self::CopyMissing => "copy_missing",
            Self::Stale => "stale",
            Self::Shrunk => "shrunk",
            Self::DrillFailed => "drill_failed",
            Self::DrillOverdue => "drill_overdue",
            Self::Impossible => "impossible",
            Self::Unsigned => "unsigned",
            Self::Unknown => "unknown",
        }
    }

    /// In a word or two, for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::NoTarget => "no place for backups",
            Self::TargetAway => "target away",
            Self::AdminDbStale => "no fresh backup of mydb_admin",
            Self::NoRecoveryKey => "no recovery key",
            Self::Missing => "objects missing",
            Self::Altered => "manifest changed",
            Self::CopyMissing => "no second copy",
            Self::Stale => "backup missed",
            Self::Shrunk => "much smaller",
            Self::DrillFailed => "drill failed",
            Self::DrillOverdue => "drill overdue",
            Self::Impossible => "can’t be backed up",
            Self::Unsigned => "not signed",
            Self::Unknown => "unknown objects",
        }
    }

    /// Whether data may be at risk; the others want a look.
    pub fn is_bad(self) -> bool {
        !matches!(self, Self::DrillOverdue | Self::Impossible | Self::Unsigned | Self::Unknown)
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What sort of thing.
    pub kind: Kind,
    /// Name of the database it is about, if it is about one.
    pub container: Option<String>,
    /// The backup it is about, if it is about one.
    pub backup: Option<Uuid>,
    /// A sentence or two.
    pub text: String,
}

/// A target as the audit found it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Its name.
    pub target: String,
    /// Objects of this portal in it.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Why it could not be listed.
    pub error: Option<String>,
}

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// When it began.
    pub at: DateTime<Utc>,
    /// Databases that were judged.
    pub databases: usize,
    /// Good backups that were looked for.
    pub backups: usize,
    /// The targets.
    pub places: Vec<Place>,
    /// How many findings of each kind.
    pub counts: BTreeMap<Kind, u64>,
    /// The findings, the worst first; not all where there are very many.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Findings in all.
    pub fn all(&self) -> u64 {
        self.counts.values().sum()
    }
}

/// Looks at everything.
///
/// # Errors
/// The database's. A store that can't be asked is a finding.
pub async fn look(
    db: &mut PgConnection,
    config: &Config,
    stores: &Stores,
    sealer: &Sealer,
    now: DateTime<Utc>,
) -> Result<Report, sqlx::Error> {
    let mut findings = Vec::new();
    let rows = audit_facts::databases(db).await?;
    if stores.first().is_none() {
        findings.push(Finding {
            kind: Kind::NoTarget,
            container: None,
            backup: None,
            text: "No place for backups is configured ([[target]]), so none can be made.".to_owned(),
        });
    }
    let backups = &config.backups;
    // Where the key is elsewhere, so are the drills.
    let drills_here = backups.recipients.is_empty() || Keys::of(backups).open(&backups.recipients);
    for row in &rows {
        let found = databases::judge(row, config.backups.window, now);
        findings.extend(found.into_iter().filter(|f| drills_here || !matches!(f.kind, Kind::DrillOverdue)));
    }
    if let Some(store) = stores.first() {
        findings.extend(own::judge(config, store, sealer, now).await);
    }
    let mut seen = bucket::Seen { findings, backups: 0, signer: sealer.manifests() };
    let mut places = Vec::new();
    for store in stores.all() {
        places.push(bucket::compare(db, store, config.instance.as_str(), now, &mut seen).await?);
    }
    let bucket::Seen { mut findings, mut backups, .. } = seen;
    for l in replicas::lacking(db, config.instance.as_str(), &config.backups.copies, now - Duration::hours(COPY_HOURS))
        .await?
    {
        let which = if l.backups == 1 { "A backup".to_owned() } else { format!("{} backups", l.backups) };
        let verb = if l.backups == 1 { "has" } else { "have" };
        let why = l.error.map(|e| format!(" {e}")).unwrap_or_default();
        let text = format!("{which} of {} {verb} no copy in “{}”.{why}", l.container, l.target);
        findings.push(Finding { kind: Kind::CopyMissing, container: Some(l.container), backup: None, text });
    }
    let configured: Vec<String> = stores.all().iter().map(|s| s.name().to_owned()).collect();
    for (target, count) in audit_facts::elsewhere(db, &configured).await? {
        backups += usize::try_from(count).unwrap_or(0);
        let text = format!(
            "{count} backups lie in the target “{target}”, which is no longer configured. Put it back, or if it is gone for \
             good, say so with `db4sci target forget {target}`."
        );
        findings.push(Finding { kind: Kind::TargetAway, container: None, backup: None, text });
    }
    findings.sort_by_key(|f| f.kind);
    let mut counts = BTreeMap::new();
    for finding in &findings {
        *counts.entry(finding.kind).or_insert(0) += 1;
    }
    findings.truncate(MOST);
    Ok(Report { at: now, databases: rows.len(), backups, places, counts, findings })
}

async fn audit(w: &Work) -> Result<(), StepError> {
    let app = &w.app;
    let mut db = app.db.acquire().await?;
    let report = look(&mut db, &app.config, &app.stores, &app.sealer, app.clock.now()).await?;
    audits::insert(&mut db, &report).await?;
    drop(db);
    w.say(&match report.all() {
        0 => format!("{} databases and {} backups are as they should be", report.databases, report.backups),
        1 => "Found 1 thing that wants a look".to_owned(),
        n => format!("Found {n} things that want a look"),
    })
    .await;
    Ok(())
}
