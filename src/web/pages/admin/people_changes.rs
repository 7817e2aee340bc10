//! `/admin/users`: changes by administrators to other accounts.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use uuid::Uuid;

use crate::admin_db::log;
use crate::admin_db::log::{LogEntry, Outcome};
use crate::admin_db::people::accounts::Account;
use crate::admin_db::people::{accounts, quotas, sessions};
use crate::auth::access::{KeptAccess, TokenPolicy};
use crate::auth::{access, passwords};
use crate::domain::password::Password;
use crate::domain::quantity::{ByteSize, MilliCpus};
use crate::domain::user::Role;
use crate::web::context::{Context, page_with, to};
use crate::web::error::AppError;
use crate::web::forms::Fields;
use crate::web::forms::create::Faults;
use crate::web::pages::admin::people::{HERE, view};
use crate::web::views::Flash;

/// A change to another account.
enum Change {
    Disable,
    Enable,
    Role(Role),
    Password(String, TokenPolicy),
}

impl Change {
    fn action(&self) -> &'static str {
        match self {
            Self::Disable => "user.disable",
            Self::Enable => "user.enable",
            Self::Role(_) => "user.role",
            Self::Password(..) => "user.password",
        }
    }
}

/// Makes a change and writes its log row in one transaction.
async fn change(ctx: &Context, id: &str, change: Change) -> Result<Account, AppError> {
    let id: Uuid = id.parse().map_err(|_| AppError::NotFound)?;
    let (me, now) = (ctx.user()?.id, ctx.now());
    if id == me {
        ctx.note(change.action(), Outcome::Refused, "their own account").await?;
        let why = "You cannot do this to your own account, so that at least one administrator remains. To change your \
                   password, go to your account page.";
        return Err(AppError::Conflict(why.to_owned()));
    }
    let mut tx = ctx.app().db.begin().await?;
    let locked = accounts::lock(&mut tx, &[me, id]).await?;
    // Two administrators may disable each other at the same time: only the first one is still an administrator.
    if !locked.iter().any(|a| a.id == me && a.role == Role::Admin && a.disabled_at.is_none()) {
        return Err(AppError::Forbidden("You are no longer an administrator.".to_owned()));
    }
    let account = locked.into_iter().find(|a| a.id == id).ok_or(AppError::NotFound)?;
    let mut detail = account.username.clone();
    match &change {
        Change::Disable => {
            accounts::set_disabled(&mut tx, id, Some(account.disabled_at.unwrap_or(now))).await?;
            sessions::delete_others(&mut tx, id, None).await?;
        }
        Change::Enable => accounts::set_disabled(&mut tx, id, None).await?,
        Change::Role(role) => {
            accounts::set_role(&mut tx, id, *role).await?;
            detail = format!("{detail}: {} → {}", account.role.as_str(), role.as_str());
        }
        Change::Password(hash, tokens) => {
            // Everyone who knew the old password loses access.
            let ended = access::set_password(&mut tx, id, hash, (KeptAccess::default(), *tokens), now).await?;
            detail = format!("{detail}. {}", access::sentence(*tokens, ended));
        }
    }
    let entry = LogEntry { action: change.action(), container: None, outcome: Outcome::Ok, detail: &detail };
    log::append(&mut tx, &ctx.actor(), &entry, now).await?;
    tx.commit().await?;
    Ok(account)
}

/// `POST /admin/users/{id}/disable`
pub async fn disable(ctx: Context, Path(id): Path<String>) -> Result<Response, AppError> {
    let name = change(&ctx, &id, Change::Disable).await?.username;
    let said = format!("“{name}” is signed out everywhere and can no longer sign in. Their databases keep running.");
    Ok(to(HERE, Some(Flash::ok(said))))
}

/// `POST /admin/users/{id}/enable`
pub async fn enable(ctx: Context, Path(id): Path<String>) -> Result<Response, AppError> {
    let name = change(&ctx, &id, Change::Enable).await?.username;
    Ok(to(HERE, Some(Flash::ok(format!("“{name}” can sign in again.")))))
}

/// `POST /admin/users/{id}/role` with `role`
///
/// # Errors
/// If the account or role does not exist, or the account is one's own.
pub async fn set_role(ctx: Context, Path(id): Path<String>, fields: Fields) -> Result<Response, AppError> {
    let role = Role::parse(fields.text("role"));
    let role = role.ok_or_else(|| AppError::BadRequest("The role must be user or admin.".to_owned()))?;
    let name = change(&ctx, &id, Change::Role(role)).await?.username;
    Ok(to(HERE, Some(Flash::ok(format!("“{name}” now has the role {}.", role.as_str())))))
}

/// `POST /admin/users/{id}/password` with `password` and `tokens` (`end`, the default, or `keep`)
pub async fn set_password(ctx: Context, Path(id): Path<String>, fields: Fields) -> Result<Response, AppError> {
    let password = match Password::parse(fields.raw("password")) {
        Ok(password) => password,
        Err(rule) => {
            // The field is one of many in the table, so the error is shown at the top of the page.
            let mut page = view(&ctx, "", &Fields::default(), &Faults::new()).await?;
            page.frame.flash = Some(Flash::bad(format!("The password was not set. {rule}")));
            return page_with(StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
    };
    let hash = passwords::hash(&password).await?;
    let tokens = TokenPolicy::parse(fields.text("tokens"));
    let name = change(&ctx, &id, Change::Password(hash, tokens)).await?.username;
    let said = match tokens {
        TokenPolicy::End => "Their API tokens are revoked.",
        TokenPolicy::Keep => "Their API tokens stay valid.",
    };
    Ok(to(HERE, Some(Flash::ok(format!("New password set for “{name}”, who is signed out everywhere. {said}")))))
}

/// `POST /admin/users/{id}/limits` with `memory` and `cpus`: limits on the total of all databases of a user; empty for
/// the configured ones. Existing databases are not affected.
pub async fn set_limits(ctx: Context, Path(id): Path<String>, fields: Fields) -> Result<Response, AppError> {
    let id: Uuid = id.parse().map_err(|_| AppError::NotFound)?;
    let memory = Some(fields.text("memory")).filter(|t| !t.is_empty()).map(ByteSize::parse).transpose();
    let cpus = Some(fields.text("cpus")).filter(|t| !t.is_empty()).map(MilliCpus::parse).transpose();
    let (memory, cpus) = match (memory, cpus) {
        (Ok(memory), Ok(cpus)) => (memory, cpus),
        (Err(rule), _) | (_, Err(rule)) => {
            let mut page = view(&ctx, "", &Fields::default(), &Faults::new()).await?;
            page.frame.flash = Some(Flash::bad(format!("The limits were not set. {rule}")));
            return page_with(StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
    };
    let mut tx = ctx.app().db.begin().await?;
    let account = accounts::lock(&mut tx, &[id]).await?.into_iter().next().ok_or(AppError::NotFound)?;
    quotas::set(&mut tx, id, memory, cpus).await?;
    let shown = |text: Option<String>| text.unwrap_or_else(|| "default".to_owned());
    let (memory, cpus) = (shown(memory.map(|m| m.to_string())), shown(cpus.map(|c| c.to_string())));
    let detail = format!("{}: memory {memory}, CPUs {cpus}", account.username);
    let entry = LogEntry { action: "user.limits", container: None, outcome: Outcome::Ok, detail: &detail };
    log::append(&mut tx, &ctx.actor(), &entry, ctx.now()).await?;
    tx.commit().await?;
    Ok(to(HERE, Some(Flash::ok(format!("Limits set for “{}”.", account.username)))))
}
