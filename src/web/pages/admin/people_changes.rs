//! `/admin/users`: changes by administrators to other accounts.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use sqlx::PgConnection;
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
use crate::web::context::{Context, to};
use crate::web::error::AppError;
use crate::web::forms::Fields;
use crate::web::forms::create::{Faults, line};
use crate::web::pages::admin::people::email;
use crate::web::pages::admin::user;
use crate::web::urls;
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

/// Refuses what administrators cannot do to their own account, and logs the refusal.
pub(super) async fn refuse_own(ctx: &Context, id: Uuid, action: &str) -> Result<(), AppError> {
    if id != ctx.user()?.id {
        return Ok(());
    }
    ctx.note(action, Outcome::Refused, "their own account").await?;
    let why = "You cannot do this to your own account, so that at least one administrator remains. To change your \
               password, go to your account page.";
    Err(AppError::Conflict(why.to_owned()))
}

/// Locks the acting administrator's account and these, and returns them. Two administrators may change each other at the
/// same time: only the first one is still an administrator then.
pub(super) async fn locked(ctx: &Context, tx: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Account>, AppError> {
    let me = ctx.user()?.id;
    let ids: Vec<Uuid> = ids.iter().copied().chain([me]).collect();
    let locked = accounts::lock(tx, &ids).await?;
    if !locked.iter().any(|a| a.id == me && a.role == Role::Admin && a.disabled_at.is_none()) {
        return Err(AppError::Forbidden("You are no longer an administrator.".to_owned()));
    }
    Ok(locked)
}

/// Makes a change and writes its log row in one transaction.
async fn change(ctx: &Context, id: &str, change: Change) -> Result<Account, AppError> {
    let id: Uuid = id.parse().map_err(|_| AppError::NotFound)?;
    let now = ctx.now();
    refuse_own(ctx, id, change.action()).await?;
    let mut tx = ctx.app().db.begin().await?;
    let locked = locked(ctx, &mut tx, &[id]).await?;
    let account = locked.into_iter().find(|a| a.id == id).ok_or(AppError::NotFound)?;
    let mut detail = account.username.clone();
    let last = |e: sqlx::Error| match accounts::is_last_administrator(&e) {
        true => AppError::Conflict("This is the last administrator who can sign in.".to_owned()),
        false => e.into(),
    };
    match &change {
        Change::Disable => {
            let at = Some(account.disabled_at.unwrap_or(now));
            accounts::set_disabled(&mut tx, id, at).await.map_err(last)?;
            sessions::delete_others(&mut tx, id, None).await?;
        }
        Change::Enable => accounts::set_disabled(&mut tx, id, None).await?,
        Change::Role(role) => {
            accounts::set_role(&mut tx, id, *role).await.map_err(last)?;
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

/// The page of the account that was changed, with the result.
fn back(account: &Account, said: impl Into<String>) -> Response {
    to(&urls::admin_user(account.id), Some(Flash::ok(said)))
}

/// `POST /admin/users/{id}` with `email` and `department`
pub async fn set_details(ctx: Context, Path(id): Path<String>, fields: Fields) -> Result<Response, AppError> {
    let account = user::account(&ctx, &id).await?;
    let mut faults = Faults::new();
    let mut fault = |field: &str, text: String| faults.push((field.to_owned(), text));
    let email = email(fields.text("email")).map_err(|e| fault("email", e)).ok();
    let department = line(fields.text("department"), 200).map_err(|e| fault("department", e)).ok();
    let (Some(email), Some(department)) = (email, department) else {
        return user::render(&ctx, &id, StatusCode::UNPROCESSABLE_ENTITY, &fields, &faults).await;
    };
    let mut tx = ctx.app().db.begin().await?;
    accounts::set_details(&mut tx, account.id, &email, &department).await?;
    let detail = format!("{}: e-mail “{email}”, department “{department}”", account.username);
    let entry = LogEntry { action: "user.edit", container: None, outcome: Outcome::Ok, detail: &detail };
    log::append(&mut tx, &ctx.actor(), &entry, ctx.now()).await?;
    tx.commit().await?;
    Ok(back(&account, "Details saved."))
}

/// `POST /admin/users/{id}/disable`
pub async fn disable(ctx: Context, Path(id): Path<String>) -> Result<Response, AppError> {
    let account = change(&ctx, &id, Change::Disable).await?;
    let name = &account.username;
    let said = format!("“{name}” is signed out everywhere and can no longer sign in. Their databases keep running.");
    Ok(back(&account, said))
}

/// `POST /admin/users/{id}/enable`
pub async fn enable(ctx: Context, Path(id): Path<String>) -> Result<Response, AppError> {
    let account = change(&ctx, &id, Change::Enable).await?;
    Ok(back(&account, format!("“{}” can sign in again.", account.username)))
}

/// `POST /admin/users/{id}/role` with `role`
///
/// # Errors
/// If the account or role does not exist, or the account is one's own.
pub async fn set_role(ctx: Context, Path(id): Path<String>, fields: Fields) -> Result<Response, AppError> {
    let role = Role::parse(fields.text("role"));
    let role = role.ok_or_else(|| AppError::BadRequest("The role must be user or admin.".to_owned()))?;
    let account = change(&ctx, &id, Change::Role(role)).await?;
    Ok(back(&account, format!("“{}” now has the role {}.", account.username, role.as_str())))
}

/// `POST /admin/users/{id}/password` with `password` and `tokens` (`end`, the default, or `keep`)
pub async fn set_password(ctx: Context, Path(id): Path<String>, fields: Fields) -> Result<Response, AppError> {
    let password = match Password::parse(fields.raw("password")) {
        Ok(password) => password,
        Err(rule) => {
            let faults = vec![("password".to_owned(), rule)];
            return user::render(&ctx, &id, StatusCode::UNPROCESSABLE_ENTITY, &fields, &faults).await;
        }
    };
    let hash = passwords::hash(&password).await?;
    let tokens = TokenPolicy::parse(fields.text("tokens"));
    let account = change(&ctx, &id, Change::Password(hash, tokens)).await?;
    let said = match tokens {
        TokenPolicy::End => "Their API tokens are revoked.",
        TokenPolicy::Keep => "Their API tokens stay valid.",
    };
    let name = &account.username;
    Ok(back(&account, format!("New password set for “{name}”, who is signed out everywhere. {said}")))
}

/// `POST /admin/users/{id}/limits` with `memory` and `cpus`: limits on the total of all databases of a user; empty for
/// the configured ones. Existing databases are not affected.
pub async fn set_limits(ctx: Context, Path(id): Path<String>, fields: Fields) -> Result<Response, AppError> {
    let memory = Some(fields.text("memory")).filter(|t| !t.is_empty()).map(ByteSize::parse).transpose();
    let cpus = Some(fields.text("cpus")).filter(|t| !t.is_empty()).map(MilliCpus::parse).transpose();
    let (memory, cpus) = match (memory, cpus) {
        (Ok(memory), Ok(cpus)) => (memory, cpus),
        (memory, cpus) => {
            let fault = |field: &str, rule: Option<String>| rule.map(|rule| (field.to_owned(), rule));
            let faults: Faults =
                [fault("memory", memory.err()), fault("cpus", cpus.err())].into_iter().flatten().collect();
            return user::render(&ctx, &id, StatusCode::UNPROCESSABLE_ENTITY, &fields, &faults).await;
        }
    };
    let id: Uuid = id.parse().map_err(|_| AppError::NotFound)?;
    let mut tx = ctx.app().db.begin().await?;
    let account = accounts::lock(&mut tx, &[id]).await?.into_iter().next().ok_or(AppError::NotFound)?;
    quotas::set(&mut tx, id, memory, cpus).await?;
    let shown = |text: Option<String>| text.unwrap_or_else(|| "default".to_owned());
    let (memory, cpus) = (shown(memory.map(|m| m.to_string())), shown(cpus.map(|c| c.to_string())));
    let detail = format!("{}: memory {memory}, CPUs {cpus}", account.username);
    let entry = LogEntry { action: "user.limits", container: None, outcome: Outcome::Ok, detail: &detail };
    log::append(&mut tx, &ctx.actor(), &entry, ctx.now()).await?;
    tx.commit().await?;
    Ok(back(&account, "Limits set."))
}
