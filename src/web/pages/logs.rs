//! To be written.

/// To be written.
pub async fn show() -> axum::http::StatusCode {
    axum::http::StatusCode::NOT_IMPLEMENTED
}

/// To be written.
pub async fn events() -> axum::http::StatusCode {
    axum::http::StatusCode::NOT_IMPLEMENTED
}
