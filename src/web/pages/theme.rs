//! To be written.

/// To be written.
pub async fn choose() -> axum::http::StatusCode {
    axum::http::StatusCode::NOT_IMPLEMENTED
}
