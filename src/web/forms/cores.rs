//! Reads the field `cpuset`: the cores that a database is pinned to.

use crate::app::App;
use crate::domain::cpu_set::request::CpuRequest;
use crate::provision::pinning;
use crate::web::forms::Fields;

/// The field's name.
pub const FIELD: &str = "cpuset";

/// Reads the field; empty for all cores. What a database has already, `current`, stays valid on another machine.
///
/// # Errors
/// What is wrong with it, or what this machine lacks.
pub async fn read(app: &App, fields: &Fields, current: Option<&CpuRequest>) -> Result<CpuRequest, String> {
    let request = CpuRequest::parse(fields.text(FIELD)).map_err(|e| e.to_string())?;
    if request.is_pinned() && current != Some(&request) {
        request.check(&pinning::machine(app).await?).map_err(|e| e.to_string())?;
    }
    Ok(request)
}

/// The same for a new database, which gets the usual pinning if the field was not sent.
///
/// # Errors
/// As [`read`].
pub async fn read_new(app: &App, fields: &Fields) -> Result<CpuRequest, String> {
    if fields.has(FIELD) { read(app, fields, None).await } else { Ok(pinning::usual(app).await) }
}
