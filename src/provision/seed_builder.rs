//! Makes missing seeds, one at a time, and removes those that no new database would use.

use chrono::Duration;
use secrecy::SecretString;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::admin_db::log::Actor;
use crate::admin_db::seeds::Seed;
use crate::admin_db::{new_id, seeds};
use crate::app::App;
use crate::catalog::CatalogImage;
use crate::config::Tier;
use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::{Cancel, JobRules, Pool};
use crate::domain::password::Password;
use crate::domain::quantity::GIB;
use crate::provision::sealed_server::SealedServer;
use crate::provision::seed::{fingerprint, seal};
use crate::queue::context::StepContext;
use crate::queue::enqueue::enqueue_portal;
use crate::queue::flow::{Flow, Step};
use crate::queue::refusal::RequestError;
use crate::queue::step_error::StepError;
use crate::storage::{DataDir, measured, unavailable_reason};

/// Prepares images.
pub static PREPARE: Flow = Flow {
    kind: JobKind::PrepareImages,
    title: "Prepare images",
    rules: JobRules::of(Pool::Long).cancel(Cancel::Always),
    // A single step: it removes what an earlier attempt has begun before it makes anything.
    steps: &[Step::new("Remove unneeded images, prepare missing ones", |w| Box::pin(work(w)))],
};

/// Minimum free space on a tier for making seeds: they are only an optimisation and must not take a database's last
/// space.
const ROOM: i64 = 2 * GIB;
/// Time after which a seed that could not be made or copied is retried.
const AGAIN: Duration = Duration::hours(6);

/// A seed that should exist.
struct WantedSeed<'a> {
    tier: &'a Tier,
    image: &'a CatalogImage,
    fingerprint: String,
}

/// The seeds that should exist: one of every image on this host, on every tier its engine may use.
fn wanted(app: &App) -> Result<Vec<WantedSeed<'_>>, StepError> {
    if !app.config.databases.prepare {
        return Ok(Vec::new());
    }
    let mut wanted = Vec::new();
    for image in app.catalog.images() {
        let Some(digest) = app.images.digest(&image.image) else { continue };
        let fingerprint = fingerprint(&app.config, image, &digest)?;
        let tiers = app.config.storage.iter().filter(|t| t.allows("", true, image.engine.as_str()));
        let there = tiers.filter(|t| unavailable_reason(t).is_none());
        wanted.extend(there.map(|tier| WantedSeed { tier, image, fingerprint: fingerprint.clone() }));
    }
    Ok(wanted)
}

/// The work to do: seeds to make, and rows whose directories are to be removed.
struct SeedWork<'a> {
    make: Vec<WantedSeed<'a>>,
    clear: Vec<Seed>,
}

async fn due(app: &App) -> Result<SeedWork<'_>, StepError> {
    let mut db = app.db.acquire().await?;
    let rows = seeds::all(&mut db).await?;
    drop(db);
    let mut make = wanted(app)?;
    let retry = app.clock.now() - AGAIN;
    let mut clear = Vec::new();
    for seed in rows {
        let settled = seed.made_at.is_some() || (seed.failed.is_some() && seed.begun_at > retry);
        let place = make.iter().position(|w| w.tier.name == seed.tier && w.fingerprint == seed.fingerprint);
        match place {
            Some(n) if settled => drop(make.swap_remove(n)),
            // While the container engine is unavailable, images are unknown. That is no reason to remove their seeds.
            None if settled && app.config.databases.prepare && unknown(app, &seed.image) => {}
            _ => clear.push(seed),
        }
    }
    Ok(SeedWork { make, clear })
}

/// Whether an image of the catalog has not been found on this host.
fn unknown(app: &App, image: &str) -> bool {
    app.images.digest(image).is_none() && app.catalog.find(image).is_some()
}

/// Enqueues the work, if there is any.
pub async fn enqueue_if_due(app: &App) -> anyhow::Result<Value> {
    let due = due(app).await?;
    if due.make.is_empty() && due.clear.is_empty() {
        return Ok(json!({ "to_make": 0 }));
    }
    match enqueue_portal(app, &PREPARE, &Actor::portal("seeds")).await {
        Ok(_) | Err(RequestError::Busy) => Ok(json!({ "to_make": due.make.len(), "to_remove": due.clear.len() })),
        Err(e) => Err(e.into()),
    }
}

/// Removes the directory of a seed, then its row. While its tier is unavailable, both stay.
async fn remove(app: &App, seed: &Seed) -> Result<(), StepError> {
    let tier = app.config.tier(&seed.tier).filter(|t| unavailable_reason(t).is_none());
    let Some(tier) = tier else { return Ok(()) };
    app.runtime.remove(&crate::provision::sealed_server::name(app, seed.id)).await?;
    let dir = DataDir::new(tier, &app.config.instance, seed.id);
    app.files.remove(&dir, &app.config.image_reference(&seed.image)).await?;
    let mut db = app.db.acquire().await?;
    Ok(seeds::delete(&mut db, seed.id).await?)
}

async fn work(w: &StepContext) -> Result<(), StepError> {
    let app = &w.app;
    let due = due(app).await?;
    for seed in &due.clear {
        remove(app, seed).await?;
    }
    let (mut made, mut failed) = (0, 0);
    for wanted in due.make {
        let label = format!("{} on “{}”", wanted.image.label, wanted.tier.label);
        if measured(wanted.tier.path.clone()).await?.free < ROOM {
            continue;
        }
        w.progress(&format!("{label}: {made} made")).await;
        match make_one(app, &wanted).await {
            Ok(()) => made += 1,
            Err(e) if e.may_pass() => return Err(e),
            Err(e) => {
                tracing::warn!(image = wanted.image.image, tier = wanted.tier.name, "Could not prepare an image: {e}");
                failed += 1;
            }
        }
    }
    let failed = if failed == 0 {
        String::new()
    } else {
        format!(
            ", {failed} failed; see the portal's log for the \
                                                                  reason"
        )
    };
    w.progress(&format!("{made} made{failed}")).await;
    Ok(())
}

/// Lets an image initialise a directory in a sealed container and stops its server cleanly.
async fn make_one(app: &App, wanted: &WantedSeed<'_>) -> Result<(), StepError> {
    let (id, password) = (new_id(), Password::generate(&app.random));
    let row = row(app, wanted, id, password.secret())?;
    let mut db = app.db.acquire().await?;
    seeds::insert(&mut db, &row).await?;
    drop(db);
    let sealed = SealedServer::of_seed(app, wanted.image, wanted.tier, id, password.secret().clone())?;
    let done = async {
        sealed.start_seed(app).await?;
        sealed.stop(app).await?;
        Ok::<_, StepError>(app.files.sync(&sealed.blueprint.dir).await?)
    };
    let result = done.await;
    if result.is_err() {
        sealed.remove(app).await?;
    }
    let mut db = app.db.acquire().await?;
    match &result {
        Ok(()) => seeds::made(&mut db, id, app.clock.now()).await?,
        // The next attempt removes it and starts over.
        Err(e) if e.may_pass() => {}
        Err(e) => seeds::fail(&mut db, id, &e.to_string()).await?,
    }
    result
}

/// The row of a seed about to be made.
fn row(app: &App, wanted: &WantedSeed<'_>, id: Uuid, password: &SecretString) -> Result<Seed, StepError> {
    Ok(Seed {
        id,
        tier: wanted.tier.name.clone(),
        image: wanted.image.image.clone(),
        fingerprint: wanted.fingerprint.clone(),
        sealed: seal(app, password, &Seed::context(id))?,
        begun_at: app.clock.now(),
        made_at: None,
        failed: None,
    })
}
