//! Signing in and out.

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::Response;
use secrecy::ExposeSecret;
use serde::Deserialize;

use crate::auth::login::{Attempt, LoginError};
use crate::auth::{first_admin, login};
use crate::config::Mode;
use crate::web::access::identity::{DEVICE_COOKIE, SESSION_COOKIE};
use crate::web::context::{Context, add_cookie, cookie, page, page_with, removal, to};
use crate::web::error::AppError;
use crate::web::forms::Fields;
use crate::web::portal::Shared;
use crate::web::views::Flash;
use crate::web::views::login::LoginPage;

/// Where to continue after signing in.
#[derive(Debug, Deserialize)]
pub struct Next {
    #[serde(default)]
    next: String,
}

/// Returns the path if it is one of the portal, otherwise `/`: never the URL of another site.
pub fn safe_next(next: &str) -> &str {
    let ours =
        next.starts_with('/') && !next.starts_with("//") && !next.contains('\\') && !next.chars().any(char::is_control);
    if ours && !next.starts_with("/login") { next } else { "/" }
}

fn view(ctx: &Context, username: &str, next: &str, error: Option<String>) -> LoginPage {
    let file = first_admin::password_file(ctx.app());
    let hint = (ctx.app().config.mode == Mode::Dev && file.exists())
        .then(|| format!("The first administrator is {}; the password is in {}.", first_admin::NAME, file.display()));
    LoginPage { frame: ctx.frame(""), username: username.to_owned(), next: next.to_owned(), error, hint }
}

/// `GET /login`
pub async fn form(ctx: Context, Query(next): Query<Next>) -> Result<Response, AppError> {
    if ctx.identity.is_some() {
        return Ok(to(safe_next(&next.next), None));
    }
    page(&view(&ctx, "", safe_next(&next.next), None))
}

/// `POST /login`
pub async fn submit(ctx: Context, State(portal): State<Shared>, fields: Fields) -> Result<Response, AppError> {
    let (username, next) = (fields.text("username"), safe_next(fields.text("next")).to_owned());
    let password = fields.raw("password").to_owned();
    let actor = ctx.actor();
    let user_agent = ctx.meta.user_agent.as_str();
    let attempt = Attempt { username, password, actor: &actor, user_agent, device: ctx.meta.device };
    match login::sign_in(ctx.app(), &portal.limits, attempt).await {
        Ok(signed_in) => {
            let mut response = to(&next, None);
            let secret = signed_in.session.expose_secret().to_owned();
            add_cookie(&mut response, &cookie(SESSION_COOKIE, secret, false));
            if let Some(device) = signed_in.device {
                add_cookie(&mut response, &cookie(DEVICE_COOKIE, device.expose_secret().to_owned(), true));
            }
            Ok(response)
        }
        Err(e @ LoginError::Wrong) => {
            page_with(StatusCode::UNAUTHORIZED, &view(&ctx, username, &next, Some(e.to_string())))
        }
        Err(LoginError::TooMany(seconds)) => {
            let said = format!("Too many attempts. Wait {seconds} s and try again.");
            let mut response = page_with(StatusCode::TOO_MANY_REQUESTS, &view(&ctx, username, &next, Some(said)))?;
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            Ok(response)
        }
        Err(e) => Err(e.into()),
    }
}

/// `POST /logout`
pub async fn sign_out(ctx: Context) -> Result<Response, AppError> {
    if let Some(print) = ctx.identity.as_ref().and_then(|i| i.session) {
        login::sign_out(ctx.app(), &print, &ctx.actor()).await?;
    }
    let mut response = to("/login", Some(Flash::ok("You have signed out.")));
    add_cookie(&mut response, &removal(SESSION_COOKIE));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_site() {
        for evil in
            ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "", "/login", "/a\nb"]
        {
            assert_eq!(safe_next(evil), "/", "{evil:?}");
        }
        assert_eq!(safe_next("/containers/lab?x=1"), "/containers/lab?x=1");
    }
}
