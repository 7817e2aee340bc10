//! Imports a version of a template from a backup: restored and compared like a test restore, then its passwords are
//! replaced.

use secrecy::SecretString;
use uuid::Uuid;

use crate::admin_db::templates::versions::{SourceFacts, TemplateVersion};
use crate::admin_db::templates::{Template, versions};
use crate::backup::compare::compare;
use crate::backup::engine_backup;
use crate::backup::restore::source::{BackupSource, present};
use crate::backup::restore::{admin_of, differences, raise};
use crate::backup::server_handle::ServerHandle;
use crate::clones::take_over::{cut_off, replace_passwords};
use crate::domain::password::Password;
use crate::domain::quantity::ByteSize;
use crate::manifest::dump::LoadReport;
use crate::provision::quota::space::RESERVE;
use crate::provision::sealed_server::{AdminPassword, SealedServer};
use crate::provision::server::tools_in;
use crate::queue::context::StepContext;
use crate::queue::step_error::StepError;
use crate::storage::measured;
use crate::templates::fill::{complete, format_of, whole_database};
use crate::templates::hook;
use crate::templates::source::hook_sha256;

/// Checks that all objects of the backup exist, and records what is imported.
pub(super) async fn read(w: &StepContext, t: &Template, v: &TemplateVersion, id: Uuid) -> Result<(), StepError> {
    let app = &w.app;
    let source = BackupSource::read(app, id).await?;
    present(&source).await?;
    let hook_sha256 = hook_sha256(hook::of(w, t).await?).await?;
    let (bytes, at) = (i64::try_from(source.manifest.bytes()).unwrap_or(i64::MAX), source.manifest.started_at);
    let facts = SourceFacts { bytes, mtime: at, sha256: source.sha256(), hook_sha256 };
    let mut db = app.db.acquire().await?;
    versions::set_source(&mut db, v.id, &facts, app.clock.now()).await?;
    drop(db);
    let text = format!("{}, as of {}", ByteSize(bytes), at.format("%Y-%m-%d %H:%M:%S UTC"));
    w.progress(&source.describe(&text)).await;
    Ok(())
}

/// A backup to import.
pub(super) struct BackupImport<'a> {
    source: BackupSource<'a>,
    /// The administrator's password of the version.
    own: SecretString,
}

impl<'a> BackupImport<'a> {
    /// The backup with this id, for a version whose administrator's password is `own`.
    pub(super) async fn of(w: &'a StepContext, id: Uuid, own: SecretString) -> Result<Self, StepError> {
        Ok(Self { source: BackupSource::read(&w.app, id).await?, own })
    }

    /// The administrator's password of the server that the backup is restored into.
    pub(super) fn admin(&self) -> Result<AdminPassword, StepError> {
        admin_of(&self.source, &self.own)
    }

    /// Restores the backup into `sealed`, compares it with its manifest, replaces the passwords in it, runs the script of
    /// the template and stops the server cleanly.
    ///
    /// # Errors
    /// If it cannot be restored, its content differs, or a statement of the script fails.
    pub(super) async fn fill(
        &self,
        w: &StepContext,
        (t, digest): (&Template, &str),
        sealed: &mut SealedServer,
    ) -> Result<LoadReport, StepError> {
        let (app, kind, source) = (&w.app, sealed.blueprint.image.engine, &self.source);
        room(sealed, source.row.raw_bytes.unwrap_or(0)).await?;
        // An interrupted attempt may have changed the passwords in the data.
        sealed.remove(app).await?;
        w.progress("Restoring the backup in a server without network access").await;
        let id = raise(w, source, sealed).await?;
        w.progress("Comparing with the backup").await;
        let server = ServerHandle { id: &id, spec: sealed.blueprint.plan(), engine: engine_backup(kind)? };
        let found = compare(app, &source.manifest, &server, true).await?;
        // As in a test restore: after a second attempt definitions may differ, but missing rows always fail it.
        match source.notes().is_empty() {
            true => found.equal()?,
            false => found.same_content().map_err(|e| differences::with_reasons(source, e))?,
        }
        cut_off(app, sealed, &id).await?;
        let there = sealed.blueprint.admin_password();
        // Nobody needs it later: each copy gets its own password.
        let user = Password::generate(&app.random).secret().clone();
        replace_passwords(app, sealed, &id, &there, (&self.own, &user)).await?;
        sealed.blueprint.begins_with(self.own.clone());
        if let Some(tools) = tools_in(app, kind, digest, &id).await? {
            sealed.blueprint.set_tools(tools);
        }
        let target = whole_database(sealed.blueprint.plan().dbname.as_str());
        let told = source.notes();
        let mut report = LoadReport { format: Some(format_of(kind)), told, ..LoadReport::default() };
        let hook = hook::of(w, t).await?;
        complete(w, sealed, &id, hook.as_deref(), (&user, vec![target]), &mut report).await?;
        Ok(report)
    }
}

/// The restored data must not fill the tier that other databases use.
async fn room(sealed: &SealedServer, raw: i64) -> Result<(), StepError> {
    let has = measured(sealed.blueprint.tier.path.clone()).await?;
    let needed = raw.saturating_mul(3).saturating_add(RESERVE);
    if has.free < needed {
        return Err(StepError::Fail(format!(
            "Not enough disk space for the import on the storage tier “{}”: {} free, at least {} needed.",
            sealed.blueprint.tier.label,
            ByteSize(has.free),
            ByteSize(needed)
        )));
    }
    Ok(())
}
