//! What a job carries besides its kind and its database, stored as JSON.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::admin_db::log::Actor;
use crate::engine::partial::Selection;

/// The payload of a job. Each kind of job uses the fields it needs.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct JobPayload {
    /// Id of the request that enqueued it.
    pub request_id: String,
    /// Client address of that request.
    pub address: String,
    /// The part of a backup to restore as a copy.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub copy: Option<CopyOrder>,
    /// The backups to delete. Under another name than that of a backup being read, which would keep it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<Uuid>,
    /// What was noted while it ran.
    #[serde(flatten)]
    pub notes: JobNotes,
}

/// What is noted in the payload of a job after it was enqueued.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct JobNotes {
    /// Why a restore made a second attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second_attempt: Option<String>,
    /// What a restore skipped, in sentences. An empty list replaces an earlier one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<Vec<String>>,
    /// The step at which a database had failed before its deletion was requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_step: Option<String>,
    /// Why it had failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_reason: Option<String>,
}

/// A part of a backup to restore as a copy.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CopyOrder {
    /// The backup. It is not removed while the job exists.
    pub backup: Uuid,
    /// The part.
    pub only: Selection,
    /// Name of the copy.
    pub name: String,
}

impl JobPayload {
    /// The payload of every job: who requested it.
    pub fn of(actor: &Actor) -> Self {
        Self { request_id: actor.request_id.clone(), address: actor.address.clone(), ..Self::default() }
    }

    /// As stored.
    pub(super) fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl From<Value> for JobPayload {
    /// Fields that this version cannot read are treated as missing; the job then fails at the step that needs them.
    fn from(stored: Value) -> Self {
        serde_json::from_value(stored).unwrap_or_else(|e| {
            tracing::warn!("Could not read the payload of a job: {e}");
            Self::default()
        })
    }
}

impl JobNotes {
    /// As stored.
    pub(super) fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admin_db::jobs::payload::*;

    #[test]
    fn a_payload_keeps_its_stored_form() {
        let actor = Actor { name: "ada".to_owned(), address: "10.0.0.1".to_owned(), request_id: "7".to_owned() };
        let plain = JobPayload::of(&actor);
        assert_eq!(plain.to_json(), json!({ "request_id": "7", "address": "10.0.0.1" }));
        let only: Selection = serde_json::from_value(json!({ "database": "trial" })).unwrap();
        let copy = CopyOrder { backup: Uuid::nil(), only, name: "trial_copy".to_owned() };
        let notes = JobNotes { left_out: Some(vec!["a view".to_owned()]), ..JobNotes::default() };
        let stored = JobPayload { copy: Some(copy), notes, ..plain }.to_json();
        assert_eq!(stored["backup"], json!(Uuid::nil()));
        assert_eq!(stored["name"], "trial_copy");
        let read = JobPayload::from(stored);
        assert_eq!(read.copy.unwrap().name, "trial_copy");
        assert_eq!((read.notes.left_out, read.address), (Some(vec!["a view".to_owned()]), "10.0.0.1".to_owned()));
        let read = JobPayload::from(json!({ "request_id": "7", "of_a_later_version": [1] }));
        assert!(read.copy.is_none() && read.request_id == "7");
        assert_eq!(JobPayload::from(json!([])).address, "");
    }
}
