//! The context that all steps of a backup need, and the draft of the manifest.

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use crate::admin_db::backups;
use crate::admin_db::backups::{Backup, newest};
use crate::admin_db::containers::Container;
use crate::app::App;
use crate::backup::engine_backup;
use crate::blueprint::Blueprint;
use crate::configured::NotConfigured;
use crate::domain::backup_schedule::Policy;
use crate::domain::object_keys;
use crate::encryption::{AGE, Recipients};
use crate::engine::backup::Inventory;
use crate::engine::part::DumpMode;
use crate::engine::{EngineBackup, ServerSpec};
use crate::manifest;
use crate::manifest::{BackupSubject, Encryption, Manifest};
use crate::objects::Store;
use crate::provision::container::find;
use crate::provision::sealed_server::{AdminPassword, SealedServer};
use crate::provision::server::tools_in;
use crate::queue::context::StepContext;
use crate::queue::step_error::StepError;

/// Key prefix of a backup. It consists of ids, because names are reused.
pub fn location(app: &App, container: Uuid, backup: Uuid) -> String {
    object_keys::backup(&app.config.instance, container, backup)
}

/// The row of this job's backup.
pub(crate) async fn row(w: &StepContext) -> Result<Backup, StepError> {
    let mut db = w.app.db.acquire().await?;
    let row = backups::of_job(&mut db, w.job.id).await?;
    let row = row.ok_or_else(|| StepError::Fail("The record of this backup no longer exists.".to_owned()))?;
    w.note_backup(row.id);
    Ok(row)
}

/// The store that contains or will contain a backup.
pub(crate) fn store<'a>(app: &'a App, row: &Backup) -> Result<&'a Arc<Store>, NotConfigured> {
    app.store(row.target.as_deref().unwrap_or_default())
}

/// Whether this backup may be used for the next test restore of the database.
async fn may_be_drilled(app: &App, c: &Container) -> Result<bool, StepError> {
    let mut db = app.db.acquire().await?;
    let drilled = newest::last_drill(&mut db, c.id).await?;
    let policy = Policy::stored(&c.backup_freq);
    Ok(policy.may_be_drilled(c.id, app.config.backups.window, app.clock.now(), drilled))
}

/// Everything the steps of a backup need.
pub(crate) struct BackupContext<'a> {
    pub(crate) row: Backup,
    pub(crate) container: Arc<Container>,
    pub(crate) blueprint: Arc<Blueprint>,
    /// The engine's id of the container, if its server is running.
    pub(crate) running: Option<String>,
    pub(crate) engine: &'static dyn EngineBackup,
    pub(crate) store: &'a Arc<Store>,
    pub(crate) location: String,
    /// Whether fingerprints of the content are computed, which takes as long as the dump: the backup may be used for
    /// the next test restore, or is the last one of its database.
    pub(crate) fingerprints: bool,
    /// Recipients, if it is encrypted.
    pub(crate) seal: Option<Recipients>,
}

impl<'a> BackupContext<'a> {
    pub(crate) async fn of(w: &'a StepContext) -> Result<Self, StepError> {
        let row = row(w).await?;
        let store = store(&w.app, &row)?;
        let container = w.container().await?;
        let engine = engine_backup(container.engine)?;
        let running = find(&w.app, &container).await?.filter(|f| f.running).map(|f| f.id);
        if let (Some(id), Some(digest)) = (&running, &container.image_digest) {
            let tools = tools_in(&w.app, container.engine, digest, id).await?.unwrap_or_default();
            let missing = tools.missing(engine.tools());
            if !missing.is_empty() {
                return Err(StepError::Fail(format!(
                    "The image {} lacks {}, which backups need.",
                    container.image,
                    missing.join(" or ")
                )));
            }
        }
        let blueprint = w.blueprint().await?;
        let location = location(&w.app, container.id, row.id);
        let fingerprints =
            matches!(row.reason.as_str(), "final" | "upgrade") || may_be_drilled(&w.app, &container).await?;
        let seal = Recipients::of(&w.app.config.backups);
        Ok(Self { row, container, blueprint, running, engine, store, location, fingerprints, seal })
    }

    /// The container whose running server is dumped; `None` if a copy is dumped.
    pub(crate) fn live(&self) -> Option<&str> {
        self.running.as_deref().filter(|_| self.engine.dump_mode() == DumpMode::Running)
    }

    /// The sealed container on a copy of the data.
    pub(crate) async fn sealed(&self, app: &'a App) -> Result<SealedServer, StepError> {
        let of = BackupSubject::new(&self.container, "");
        SealedServer::of(app, &of, self.row.id, AdminPassword::There(self.blueprint.admin_password())).await
    }

    pub(crate) fn key(&self, file: &str) -> String {
        object_keys::file(&self.location, file)
    }

    pub(crate) fn plan(&self) -> ServerSpec<'_> {
        self.blueprint.plan()
    }

    /// The manifest as far as it is known before the dump.
    pub(crate) fn draft(&self, app: &App, inventory: &Inventory) -> Result<Manifest, StepError> {
        let config = crate::catalog::config_files(&app.config.catalog, self.container.engine)
            .map_err(|e| StepError::Fail(format!("Cannot read the configuration files: {e:#}.")))?;
        Ok(Manifest {
            schema: if self.seal.is_some() { manifest::SCHEMA } else { manifest::PLAIN_SCHEMA },
            backup: self.row.id,
            instance: app.config.instance.to_string(),
            started_at: self.row.started_at,
            finished_at: self.row.started_at,
            source: manifest::RUNNING.to_owned(),
            container: BackupSubject::new(&self.container, &inventory.version),
            databases: inventory.databases.clone(),
            admin_password: None,
            sealed_admin_password: None,
            encryption: self.seal.as_ref().map(|s| Encryption { method: AGE.to_owned(), recipients: s.recipients() }),
            objects: Vec::new(),
            counts: Vec::new(),
            definitions: Vec::new(),
            exact_counts: self.engine.exact_counts(),
            fingerprints: self.fingerprints,
            facts: inventory.facts.clone(),
            config: config.into_iter().collect::<BTreeMap<_, _>>(),
            notes: Vec::new(),
            wanted: None,
        })
    }
}

/// The container that is dumped: the database's own, or one on a copy.
pub(crate) struct DumpSource<'a> {
    /// The engine's id.
    pub(crate) id: &'a str,
    /// Input for the engine's description.
    pub(crate) plan: ServerSpec<'a>,
}
