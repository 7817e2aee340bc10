//! Reads the field `ttl`, when a database expires, and describes it for forms.

use chrono::{DateTime, SubsecRound, Utc};

use crate::admin_db::containers::Container;
use crate::domain::engine::EngineKind;
use crate::domain::ttl::{Ttl, TtlLimits};
use crate::domain::user::{Role, User};
use crate::provision::lifetime;
use crate::web::context::Context;
use crate::web::forms::Fields;
use crate::web::views::Field;

/// The name of the field.
pub const TTL: &str = "ttl";

/// What the site allows the signed-in user.
fn limits(ctx: &Context, engine: EngineKind) -> TtlLimits {
    let role = ctx.user().map_or(Role::User, |user: &User| user.role);
    lifetime::limits(ctx.app(), role, engine)
}

/// The expiry of a database that is created, cloned or extended: the default if the field was not sent.
///
/// # Errors
/// Why it is not a usable time to live.
pub fn end(ctx: &Context, engine: EngineKind, fields: &Fields) -> Result<Option<DateTime<Utc>>, String> {
    let limits = limits(ctx, engine);
    let zone = ctx.app().config.backups.window.zone;
    let ttl = if fields.has(TTL) { Ttl::parse(fields.text(TTL), zone) } else { Ok(limits.usual()) };
    ttl.and_then(|ttl| ttl.end_within(limits, ctx.now())).map_err(|e| e.to_string())
}

/// The changed expiry of a database; `None` if it stays as it is. The current expiry remains valid even if it has passed, or
/// an administrator has since lowered the limits.
///
/// # Errors
/// Why it is not a usable time to live.
pub fn changed_end(
    ctx: &Context,
    engine: EngineKind,
    present: Option<DateTime<Utc>>,
    fields: &Fields,
) -> Result<Option<Option<DateTime<Utc>>>, String> {
    let zone = ctx.app().config.backups.window.zone;
    let text = fields.text(TTL).trim();
    let same = match Ttl::parse(text, zone) {
        Ok(Ttl::Forever) => present.is_none(),
        // The text of the form leaves out the seconds.
        Ok(Ttl::Until(at)) => present.map(|at| at.trunc_subsecs(0)) == Some(at) || text == self::present(present),
        Ok(Ttl::Lasting(_)) | Err(_) => false,
    };
    if same { Ok(None) } else { end(ctx, engine, fields).map(Some) }
}

/// The suggestion in a new form: the default time to live.
pub fn suggestion(ctx: &Context, engine: EngineKind) -> String {
    limits(ctx, engine).suggestion()
}

/// The current expiry, as a form shows and reads it.
pub fn present(end: Option<DateTime<Utc>>) -> String {
    end.map_or_else(String::new, |at| at.format("%Y-%m-%d %H:%M UTC").to_string())
}

/// The field for a new database, which moves to the trash when it expires.
pub fn field(ctx: &Context, engine: EngineKind, value: impl Into<String>, error: Option<String>) -> Field {
    described(ctx, engine, true).value(value).error(error)
}

/// The field for an existing database.
pub fn field_of(ctx: &Context, c: &Container, value: impl Into<String>, error: Option<String>) -> Field {
    described(ctx, c.engine, c.goes_to_trash()).value(value).error(error)
}

fn described(ctx: &Context, engine: EngineKind, goes_to_trash: bool) -> Field {
    let most = match limits(ctx, engine).longest {
        Some(longest) => format!("At most {longest} from now."),
        None => "If you leave it empty, the database does not expire.".to_owned(),
    };
    let then = match goes_to_trash {
        true => "The database then moves to the trash.",
        false => "The database is then deleted permanently; there is no trash for it.",
    };
    let zone = ctx.app().config.backups.window.zone;
    Field::text(TTL, "Expires")
        .help(format!("A time from now such as 8h, 7d or 2w, or a date such as 2027-01-31 ({zone}). {then} {most}"))
}
