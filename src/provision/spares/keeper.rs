//! Makes missing spares and removes those that no new database would take.

use std::collections::HashMap;

use chrono::Duration;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{fingerprint, limits};
use crate::admin_db::containers::credentials::CredentialKind;
use crate::admin_db::containers::ports;
use crate::admin_db::containers::ports::PortOwner;
use crate::admin_db::log::Actor;
use crate::admin_db::spares::{Spare, SpareServer};
use crate::admin_db::{image_tools, new_id, spares};
use crate::app::App;
use crate::blueprint::Blueprint;
use crate::catalog::CatalogImage;
use crate::config::{SpareCount, SpareRule, Tier};
use crate::domain::engine::EngineKind;
use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::{Cancel, JobRules, Pool};
use crate::domain::names::container_name;
use crate::domain::password::Password;
use crate::domain::quantity::GIB;
use crate::engine::Tools;
use crate::provision::container;
use crate::provision::exec::run_all;
use crate::provision::readiness::{Patience, describe, until_answers};
use crate::provision::{data_directory, seed};
use crate::queue::context::StepContext;
use crate::queue::enqueue::enqueue_portal;
use crate::queue::flow::{Flow, Step};
use crate::queue::refusal::RequestError;
use crate::queue::step_error::StepError;
use crate::runtime::RuntimeError;
use crate::runtime::waiting_shell::WaitingShell;
use crate::storage::{DataDir, measured, unavailable_reason};

/// Keeps spares.
pub static KEEP_SPARES: Flow = Flow {
    kind: JobKind::KeepSpares,
    title: "Start servers in advance",
    rules: JobRules::of(Pool::Long).cancel(Cancel::Always),
    // A single step: it removes what an earlier attempt has begun before it makes anything.
    steps: &[Step::new("Remove unneeded servers, start missing ones", |w| Box::pin(work(w)))],
};

/// Minimum free space on a tier for making spares.
const ROOM: i64 = 2 * GIB;
/// Days whose new databases determine the number of spares if it is `auto`.
const DAYS: i64 = 7;
/// Largest number of spares of an image if it is `auto`.
const MOST_AUTO: i64 = 3;
/// How long a failed attempt blocks further ones, so that a broken image is not started all the time.
const AGAIN: Duration = Duration::minutes(10);

/// A spare that should exist.
struct WantedSpare<'a> {
    image: &'a CatalogImage,
    tier: &'a Tier,
    digest: String,
    fingerprint: String,
}

/// The spares that should exist, within the memory for them.
async fn wanted(app: &App) -> Result<Vec<WantedSpare<'_>>, StepError> {
    let databases = &app.config.databases;
    // If each server has its own name, it needs a certificate for a name that is not known in advance.
    if databases.spares.is_empty() || databases.own_names {
        return Ok(Vec::new());
    }
    let Some(tier) = app.config.storage.iter().find(|t| unavailable_reason(t).is_none()) else { return Ok(Vec::new()) };
    let since = app.clock.now() - Duration::days(DAYS);
    let mut db = app.db.acquire().await?;
    let used = spares::created_since(&mut db, since).await?;
    drop(db);
    let (mut wanted, mut memory) = (Vec::new(), 0_i64);
    for rule in &databases.spares {
        let Some(image) = image_of(app, rule) else { continue };
        let Some(digest) = app.images.digest(&image.image) else { continue };
        if !tier.allows("", true, image.engine.as_str()) {
            continue;
        }
        let count = match rule.count {
            SpareCount::Fixed(count) => i64::from(count),
            SpareCount::Auto => {
                let created = used.iter().find(|(name, ..)| *name == image.image).map_or(0, |(_, all, _)| *all);
                ((created + DAYS - 1) / DAYS).min(MOST_AUTO)
            }
        };
        if count == 0 || seed::password_of(app, image, tier, &digest).await?.is_none() {
            // Without a seed, a server would take as long to start as a new database.
            continue;
        }
        let fingerprint = fingerprint(&app.config, image, &digest)?;
        for _ in 0..count {
            memory = memory.saturating_add(limits(&app.config, image).0.0);
            if memory > databases.spares_memory.0 {
                return Ok(wanted);
            }
            wanted.push(WantedSpare { image, tier, digest: digest.clone(), fingerprint: fingerprint.clone() });
        }
    }
    Ok(wanted)
}

