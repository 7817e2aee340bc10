//! `/api/v1/catalog`: the available engines and images.

use axum::http::StatusCode;
use axum::response::Response;
use chrono::NaiveDate;
use serde::Serialize;

use super::json::answer;
use super::params::Params;
use crate::catalog::CatalogImage;
use crate::config::Tier;
use crate::domain::engine::EngineKind;
use crate::storage::unavailable_reason;
use crate::web::context::Context;
use crate::web::error::AppError;

#[derive(Serialize)]
struct CatalogJson<'a> {
    engines: Vec<EngineJson<'a>>,
    storage: Vec<TierJson<'a>>,
    limits: LimitsJson,
}

#[derive(Serialize)]
struct EngineJson<'a> {
    engine: EngineKind,
    label: &'static str,
    images: Vec<ImageJson<'a>>,
}

#[derive(Serialize)]
struct ImageJson<'a> {
    engine: EngineKind,
    image: &'a str,
    version: &'a str,
    label: &'a str,
    notes: &'a str,
    end_of_life: Option<NaiveDate>,
    available: bool,
    reason: Option<String>,
    default: bool,
    memory_min: i64,
}

#[derive(Serialize)]
struct TierJson<'a> {
    name: &'a str,
    label: &'a str,
    engines: Vec<EngineKind>,
    available: bool,
    reason: Option<String>,
}

#[derive(Serialize)]
struct LimitsJson {
    memory_default: i64,
    memory_max: i64,
    cpus_default: f64,
    cpus_max: f64,
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
    let storage = tiers.map(|(tier, engines)| tier_json(tier, engines, unavailable_reason(tier)));
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

fn tier_json(tier: &Tier, engines: Vec<EngineKind>, reason: Option<String>) -> TierJson<'_> {
    TierJson { name: &tier.name, label: &tier.label, engines, available: reason.is_none(), reason }
}
