//! To be written.

/// To be written.
pub async fn show() -> axum::http::StatusCode {
    axum::http::StatusCode::NOT_IMPLEMENTED
}

/// To be written.
pub async fn reveal_password() -> axum::http::StatusCode {
    axum::http::StatusCode::NOT_IMPLEMENTED
}
