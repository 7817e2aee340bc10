//! What the pages of templates share.

use axum::response::Response;

use crate::admin_db::templates::Template;
use crate::admin_db::templates::versions::{TemplateVersion, VersionStatus};
use crate::domain::short_reason;
use crate::queue::refusal::RequestError;
use crate::web::access::template_access::requested;
use crate::web::context::{Context, to};
use crate::web::error::AppError;
use crate::web::forms::create::Faults;
use crate::web::urls;
use crate::web::views::{Chip, Flash};

/// The page of a new template, whose import is requested.
pub(super) async fn imported(ctx: &Context, t: &Template) -> Result<Response, AppError> {
    let flash = match requested(ctx, t).await? {
        Ok(_) => None,
        Err(e) => Some(Flash::warn(refusal(ctx, "template.refresh", e).await?)),
    };
    Ok(to(&urls::template(&t.name), flash))
}

/// Why a request was refused, for the page it was sent from.
pub(super) async fn refusal(ctx: &Context, action: &str, e: RequestError) -> Result<String, AppError> {
    match ctx.refused(action, None, e).await {
        AppError::Conflict(why) => Ok(why),
        e => Err(e),
    }
}

/// The state of a version, or of a template by its latest version.
pub(super) fn chip(version: Option<&TemplateVersion>) -> Chip {
    match version.map(TemplateVersion::status) {
        Some(VersionStatus::Importing) => Chip::new("busy", "importing"),
        Some(VersionStatus::Failed) => Chip::new("fail", "import failed"),
        Some(VersionStatus::Complete) => Chip::new("run", "complete"),
        Some(VersionStatus::Removed) => Chip::new("gone", "removed"),
        None => Chip::new("gone", "empty"),
    }
}

/// What a version contains, or why there is none.
pub(super) fn content(v: &TemplateVersion) -> String {
    match (&v.report, v.failed_at, &v.error) {
        (_, Some(_), Some(why)) => short_reason::line(why),
        (Some(report), ..) => report.content(),
        _ => String::new(),
    }
}

pub(super) fn error_of(faults: &Faults, name: &str) -> Option<String> {
    faults.iter().find(|(field, _)| field == name).map(|(_, why)| why.clone())
}
