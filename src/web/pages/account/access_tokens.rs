//! `/account`: API tokens.

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use chrono::Duration;
use secrecy::ExposeSecret;
use uuid::Uuid;

use crate::admin_db::log::{LogEntry, Outcome};
use crate::admin_db::people::tokens;
use crate::admin_db::{constraint, log};
use crate::secrets::fingerprint;
use crate::web::context::{Context, to};
use crate::web::error::AppError;
use crate::web::forms::Fields;
use crate::web::forms::create::{Faults, line};
use crate::web::pages::account::{FormState, HERE, render};
use crate::web::urls;
use crate::web::views::Flash;
use crate::web::views::account::NewToken;

/// Maximum lifetime in days.
const MOST_DAYS: i64 = 3650;

/// The lifetime of a token in days; `None`: it does not expire.
fn days(text: &str) -> Result<Option<i64>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    match text.parse() {
        Ok(days) if (1..=MOST_DAYS).contains(&days) => Ok(Some(days)),
        _ => Err(format!("Enter a number of days from 1 to {MOST_DAYS}, or leave the field empty.")),
    }
}

/// `POST /account/tokens` with `name` and `days`. The secret of the token appears only in this response.
pub async fn create_token(ctx: Context, uri: Uri, headers: HeaderMap, fields: Fields) -> Result<Response, AppError> {
    ctx.writable()?;
    let (user, app, now) = (ctx.user()?, ctx.app(), ctx.now());
    let mut faults = Faults::new();
    let name = match fields.text("name") {
        "" => Err("Enter a name.".to_owned()),
        text => line(text, 80),
    };
    let name = name.map_err(|e| faults.push(("name".to_owned(), e))).ok();
    let days = days(fields.text("days")).map_err(|e| faults.push(("days".to_owned(), e))).ok();
    let (Some(name), Some(days)) = (name, days) else {
        return render(&ctx, StatusCode::UNPROCESSABLE_ENTITY, FormState { faults, token: fields, made: None }).await;
    };
    let secret = app.random.token();
    let print = fingerprint(secret.expose_secret());
    let mut tx = app.db.begin().await?;
    match tokens::insert(&mut tx, user.id, &name, &print, now, days.map(|d| now + Duration::days(d))).await {
        Ok(_) => {}
        Err(e) if constraint(&e) == Some("token_name_key") => {
            // Rendering the page acquires its own connection, so this one is released first.
            tx.rollback().await?;
            faults.push((
                "name".to_owned(),
                "You already have a token with this name. Choose another name, or revoke that token.".to_owned(),
            ));
            return render(&ctx, StatusCode::UNPROCESSABLE_ENTITY, FormState { faults, token: fields, made: None })
                .await;
        }
        Err(e) => return Err(e.into()),
    }
    let entry = LogEntry { action: "token.create", container: None, outcome: Outcome::Ok, detail: &name };
    log::append(&mut tx, &ctx.actor(), &entry, now).await?;
    tx.commit().await?;
    let config = &ctx.app().config;
    let portal = urls::portal(config.server.public_url.as_deref(), &uri, &headers);
    let example = example(&portal, config.mode.makes_own_secrets());
    let made = NewToken { name, token: secret.expose_secret().to_owned(), example };
    render(&ctx, StatusCode::OK, FormState { made: Some(made), ..FormState::default() }).await
}

/// Commands that use a token: the first reads it into a variable, because a token typed into a command stays in the shell's
/// history. `own`: the portal's certificate is issued by its own authority, which clients do not know.
fn example(portal: &str, own: bool) -> [String; 2] {
    let (fetch, option) =
        if own { (format!("curl -fsSk {portal}/ca.pem -o ca.pem\n"), " --cacert ca.pem") } else { (String::new(), "") };
    let call = format!("curl{option} --header \"Authorization: Bearer $DB4SCI_TOKEN\" {portal}/api/v1/containers");
    ["read -rs DB4SCI_TOKEN".to_owned(), format!("{fetch}{call}")]
}

/// `POST /account/tokens/{id}/revoke`
pub async fn revoke_token(ctx: Context, Path(id): Path<String>) -> Result<Response, AppError> {
    let id: Uuid = id.parse().map_err(|_| AppError::NotFound)?;
    let (user, now) = (ctx.user()?, ctx.now());
    let mut tx = ctx.app().db.begin().await?;
    let mine = tokens::list(&mut tx, Some(user.id)).await?;
    let token = mine.into_iter().find(|t| t.id == id).ok_or(AppError::NotFound)?;
    if !tokens::revoke(&mut tx, id, Some(user.id), now).await? {
        return Err(AppError::NotFound);
    }
    let entry = LogEntry { action: "token.revoke", container: None, outcome: Outcome::Ok, detail: &token.name };
    log::append(&mut tx, &ctx.actor(), &entry, now).await?;
    tx.commit().await?;
    Ok(to(HERE, Some(Flash::ok(format!("Token “{}” revoked. It can no longer be used.", token.name)))))
}

#[cfg(test)]
mod tests {
    use crate::web::pages::account::access_tokens::*;

    #[test]
    fn the_lifetime_of_a_token_is_limited() {
        assert_eq!(days(""), Ok(None));
        assert_eq!(days("30"), Ok(Some(30)));
        for bad in ["0", "-1", "1.5", "3651", "soon", "99999999999999999999"] {
            assert!(days(bad).is_err(), "{bad}");
        }
    }
}
