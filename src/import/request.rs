//! What a request for a database out of a dump writes.

use std::sync::Arc;

use uuid::Uuid;

use crate::admin_db::dumps;
use crate::admin_db::dumps::{DumpRow, NewDump};
use crate::admin_db::log::Actor;
use crate::app::App;
use crate::domain::engine::EngineKind;
use crate::domain::job_kind::JobKind;
use crate::engine::part::DumpMode;
use crate::import::choice::{DumpSelection, choose};
use crate::import::load::LOAD;
use crate::import::load_stopped::LOAD_STOPPED;
use crate::import::staging::Staging;
use crate::manifest::dump::Dump;
use crate::provision::request;
use crate::provision::request::{CreateRequest, Created};
use crate::queue::flow::Flow;
use crate::queue::refusal::RequestError;

/// A dump that was received and recognised.
pub struct ReceivedDump {
    /// Its file, where it has just been received; it goes unless it is kept.
    staging: Option<Staging>,
    id: Uuid,
    account: Uuid,
    tier: String,
    bytes: i64,
    /// What it is.
    pub dump: Arc<Dump>,
    /// What is wanted of it.
    pub wanted: DumpSelection,
    /// What its sender calls it.
    pub name: String,
}

impl ReceivedDump {
    /// What has just been received.
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

    /// What was received before and lies there since.
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

    /// Notes what is wanted of it.
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

    /// Keeps the file while its sender is asked something; answers what stands for it.
    pub async fn ask(self, app: &App) -> Result<Uuid, sqlx::Error> {
        let mut db = app.db.acquire().await?;
        dumps::insert(&mut db, &self.row(None), app.clock.now()).await?;
        if let Some(staging) = self.staging {
            staging.keep();
        }
        Ok(self.id)
    }
}

/// Writes everything for a new container and its dump in one transaction. A file that has just been received is removed
/// if that fails.
///
/// # Errors
/// [`RequestError`], with nothing written.
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

/// The flow that loads dumps of an engine.
pub fn load_flow(engine: EngineKind) -> &'static Flow {
    if is_loaded_stopped(engine) { &LOAD_STOPPED } else { &LOAD }
}

/// Whether an engine's dumps are loaded before its server starts.
pub fn is_loaded_stopped(engine: EngineKind) -> bool {
    engine.engine().backup().is_some_and(|b| b.load_mode() == DumpMode::Stopped)
}
