//! To be written.

/// To be written.
pub async fn list() -> axum::http::StatusCode {
    axum::http::StatusCode::NOT_IMPLEMENTED
}

/// To be written.
pub async fn add() -> axum::http::StatusCode {
    axum::http::StatusCode::NOT_IMPLEMENTED
}

/// To be written.
pub async fn disable() -> axum::http::StatusCode {
    axum::http::StatusCode::NOT_IMPLEMENTED
}

/// To be written.
pub async fn enable() -> axum::http::StatusCode {
    axum::http::StatusCode::NOT_IMPLEMENTED
}

/// To be written.
pub async fn set_role() -> axum::http::StatusCode {
    axum::http::StatusCode::NOT_IMPLEMENTED
}

/// To be written.
pub async fn set_password() -> axum::http::StatusCode {
    axum::http::StatusCode::NOT_IMPLEMENTED
}
