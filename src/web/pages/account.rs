//! To be written.

/// To be written.
pub async fn show() -> axum::http::StatusCode {
    axum::http::StatusCode::NOT_IMPLEMENTED
}

/// To be written.
pub async fn change_password() -> axum::http::StatusCode {
    axum::http::StatusCode::NOT_IMPLEMENTED
}

/// To be written.
pub async fn create_token() -> axum::http::StatusCode {
    axum::http::StatusCode::NOT_IMPLEMENTED
}

/// To be written.
pub async fn revoke_token() -> axum::http::StatusCode {
    axum::http::StatusCode::NOT_IMPLEMENTED
}

/// To be written.
pub async fn end_other_sessions() -> axum::http::StatusCode {
    axum::http::StatusCode::NOT_IMPLEMENTED
}
