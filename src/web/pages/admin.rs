//! To be written.

/// To be written.
pub async fn overview() -> axum::http::StatusCode {
    axum::http::StatusCode::NOT_IMPLEMENTED
}

/// To be written.
pub async fn states() -> axum::http::StatusCode {
    axum::http::StatusCode::NOT_IMPLEMENTED
}

/// To be written.
pub async fn check_now() -> axum::http::StatusCode {
    axum::http::StatusCode::NOT_IMPLEMENTED
}

/// To be written.
pub async fn log() -> axum::http::StatusCode {
    axum::http::StatusCode::NOT_IMPLEMENTED
}

/// To be written.
pub async fn jobs() -> axum::http::StatusCode {
    axum::http::StatusCode::NOT_IMPLEMENTED
}

/// To be written.
pub async fn storage() -> axum::http::StatusCode {
    axum::http::StatusCode::NOT_IMPLEMENTED
}

/// To be written.
pub async fn system() -> axum::http::StatusCode {
    axum::http::StatusCode::NOT_IMPLEMENTED
}

/// To be written.
pub async fn read_only() -> axum::http::StatusCode {
    axum::http::StatusCode::NOT_IMPLEMENTED
}
