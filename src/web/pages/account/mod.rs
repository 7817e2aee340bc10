//! `/account`: the account page, password changes and sessions.

pub mod access_tokens;

use axum::http::StatusCode;
use axum::response::Response;

use crate::admin_db::log;
use crate::admin_db::log::{LogEntry, Outcome};
use crate::admin_db::people::{accounts, quotas, sessions, tokens};
use crate::auth::access::{KeptAccess, TokenPolicy};
use crate::auth::passwords::Lane;
use crate::auth::{access, passwords};
use crate::domain::password::Password;
use crate::manifest::dump::amount;
use crate::provision::request::held;
use crate::web::context::{Context, page_with, to};
use crate::web::error::AppError;
use crate::web::forms::Fields;
use crate::web::forms::create::Faults;
use crate::web::urls;
use crate::web::views::account::{AccountPage, NewToken, SessionRow, TokenRow};
use crate::web::views::{ActionButton, Choice, Fact, Field, Flash, Moment};

/// Path of the page.
pub(super) const HERE: &str = "/account";

/// The state of the forms after a submission.
#[derive(Default)]
pub(super) struct FormState {
    /// Errors by field.
    pub faults: Faults,
    /// Values typed into the token form.
    pub token: Fields,
    /// A newly created token.
    pub made: Option<NewToken>,
}

/// `GET /account`
pub async fn show(ctx: Context) -> Result<Response, AppError> {
    render(&ctx, StatusCode::OK, FormState::default()).await
}

/// Renders the page.
pub(super) async fn render(ctx: &Context, status: StatusCode, posted: FormState) -> Result<Response, AppError> {
    let (user, now) = (ctx.user()?, ctx.now());
    let current = ctx.identity.as_ref().and_then(|i| i.session);
    let mut db = ctx.app().db.acquire().await?;
    let account = accounts::by_id(&mut db, user.id).await?.ok_or(AppError::LoginRequired)?;
    let (owned, templates) = held(&mut db, user.id).await?;
    let quota = quotas::of(&mut db, user.id).await?.ok_or(AppError::LoginRequired)?;
    let tokens = tokens::list(&mut db, Some(user.id)).await?;
    let sessions = sessions::list(&mut db, user.id, current.as_ref(), now).await?;
    drop(db);
    let databases = match user.is_admin() {
        true => owned.to_string(),
        false => {
            let made = if templates > 0 {
                format!(" and {}", amount(templates.unsigned_abs(), "template"))
            } else {
                String::new()
            };
            format!("{owned}{made} of {}", ctx.app().config.limits.containers_per_user)
        }
    };
    let mut facts = vec![Fact::code("Name", &account.username), Fact::text("Role", account.role.as_str())];
    let texts = [("E-mail", &account.email), ("Department", &account.department)];
    facts.extend(texts.iter().filter(|(_, text)| !text.is_empty()).map(|(term, text)| Fact::text(*term, *text)));
    let in_use = quota.sentence(&ctx.app().config.limits);
    facts.extend([
        Fact::link("Databases", databases, "/"),
        Fact::text("Resources in use", in_use),
        Fact::when("Added", &Moment::new(account.created_at, now)),
    ]);
    let fault = |name: &str| posted.faults.iter().find(|(f, _)| f == name).map(|(_, text)| text.clone());
    let others = sessions.iter().any(|s| !s.current);
    let view = AccountPage {
        frame: ctx.frame("account"),
        facts,
        password: if account.password_hash.is_some() { password_form(&fault) } else { Vec::new() },
        tokens: tokens
            .iter()
            .map(|t| TokenRow {
                name: t.name.clone(),
                created: Moment::new(t.created_at, now),
                used: t.last_used_at.map(|at| Moment::new(at, now)),
                expires: t.expires_at.map(|at| Moment::new(at, now)),
                revoke: ActionButton::post("Revoke token", urls::token_revoke(t.id))
                    .danger()
                    .small()
                    .about(&t.name)
                    .asks("Programs that use this token stop working immediately. This cannot be undone."),
            })
            .collect(),
        token_form: token_form(&posted.token, &fault),
        new_token: posted.made,
        sessions: sessions
            .iter()
            .map(|s| SessionRow {
                agent: browser(&s.user_agent),
                address: s.address.clone(),
                created: Moment::new(s.created_at, now),
                seen: Moment::new(s.last_seen_at, now),
                current: s.current,
            })
            .collect(),
        end_others: others.then(|| {
            ActionButton::post("Sign out everywhere else", "/account/sessions/end-others")
                .asks("Ends your sessions in all other browsers. API tokens stay valid.")
        }),
    };
    page_with(status, &view)
}

fn password_form(fault: &dyn Fn(&str) -> Option<String>) -> Vec<Field> {
    vec![
        Field::password("current", "Current password")
            .autocomplete("current-password")
            .error(fault("current"))
            .required(),
        Field::password("new", "New password")
            .help("At least 8 characters. Changing it signs you out everywhere else.")
            .autocomplete("new-password")
            .error(fault("new"))
            .required(),
        Field::password("again", "Repeat new password").autocomplete("new-password").error(fault("again")).required(),
        Field::select("tokens", "API tokens", token_choices()).help(
            "Someone who knew your old password may have created one. Scripts that use a revoked token stop \
                   working.",
        ),
    ]
}

/// The choices for API tokens when a password changes.
pub(super) fn token_choices() -> Vec<Choice> {
    vec![Choice::new("end", "Revoke all", "end"), Choice::new("keep", "Keep", "end")]
}

