//! Converts the raw fields of the settings form and of the API's PATCH to validated changes.

use crate::admin_db::containers::Container;
use crate::admin_db::people::accounts;
use crate::domain::cpu_set::request::CpuRequest;
use crate::domain::quantity::{ByteSize, MilliCpus};
use crate::domain::user::Action;
use crate::provision::edit::EditRequest;
use crate::web::context::Context;
use crate::web::error::AppError;
use crate::web::forms::create::{Faults, cpus, line, memory, policy, policy_text};
use crate::web::forms::{Fields, cores, ttl};

/// Fields that can be changed.
pub const FIELDS: &[&str] =
    &["contact", "department", "description", "owner", "backup_freq", "memory", "cpus", "cpuset", ttl::TTL];

/// The lowest memory limit it may be given: what its image needs, or its current limit if that is lower.
pub fn least_memory(ctx: &Context, c: &Container) -> ByteSize {
    ctx.app().catalog.find(&c.image).map_or(ByteSize(1), |i| i.min_memory).min(ByteSize(c.memory_bytes))
}

/// Reads changes and returns all errors at once, including `faults`. Fields that were not sent keep their values.
///
/// # Errors
/// [`AppError::Invalid`] with all errors; [`AppError::Forbidden`] if the user may not change the owner.
pub async fn read(ctx: &Context, c: &Container, fields: &Fields, faults: Faults) -> Result<EditRequest, AppError> {
    let mut found = Faults::new();
    let mut changes = EditRequest::default();
    for (name, most, slot) in [
        ("contact", 200, &mut changes.contact),
        ("department", 200, &mut changes.department),
        ("description", 500, &mut changes.description),
    ] {
        if fields.has(name) {
            *slot = take(&mut found, name, line(fields.text(name), most));
        }
    }
    let limits = &ctx.app().config.limits;
    // Current values remain valid even if an administrator has since lowered the limits.
    let (has, share) = (ByteSize(c.memory_bytes), MilliCpus(c.millicpus));
    if fields.has("memory") {
        let wanted = memory(fields.text("memory"), has, least_memory(ctx, c), limits.memory_max.max(has));
        changes.memory = take(&mut found, "memory", wanted);
    }
    if fields.has("backup_freq") {
        let (field, text) = policy_text(fields);
        changes.backup_freq = take(&mut found, field, policy(field, text));
    }
    if fields.has("cpus") {
        changes.cpus = take(&mut found, "cpus", cpus(fields.text("cpus"), share, limits.cpus_max.max(share)));
    }
    if fields.has(cores::FIELD) {
        let current = CpuRequest::stored(c.cpuset.as_deref());
        changes.cores = take(&mut found, cores::FIELD, cores::read(ctx.app(), fields, Some(&current)).await);
    }
    if fields.has(ttl::TTL) {
        let end = ttl::changed_end(ctx, c.engine, c.expires_at, fields);
        changes.expires_at = take(&mut found, ttl::TTL, end).flatten();
    }
    let wanted = fields.text("owner");
    if !wanted.is_empty() && wanted != c.owner {
        ctx.container(&c.name, Action::ChangeOwner).await?;
        let mut db = ctx.app().db.acquire().await?;
        let account = accounts::by_name(&mut db, wanted).await?;
        let owner = account.filter(|a| a.disabled_at.is_none()).and_then(|a| a.user());
        changes.owner = take(&mut found, "owner", owner.ok_or_else(|| format!("There is no account “{wanted}”.")));
    }
    found.extend(faults);
    if found.is_empty() { Ok(changes) } else { Err(AppError::Invalid(found)) }
}

fn take<T>(faults: &mut Faults, name: &str, read: Result<T, String>) -> Option<T> {
    read.map_err(|rule| faults.push((name.to_owned(), rule))).ok()
}
