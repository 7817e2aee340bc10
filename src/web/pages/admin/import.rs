//! `/admin/backups/find`: lists unregistered backups in a bucket and registers them.

use std::time::Duration;

use axum::extract::Query;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::admin_db::log::Outcome;
use crate::backup::sign::{AcceptedSigners, Provenance};
use crate::backup::unregistered;
use crate::backup::unregistered::{BucketSearch, ImportOptions, ImportRefusal, LOCK_DAYS, UnregisteredBackup};
use crate::objects::Store;
use crate::web::context::{Context, page, to};
use crate::web::error::AppError;
use crate::web::forms::Fields;
use crate::web::pages::admin::lists::address;
use crate::web::urls;
use crate::web::views::admin::backups::{FindPage, FoundRow};
use crate::web::views::{ActionButton, Flash, Link, Moment, Size};

/// Maximum number of backups on the page.
const MOST: usize = 100;
/// Timeout for listing the bucket.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where to search.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct FindQuery {
    /// Target; the default one if empty.
    pub target: String,
    /// Portal whose backups to list; this one if empty.
    pub instance: String,
}

fn store<'a>(ctx: &'a Context, name: &str) -> Result<&'a Store, AppError> {
    let stores = &ctx.app().stores;
    let found = if name.is_empty() { stores.first() } else { stores.get(name) };
    found.map(AsRef::as_ref).ok_or(AppError::NotFound)
}

/// `GET /admin/backups/find?target=NAME`
pub async fn show(ctx: Context, Query(query): Query<FindQuery>) -> Result<Response, AppError> {
    let store = store(&ctx, &query.target)?;
    let own = ctx.app().config.instance.to_string();
    let instance = if query.instance.is_empty() { own.clone() } else { query.instance.clone() };
    let looked = tokio::time::timeout(PATIENCE, look(&ctx, store, &instance)).await;
    let (instances, look, trouble) = match looked {
        Ok(Ok((instances, look))) => (instances, look, None),
        Ok(Err(ImportRefusal::Db(e))) => return Err(e.into()),
        Ok(Err(e)) => (Vec::new(), BucketSearch::default(), Some(e.to_string())),
        Err(_) => {
            let why = "This target holds too many objects to search on a page. Use `db4sci backup find` instead.";
            (Vec::new(), BucketSearch::default(), Some(why.to_owned()))
        }
    };
    let link = |name: &String| {
        let label = if *name == own { format!("{name} (this portal)") } else { name.clone() };
        let href = address("/admin/backups/find", &[("target", store.name()), ("instance", name)]);
        Link::new(label, href).current(*name == instance)
    };
    page(&FindPage {
        frame: ctx.frame("admin-backups"),
        target: store.name().to_owned(),
        instances: instances.iter().map(link).collect(),
        rows: look.found.iter().map(|f| row(f, store.name(), ctx.now())).collect(),
        more: look.more,
        instance,
        trouble,
    })
}

async fn look(ctx: &Context, store: &Store, instance: &str) -> Result<(Vec<String>, BucketSearch), ImportRefusal> {
    let instances = unregistered::instances(store).await?;
    let mut db = ctx.app().db.acquire().await?;
    let look = unregistered::unknown(
        &mut db,
        store,
        &[AcceptedSigners::Sealing(ctx.app().sealer.manifests())],
        instance,
        MOST,
    )
    .await?;
    Ok((instances, look))
}

fn row(f: &UnregisteredBackup, target: &str, now: DateTime<Utc>) -> FoundRow {
    let location = f.location.clone();
    match &f.manifest {
        Err(why) => FoundRow { location, trouble: Some(why.clone()), ..FoundRow::default() },
        Ok(m) => FoundRow {
            database: m.container.name.clone(),
            owner: m.container.owner.clone(),
            engine: format!("{} {}", m.container.engine.label(), m.container.version),
            made: Some(Moment::new(m.started_at, now)),
            size: Some(Size::new(m.bytes())),
            import: Some(import_action(f.signed, target, &location)),
            location,
            trouble: f.signed.doubt().map(str::to_owned),
        },
    }
}

/// The button that registers a backup; for a backup not signed by this portal, the administrator must accept that
/// explicitly.
fn import_action(signed: Provenance, target: &str, location: &str) -> ActionButton {
    let import = |label: &'static str| {
        ActionButton::post(label, "/admin/backups/import").with("target", target).with("location", location)
    };
    match signed {
        Provenance::Ours => import("Register"),
        Provenance::Not | Provenance::Otherwise => import("Register without signature").with("unsigned", "on"),
    }
}

/// `POST /admin/backups/import` with `target`, `location`, and `unsigned` for a backup not signed by this portal
pub async fn import(ctx: Context, fields: Fields) -> Result<Response, AppError> {
    let store = store(&ctx, fields.text("target"))?;
    let location = fields.text("location");
    let back = address(
        "/admin/backups/find",
        &[("target", store.name()), ("instance", location.split('/').next().unwrap_or_default())],
    );
    let me = ctx.user()?.id;
    let mut db = ctx.app().db.acquire().await?;
    let actor = ctx.actor();
    let taking = ImportOptions {
        otherwise: me,
        by: &[AcceptedSigners::Sealing(ctx.app().sealer.manifests())],
        unsigned: !fields.text("unsigned").is_empty(),
        actor: &actor,
        now: ctx.now(),
    };
    let done = unregistered::import(&mut db, store, location, &taking).await;
    drop(db);
    match done {
        Ok(id) => Ok(to(
            &urls::admin_backup(id),
            Some(Flash::ok(format!("The backup is complete and now registered. It is locked for {LOCK_DAYS} days."))),
        )),
        Err(ImportRefusal::Db(e)) => Err(e.into()),
        Err(e) => {
            ctx.note("backup.import", Outcome::Refused, &e.to_string()).await?;
            Ok(to(&back, Some(Flash::bad(e.to_string()))))
        }
    }
}
