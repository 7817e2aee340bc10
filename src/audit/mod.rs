//! The audit: checks that each database has the backups required by its policy, and that the targets contain what the
//! rows say. It only reads.

pub(crate) mod admin_backups;
pub(crate) mod bucket;
pub(crate) mod content;
pub(crate) mod databases;

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use sqlx::PgConnection;

use crate::admin_db::backups::{audit_facts, audits, replicas};
use crate::config::Config;
use crate::domain::audit::{AuditReport, Finding, FindingKind};
use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::{Cancel, JobRules, Pool};
use crate::encryption::Identities;
use crate::objects::Stores;
use crate::queue::context::StepContext;
use crate::queue::flow::{Flow, Step};
use crate::queue::step_error::StepError;
use crate::secrets::Sealer;

/// Audits the backups.
pub static AUDIT: Flow = Flow {
    kind: JobKind::Audit,
    title: "Audit the backups",
    rules: JobRules::of(Pool::Long).cancel(Cancel::Always),
    steps: &[Step::new("Compare databases, records and objects", |w| Box::pin(audit(w)))],
};

/// Hours after which a backup should have been copied.
const COPY_HOURS: i64 = 6;

/// Maximum number of findings listed individually.
const MOST: usize = 500;

/// Runs all checks.
pub async fn look(
    db: &mut PgConnection,
    config: &Config,
    stores: &Stores,
    sealer: &Sealer,
    now: DateTime<Utc>,
) -> Result<AuditReport, sqlx::Error> {
    let mut findings = Vec::new();
    let rows = audit_facts::databases(db).await?;
    if stores.first().is_none() {
        findings.push(Finding {
            kind: FindingKind::NoTarget,
            container: None,
            backup: None,
            text: "No backup target ([[target]]) is configured, so no backups can be made.".to_owned(),
        });
    }
    let backups = &config.backups;
    // Without a secret key here, test restores are run elsewhere.
    let drills_here = backups.recipients.is_empty() || Identities::of(backups).open(&backups.recipients);
    for row in &rows {
        let found = databases::judge(row, config.backups.window, now);
        findings.extend(found.into_iter().filter(|f| drills_here || !matches!(f.kind, FindingKind::DrillOverdue)));
    }
    if let Some(store) = stores.first() {
        findings.extend(admin_backups::judge(config, store, sealer, now).await);
    }
    let mut seen = bucket::BucketScan { findings, backups: 0, signer: sealer.manifests() };
    let mut places = Vec::new();
    for store in stores.all() {
        places.push(bucket::compare(db, store, config.instance.as_str(), now, &mut seen).await?);
    }
    let bucket::BucketScan { mut findings, mut backups, .. } = seen;
    for l in replicas::lacking(db, config.instance.as_str(), &config.backups.copies, now - Duration::hours(COPY_HOURS))
        .await?
    {
        let which = if l.backups == 1 { "A backup".to_owned() } else { format!("{} backups", l.backups) };
        let verb = if l.backups == 1 { "has" } else { "have" };
        let why = l.error.map(|e| format!(" {e}")).unwrap_or_default();
        let text = format!("{which} of {} {verb} no copy in “{}”.{why}", l.container, l.target);
        findings.push(Finding { kind: FindingKind::CopyMissing, container: Some(l.container), backup: None, text });
    }
    let configured: Vec<String> = stores.all().iter().map(|s| s.name().to_owned()).collect();
    for (target, count) in audit_facts::elsewhere(db, &configured).await? {
        backups += usize::try_from(count).unwrap_or(0);
        let text = format!(
            "{count} backups are in the target “{target}”, which is no longer configured. Configure it again, or, if \
             it is gone permanently, run `db4sci target forget {target}`."
        );
        findings.push(Finding { kind: FindingKind::TargetAway, container: None, backup: None, text });
    }
    findings.sort_by_key(|f| f.kind);
    let mut counts = BTreeMap::new();
    for finding in &findings {
        *counts.entry(finding.kind).or_insert(0) += 1;
    }
    findings.truncate(MOST);
    Ok(AuditReport { at: now, databases: rows.len(), backups, places, counts, findings })
}

async fn audit(w: &StepContext) -> Result<(), StepError> {
    let app = &w.app;
    let mut db = app.db.acquire().await?;
    let report = look(&mut db, &app.config, &app.stores, &app.sealer, app.clock.now()).await?;
    audits::insert(&mut db, &report).await?;
    drop(db);
    w.progress(&match report.all() {
        0 => format!("Checked {} databases and {} backups; no problems found", report.databases, report.backups),
        1 => "Found 1 problem".to_owned(),
        n => format!("Found {n} problems"),
    })
    .await;
    Ok(())
}