/// The image of a rule: the first image of an engine that is on this host, or an image of the catalog.
fn image_of<'a>(app: &'a App, rule: &SpareRule) -> Option<&'a CatalogImage> {
    match EngineKind::parse(&rule.image) {
        Some(engine) => app.catalog.of(engine).find(|image| app.images.digest(&image.image).is_some()),
        None => app.catalog.find(&rule.image),
    }
}

/// The work to do: spares to make, and rows to remove.
struct SpareWork<'a> {
    make: Vec<WantedSpare<'a>>,
    clear: Vec<Spare>,
}

async fn due(app: &App, at_work: bool) -> Result<SpareWork<'_>, StepError> {
    let mut make = wanted(app).await?;
    let mut db = app.db.acquire().await?;
    let rows = spares::all(&mut db).await?;
    drop(db);
    if make.is_empty() && rows.is_empty() {
        return Ok(SpareWork { make, clear: Vec::new() });
    }
    let observed = app.runtime.list(&app.config.instance).await?;
    let status: HashMap<&str, &str> = observed.iter().map(|o| (o.name.as_str(), o.status.as_str())).collect();
    let mut clear = Vec::new();
    for spare in rows {
        let place = make.iter().position(|w| fits(app, w, &spare));
        let paused = status.get(spare.docker_name.as_str()) == Some(&"paused");
        match place {
            Some(n) if spare.made_at.is_some() && paused => drop(make.swap_remove(n)),
            // Just failed: its row stays for some time, so that it is not tried again at once.
            Some(n) if !at_work && spare.made_at.is_none() && spare.begun_at > app.clock.now() - AGAIN => {
                drop(make.swap_remove(n));
            }
            _ => clear.push(spare),
        }
    }
    Ok(SpareWork { make, clear })
}

fn fits(app: &App, wanted: &WantedSpare<'_>, spare: &Spare) -> bool {
    let (memory, cpus) = limits(&app.config, wanted.image);
    (&wanted.image.image, &wanted.tier.name, &wanted.digest, &wanted.fingerprint)
        == (&spare.image, &spare.tier, &spare.digest, &spare.fingerprint)
        && (memory.0, cpus.0) == (spare.memory_bytes, spare.millicpus)
}

/// Enqueues the work, if there is any.
pub async fn enqueue_if_due(app: &App) -> anyhow::Result<Value> {
    let due = due(app, false).await?;
    if due.make.is_empty() && due.clear.is_empty() {
        return Ok(json!({ "to_make": 0 }));
    }
    match enqueue_portal(app, &KEEP_SPARES, &Actor::portal("spares")).await {
        Ok(_) | Err(RequestError::Busy) => Ok(json!({ "to_make": due.make.len(), "to_remove": due.clear.len() })),
        Err(e) => Err(e.into()),
    }
}

async fn work(w: &StepContext) -> Result<(), StepError> {
    let app = &w.app;
    let due = due(app, true).await?;
    for spare in &due.clear {
        remove(app, spare).await?;
    }
    let mut made = 0;
    for wanted in due.make {
        if measured(wanted.tier.path.clone()).await?.free < ROOM {
            continue;
        }
        w.progress(&format!("{}: {made} made", wanted.image.label)).await;
        match make(app, &wanted).await {
            Ok(true) => made += 1,
            // The image is not prepared yet.
            Ok(false) => {}
            Err(e) if e.may_pass() => return Err(e),
            Err(e) => tracing::warn!(image = wanted.image.image, "Could not start a server in advance: {e}"),
        }
    }
    w.progress(&format!("{made} made")).await;
    Ok(())
}

/// Removes a spare, unless a new database has taken it: its container, its directory and its row.
async fn remove(app: &App, spare: &Spare) -> Result<(), StepError> {
    let mut db = app.db.acquire().await?;
    if !spares::withdraw(&mut db, spare.id).await? {
        return Ok(());
    }
    drop(db);
    let Some(tier) = app.config.tier(&spare.tier).filter(|t| unavailable_reason(t).is_none()) else { return Ok(()) };
    if let Some(id) = &spare.docker_id {
        drop(app.shells.take(id));
    }
    app.runtime.remove(&spare.docker_name).await?;
    let dir = DataDir::new(tier, &app.config.instance, spare.id);
    app.files.remove(&dir, &app.config.image_reference(&spare.image)).await?;
    let mut tx = app.db.begin().await?;
    spares::delete(&mut tx, spare.id).await?;
    Ok(tx.commit().await?)
}

