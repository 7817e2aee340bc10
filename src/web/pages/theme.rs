//! The light or dark theme, stored in a cookie so that selecting it works without scripts.

use axum::response::Response;

use super::login::safe_next;
use crate::web::context::{THEME_COOKIE, add_cookie, cookie, to};
use crate::web::forms::Fields;

/// `POST /theme`
pub async fn choose(fields: Fields) -> Response {
    let theme = match fields.text("theme") {
        "light" => "light",
        "dark" => "dark",
        _ => "auto",
    };
    let mut response = to(safe_next(fields.text("next")), None);
    add_cookie(&mut response, &cookie(THEME_COOKIE, theme.to_owned(), true));
    response
}
