//! `/api/v1/catalog`: the available engines and images.

use axum::http::StatusCode;
use axum::response::Response;
use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use super::json::answer;
use super::params::Params;
use crate::admin_db::containers::usage;
use crate::catalog::CatalogImage;
use crate::config::Tier;
use crate::domain::copy_method::CopyMethod;
use crate::domain::engine::EngineKind;
use crate::storage::unavailable_reason;
use crate::web::context::Context;
use crate::web::error::AppError;

#[derive(Serialize, ToSchema)]
#[schema(as = Catalog)]
pub(crate) struct CatalogJson<'a> {
    /// Engines with their images.
    engines: Vec<EngineJson<'a>>,
    /// Storage tiers that you may use.
    storage: Vec<TierJson<'a>>,
    /// Limits of a database.
    limits: LimitsJson,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Engine)]
pub(crate) struct EngineJson<'a> {
    /// Its name in requests.
    #[schema(value_type = String)]
    engine: EngineKind,
    /// Its name for people.
    label: &'static str,
    /// Its images; the first is the default.
    images: Vec<ImageJson<'a>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Image)]
pub(crate) struct ImageJson<'a> {
    /// Engine.
    #[schema(value_type = String)]
    engine: EngineKind,
    /// Reference.
    image: &'a str,
    /// Version.
    version: &'a str,
    /// Name for people.
    label: &'a str,
    /// Notes.
    notes: &'a str,
    /// Last day of support by its makers.
    end_of_life: Option<NaiveDate>,
    /// Whether it can be used now.
    available: bool,
    /// Why not.
    reason: Option<String>,
    /// Whether it is the default of its engine.
    default: bool,
    /// Minimum memory limit in bytes.
    memory_min: i64,
}

#[derive(Serialize, ToSchema)]
#[schema(as = StorageTier)]
pub(crate) struct TierJson<'a> {
    /// Its name in requests.
    name: &'a str,
    /// Its name for people.
    label: &'a str,
    /// Engines it may be used for.
    #[schema(value_type = Vec<String>)]
    engines: Vec<EngineKind>,
    /// Whether it can be used now.
    available: bool,
    /// Why not.
    reason: Option<String>,
    /// How data is copied on it: `subvolume` (snapshots of Btrfs subvolumes), `reflink` (files share blocks) or `plain`; `null` until it
    /// was tried.
    #[schema(value_type = Option<String>)]
    copies: Option<CopyMethod>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Limits)]
pub(crate) struct LimitsJson {
    /// Default memory limit in bytes.
    memory_default: i64,
    /// Maximum memory limit in bytes.
    memory_max: i64,
    /// Default number of cores.
    cpus_default: f64,
    /// Maximum number of cores.
    cpus_max: f64,
    /// Maximum number of databases of one user.
    containers_per_user: i64,
}

/// `GET /api/v1/catalog`
pub async fn show(ctx: Context, params: Params) -> Result<Response, AppError> {
    params.only(&[])?;
    let user = ctx.user()?;
    let app = ctx.app();
    let kinds = app.catalog.engines();
    let engines = kinds.iter().map(|kind| EngineJson {
        engine: *kind,
        label: kind.label(),
        images: app
            .catalog
            .of(*kind)
            .enumerate()
            .map(|(place, i)| image_json(place, i, app.images.get(&i.image).unavailable().map(str::to_owned)))
            .collect(),
    });
    let usable = |tier: &Tier| -> Vec<EngineKind> {
        let allows = |kind: &&EngineKind| tier.allows(user.username.as_str(), user.is_admin(), kind.as_str());
        kinds.iter().filter(allows).copied().collect()
    };
    let tiers = app.config.storage.iter().map(|tier| (tier, usable(tier))).filter(|(_, engines)| !engines.is_empty());
    let mut db = app.db.acquire().await?;
    let measured = usage::list(&mut db).await?;
    drop(db);
    let storage = tiers.map(|(tier, engines)| {
        let copies = measured.iter().find(|u| u.tier == tier.name).map(|u| u.copies);
        tier_json(tier, engines, unavailable_reason(tier), copies)
    });
    let limits = &app.config.limits;
    Ok(answer(
        StatusCode::OK,
        &CatalogJson {
            engines: engines.collect(),
            storage: storage.collect(),
            limits: LimitsJson {
                memory_default: limits.memory_default.0,
                memory_max: limits.memory_max.0,
                cpus_default: f64::from(limits.cpus_default.0) / 1000.0,
                cpus_max: f64::from(limits.cpus_max.0) / 1000.0,
                containers_per_user: limits.containers_per_user,
            },
        },
    ))
}

/// The first image of an engine (`place` 0) is its default.
fn image_json(place: usize, i: &CatalogImage, reason: Option<String>) -> ImageJson<'_> {
    ImageJson {
        engine: i.engine,
        image: &i.image,
        version: &i.version,
        label: &i.label,
        notes: &i.notes,
        end_of_life: i.end_of_life,
        available: reason.is_none(),
        reason,
        default: place == 0,
        memory_min: i.min_memory.0,
    }
}

fn tier_json(
    tier: &Tier,
    engines: Vec<EngineKind>,
    reason: Option<String>,
    copies: Option<CopyMethod>,
) -> TierJson<'_> {
    TierJson { name: &tier.name, label: &tier.label, engines, available: reason.is_none(), reason, copies }
}