/// Starts a server on a copy of a seed and pauses it. `false` if there is no seed.
async fn make(app: &App, wanted: &WantedSpare<'_>) -> Result<bool, StepError> {
    let Some(password) = seed::password_of(app, wanted.image, wanted.tier, &wanted.digest).await? else {
        return Ok(false);
    };
    let (spare, admin) = row(app, wanted, &password)?;
    let mut tx = app.db.begin().await?;
    spares::insert(&mut tx, &spare).await?;
    for port in wanted.image.engine.engine().ports() {
        let range = &app.config.databases.ports;
        let taken = ports::take(&mut tx, range, PortOwner::Spare(spare.id), port.purpose, spare.begun_at).await?;
        if taken.is_none() {
            return Ok(false);
        }
    }
    let published = spares::ports(&mut tx, spare.id).await?;
    let tools = image_tools::get(&mut tx, &wanted.digest).await?.unwrap_or_default();
    tx.commit().await?;
    let b = blueprint(app, wanted, &spare, (admin, password), &published, tools)?;
    let done = start(app, &b, &spare).await;
    match &done {
        Ok(server) => {
            let mut db = app.db.acquire().await?;
            spares::made(&mut db, spare.id, server, app.clock.now()).await?;
        }
        // The row stays, so that the next attempt waits.
        Err(_) => {
            app.runtime.remove(&spare.docker_name).await?;
            app.files.remove(&b.dir, &b.reference).await?;
        }
    }
    done.map(|_| true)
}

/// The row of a spare about to be made, and its administrator's own password.
fn row(app: &App, wanted: &WantedSpare<'_>, seed: &SecretString) -> Result<(Spare, SecretString), StepError> {
    let id = new_id();
    let admin = Password::generate(&app.random).secret().clone();
    let (memory, cpus) = limits(&app.config, wanted.image);
    let spare = Spare {
        id,
        image: wanted.image.image.clone(),
        tier: wanted.tier.name.clone(),
        digest: wanted.digest.clone(),
        fingerprint: wanted.fingerprint.clone(),
        memory_bytes: memory.0,
        millicpus: cpus.0,
        docker_name: container_name(&app.config.instance, id),
        docker_id: None,
        admin_sealed: seed::seal(app, &admin, &CredentialKind::Admin.context(id))?,
        seed_sealed: seed::seal(app, seed, &CredentialKind::Seed.context(id))?,
        begun_at: app.clock.now(),
        made_at: None,
        memory_used: None,
        version: None,
    };
    Ok((spare, admin))
}

fn blueprint(
    app: &App,
    wanted: &WantedSpare<'_>,
    spare: &Spare,
    (admin, seed): (SecretString, SecretString),
    ports: &[(String, u16)],
    tools: Tools,
) -> Result<Blueprint, StepError> {
    let b = Blueprint::of_seed(&app.config, wanted.image, wanted.tier, spare.id, admin)?;
    let limits = limits(&app.config, wanted.image);
    Ok(b.of_spare(&app.config, seed, ports.to_vec(), limits, tools))
}

/// Starts the server, waits until it responds and pauses it.
async fn start(app: &App, b: &Blueprint, spare: &Spare) -> Result<SpareServer, StepError> {
    if seed::copy_into(app, b).await?.is_none() {
        return Err(StepError::Fail("There is no prepared data to start with.".to_owned()));
    }
    data_directory::prepare(app, b).await?;
    let id = container::create(app, b, &spare.docker_name).await?;
    app.runtime.start(&id).await.map_err(|e| match e {
        RuntimeError::PortTaken { port } => StepError::Fail(format!("Port {port} is in use by another program.")),
        e => e.into(),
    })?;
    let engine = b.image.engine.engine();
    let patience = Patience::new(app, app.config.databases.create_timeout);
    let version = match until_answers(app, &id, &engine.probe(&b.plan()), patience).await? {
        Ok(version) => version,
        Err(silent) => return Err(StepError::Fail(describe(app, &id, silent, patience).await)),
    };
    run_all(app, &id, &engine.warm_up(&b.plan())).await?;
    // The shell of a user like the one that will set up the accounts.
    let user = engine.probe(&b.plan()).user;
    match WaitingShell::open(app.runtime.as_ref(), &id, user).await {
        Ok(shell) => app.shells.keep(&id, shell),
        Err(e) => tracing::debug!("No shell waits in a server started in advance: {e}"),
    }
    app.files.sync(&b.dir).await?;
    app.runtime.pause(&id).await?;
    // Only shown to people. It no longer changes, because a paused server does nothing.
    let memory = app.runtime.stats(&id).await.ok().flatten().map(|stats| stats.memory);
    Ok(SpareServer { docker_id: id, memory, version })
}
