//! Handles requests to create a database from a dump.

use std::sync::Arc;

use uuid::Uuid;

use crate::admin_db::dumps;
use crate::admin_db::dumps::{DumpRow, NewDump};
use crate::admin_db::log::Actor;
use crate::app::App;
use crate::domain::engine::EngineKind;
use crate::domain::job_kind::JobKind;
use crate::engine::part::DumpMode;
use crate::import::load::LOAD;
use crate::import::load_offline::LOAD_STOPPED;
use crate::import::selection::{DumpSelection, choose};
use crate::import::staging::Staging;
use crate::manifest::dump::Dump;
use crate::provision::request;
use crate::provision::request::{CreateRequest, Created};
use crate::queue::flow::Flow;
use crate::queue::refusal::RequestError;

/// A dump that was received and recognised.
pub struct ReceivedDump {
    /// Its file if it was just received; removed unless kept.
    staging: Option<Staging>,
    id: Uuid,
    account: Uuid,
    tier: String,
    bytes: i64,
    /// Its format and content.
    pub dump: Arc<Dump>,
    /// The selected part.
    pub wanted: DumpSelection,
    /// The name of the uploaded file.
    pub name: String,
}

impl ReceivedDump {
    /// A dump that was just received.
    pub fn new(staging: Staging, dump: Dump, name: String) -> Self {
        let (id, account, tier) = (staging.id, staging.account(), staging.tier.clone());
        let bytes = i64::try_from(staging.bytes).unwrap_or(i64::MAX);
        Self {
            staging: Some(staging),
            id,
            account,
            tier,
            bytes,
            dump: Arc::new(dump),
            wanted: DumpSelection::Whole,
            name,
        }
    }

    /// A dump that was received earlier and stored.
    pub fn kept(row: &DumpRow, account: Uuid) -> Self {
        Self {
            staging: None,
            id: row.id,
            account,
            tier: row.tier.clone(),
            bytes: row.bytes,
            dump: Arc::new(row.dump()),
            wanted: DumpSelection::Whole,
            name: row.name.clone(),
        }
    }

    /// Selects a part of the dump.
    pub fn choose(&mut self, asked: &str, dbname: &str) -> Result<(), String> {
        self.wanted = choose(&self.dump, asked, dbname).map_err(|question| question.0)?;
        Ok(())
    }

    fn row(&self, container: Option<Uuid>) -> NewDump<'_> {
        NewDump {
            id: self.id,
            account: self.account,
            container,
            tier: &self.tier,
            name: &self.name,
            dump: &self.dump,
            source: match &self.wanted {
                DumpSelection::One(name) => Some(name),
                DumpSelection::Whole | DumpSelection::Every => None,
            },
            everything: self.wanted == DumpSelection::Every,
            bytes: self.bytes,
        }
    }

    /// Keeps the file while the user is asked for a selection. Returns the dump's id.
    pub async fn ask(self, app: &App) -> Result<Uuid, sqlx::Error> {
        let mut db = app.db.acquire().await?;
        dumps::insert(&mut db, &self.row(None), app.clock.now()).await?;
        if let Some(staging) = self.staging {
            staging.keep();
        }
        Ok(self.id)
    }
}

/// Writes everything for a new container and its dump in one transaction. If that fails, a file that was just received
/// is removed.
///
/// # Errors
/// [`RequestError`], in which case nothing is written.
pub async fn from_dump(
    app: &App,
    request: &CreateRequest<'_>,
    received: ReceivedDump,
    actor: &Actor,
) -> Result<Created, RequestError> {
    let flow = load_flow(request.image.engine);
    let mut tx = app.db.begin().await?;
    let made = request::make_in(app, &mut tx, request, actor, flow, None).await?;
    dumps::insert(&mut tx, &received.row(Some(made.id)), app.clock.now()).await?;
    tx.commit().await?;
    if let Some(staging) = received.staging {
        staging.keep();
    }
    app.wake.notify_one();
    Ok(made)
}

/// Whether a job loads a dump.
pub fn is_load(kind: Option<JobKind>) -> bool {
    matches!(kind, Some(JobKind::Load | JobKind::LoadStopped))
}

/// The flow that loads dumps of this engine.
pub fn load_flow(engine: EngineKind) -> &'static Flow {
    if is_loaded_stopped(engine) { &LOAD_STOPPED } else { &LOAD }
}

/// Whether dumps of this engine are loaded before its server starts.
pub fn is_loaded_stopped(engine: EngineKind) -> bool {
    engine.engine().backup().is_some_and(|b| b.load_mode() == DumpMode::Stopped)
}
