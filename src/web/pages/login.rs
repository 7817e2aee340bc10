//! To be written.

/// To be written.
pub async fn form() -> axum::http::StatusCode {
    axum::http::StatusCode::NOT_IMPLEMENTED
}

/// To be written.
pub async fn submit() -> axum::http::StatusCode {
    axum::http::StatusCode::NOT_IMPLEMENTED
}

/// To be written.
pub async fn sign_out() -> axum::http::StatusCode {
    axum::http::StatusCode::NOT_IMPLEMENTED
}
