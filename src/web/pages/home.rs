//! To be written.

/// To be written.
pub async fn show() -> axum::http::StatusCode {
    axum::http::StatusCode::NOT_IMPLEMENTED
}

/// To be written.
pub async fn admin_list() -> axum::http::StatusCode {
    axum::http::StatusCode::NOT_IMPLEMENTED
}