/// Browser and operating system, as far as the browser reports them; a hint for people, on which nothing relies.
fn browser(agent: &str) -> String {
    // The order matters: Edge also claims to be Chrome, and Chrome claims to be Safari.
    let pick =
        |names: &[(&str, &'static str)]| names.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    let program =
        pick(&[("Edg", "Edge"), ("Firefox", "Firefox"), ("Chrom", "Chrome"), ("Safari", "Safari"), ("curl", "curl")]);
    let system = pick(&[
        ("Android", "Android"),
        ("iPhone", "iOS"),
        ("iPad", "iOS"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (program, system) {
        (Some(program), Some(system)) => format!("{program} on {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "Unknown browser".to_owned(),
    }
}

async fn refuse(ctx: &Context, faults: Faults) -> Result<Response, AppError> {
    render(ctx, StatusCode::UNPROCESSABLE_ENTITY, FormState { faults, ..FormState::default() }).await
}

/// `POST /account/password` with `current`, `new`, `again` and `tokens` (`end`, the default, or `keep`)
pub async fn change_password(ctx: Context, fields: Fields) -> Result<Response, AppError> {
    let (user, app, now) = (ctx.user()?, ctx.app(), ctx.now());
    let mut faults = Faults::new();
    let mut fault = |field: &str, text: &str| faults.push((field.to_owned(), text.to_owned()));
    if fields.raw("current").is_empty() {
        fault("current", "Enter the password you sign in with now.");
    }
    let new = Password::parse(fields.raw("new")).map_err(|rule| fault("new", &rule)).ok();
    if fields.raw("again") != fields.raw("new") {
        fault("again", "The passwords do not match.");
    }
    let Some(new) = new.filter(|_| faults.is_empty()) else { return refuse(&ctx, faults).await };
    // A separate limit per session: floods of attempts from elsewhere must not lock out signed-in users.
    let session = ctx.identity.as_ref().and_then(|i| i.session).map(hex::encode).unwrap_or_default();
    if let Err(seconds) = ctx.portal.limits.count_known(&session, user.username.as_str()) {
        ctx.note("user.password", Outcome::Refused, "too many attempts").await?;
        return Err(AppError::TooMany(seconds));
    }
    let mut db = app.db.acquire().await?;
    let hash = accounts::by_id(&mut db, user.id).await?.and_then(|a| a.password_hash);
    // Hashing takes long; the connection is released in the meantime.
    drop(db);
    let right = passwords::verify(Lane::Known, fields.raw("current").to_owned(), hash).await?;
    if !right.ok_or(AppError::TooMany(1))? {
        ctx.note("user.password", Outcome::Refused, "wrong current password").await?;
        return refuse(&ctx, vec![("current".to_owned(), "The current password is wrong.".to_owned())]).await;
    }
    let hash = passwords::hash(&new).await?;
    let session = ctx.identity.as_ref().and_then(|i| i.session);
    let keep = KeptAccess { session: session.as_ref(), device: ctx.meta.device.as_ref() };
    let wanted = TokenPolicy::parse(fields.text("tokens"));
    let mut tx = app.db.begin().await?;
    let ended = access::set_password(&mut tx, user.id, &hash, (keep, wanted), now).await?;
    let entry = LogEntry { action: "user.password", container: None, outcome: Outcome::Ok, detail: "their own" };
    log::append(&mut tx, &ctx.actor(), &entry, now).await?;
    tx.commit().await?;
    let said = access::sentence(wanted, ended);
    Ok(to(HERE, Some(Flash::ok(format!("Password changed. Signed out everywhere else. {said}")))))
}

/// `POST /account/sessions/end-others`
pub async fn end_other_sessions(ctx: Context) -> Result<Response, AppError> {
    let user = ctx.user()?;
    let keep = ctx.identity.as_ref().and_then(|i| i.session);
    let mut tx = ctx.app().db.begin().await?;
    sessions::delete_others(&mut tx, user.id, keep.as_ref()).await?;
    let entry = LogEntry { action: "session.end_others", container: None, outcome: Outcome::Ok, detail: "" };
    log::append(&mut tx, &ctx.actor(), &entry, ctx.now()).await?;
    tx.commit().await?;
    Ok(to(HERE, Some(Flash::ok("Signed out everywhere else."))))
}

/// The form for a new token.
pub(crate) fn token_form(fields: &Fields, fault: &dyn Fn(&str) -> Option<String>) -> Vec<Field> {
    let days = if fields.has("days") { fields.text("days") } else { TOKEN_DAYS };
    vec![
        Field::text("name", "Name")
            .help("What it is used for, for example “notebook” or “nightly import”.")
            .value(fields.text("name"))
            .error(fault("name"))
            .required()
            .max_length(80),
        Field::number("days", "Valid for (days)")
            .help("Leave empty for a token that never expires.")
            .value(days)
            .error(fault("days")),
    ]
}

/// Default lifetime of a token in days.
pub(crate) const TOKEN_DAYS: &str = "90";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_recognised() {
        let chrome =
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
        assert_eq!(browser(chrome), "Chrome on Linux");
        assert_eq!(browser(&format!("{chrome} Edg/140.0")), "Edge on Linux");
        assert_eq!(
            browser("Mozilla/5.0 (Macintosh; Intel Mac OS X 14.1; rv:140.0) Gecko/20100101 Firefox/140.0"),
            "Firefox on macOS"
        );
        assert_eq!(browser("curl/8.5.0"), "curl");
        assert_eq!(browser(""), "Unknown browser");
    }
}
