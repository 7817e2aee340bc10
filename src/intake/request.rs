//! What a request for a database out of a dump writes.

use super::format::Dump;
use super::load::{LOAD, is_loaded_stopped};
use super::load_stopped::LOAD_STOPPED;
use super::staging::Staging;
use crate::admin_db::dumps::{self, NewDump};
use crate::admin_db::log::Actor;
use crate::app::App;
use crate::provision::request::{self, CreateRequest, Created, RequestError};

/// A dump that was received and recognised.
pub struct Received {
    /// Its file.
    pub staging: Staging,
    /// What it is.
    pub dump: Dump,
    /// Which database of it is wanted, where it has names.
    pub source: Option<String>,
    /// What its sender calls it.
    pub name: String,
}

/// Writes everything for a new container and its dump in one transaction. The file is removed if that fails.
///
/// # Errors
/// [`RequestError`], with nothing written.
pub async fn from_dump(
    app: &App,
    request: &CreateRequest<'_>,
    received: Received,
    actor: &Actor,
) -> Result<Created, RequestError> {
    let Received { staging, dump, source, name } = received;
    let flow = if is_loaded_stopped(request.image.engine) { &LOAD_STOPPED } else { &LOAD };
    let mut tx = app.db.begin().await?;
    let made = request::make_in(app, &mut tx, request, actor, flow, None).await?;
    let new = NewDump {
        id: staging.id,
        container: made.id,
        tier: &staging.tier,
        name: &name,
        dump: &dump,
        source: source.as_deref(),
        bytes: i64::try_from(staging.bytes).unwrap_or(i64::MAX),
    };
    dumps::insert(&mut tx, &new, app.clock.now()).await?;
    tx.commit().await?;
    staging.keep();
    app.wake.notify_one();
    Ok(made)
}
