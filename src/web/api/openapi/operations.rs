//! The operations of the API: what each is for, what it takes and what it returns. A test compares the table with the
//! routes, and another one with what a running portal accepts and returns.

use super::answer::Answer::{self, Backups, Catalog, Container, Containers, Deleted, File, Job, Notices, Snapshots};
use super::answer::Answer::{Snapshot, Template, Templates, Update};
use crate::web::api::containers::FIELDS as CREATE;

/// An operation.
#[derive(Debug)]
pub struct Operation {
    /// Method, in upper case.
    pub method: &'static str,
    /// Path, as in the table of routes.
    pub path: &'static str,
    /// What it does, as a sentence.
    pub summary: &'static str,
    /// Query parameters.
    pub query: &'static [&'static str],
    /// Fields of the body.
    pub body: Body,
    /// Status codes of success, with what is returned.
    pub answers: &'static [(u16, Answer)],
}

/// The body of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// None.
    Empty,
    /// A JSON object with these fields, all optional.
    Optional(&'static [&'static str]),
    /// A JSON object: its required fields, and lists of all others, which may repeat required ones.
    Object(&'static [&'static str], &'static [&'static [&'static str]]),
    /// The same as a form with a file.
    Form(&'static [&'static str], &'static [&'static [&'static str]]),
}

impl Body {
    /// Required and optional fields.
    pub fn fields(self) -> (&'static [&'static str], Vec<&'static str>) {
        match self {
            Self::Empty => (&[], Vec::new()),
            Self::Optional(fields) => (&[], fields.to_vec()),
            Self::Object(required, others) | Self::Form(required, others) => {
                (required, others.concat().into_iter().filter(|name| !required.contains(name)).collect())
            }
        }
    }
}

/// Operations that belong together.
#[derive(Debug)]
pub struct Group {
    /// Heading.
    pub title: &'static str,
    /// The operations.
    pub operations: &'static [Operation],
}

/// Every operation that starts a job can wait for it.
const WAIT: &[&str] = &["wait"];
/// A job on an existing database.
const SLOW: &[(u16, Answer)] = &[(202, Job), (200, Container)];
/// A job that makes a database.
const MADE: &[(u16, Answer)] = &[(202, Job), (201, Container)];
const CONTAINER: &[(u16, Answer)] = &[(200, Container)];
const TEMPLATE: &[(u16, Answer)] = &[(200, Template)];

macro_rules! operations {
    ($($method:ident $path:literal $summary:literal $query:expr, $body:expr, $answers:expr;)+) => {
        &[$(Operation {
            method: stringify!($method), path: $path, summary: $summary, query: $query, body: $body, answers: $answers,
        }),+]
    };
}

/// All operations.
pub const GROUPS: &[Group] = &[
    Group {
        title: "Catalog",
        operations: operations! {
            GET "/api/v1/catalog" "Lists engines, images, storage tiers and limits." &[], Body::Empty, &[(200, Catalog)];
        },
    },
    Group {
        title: "Databases",
        operations: operations! {
            GET "/api/v1/containers" "Lists your databases, newest first; all databases for administrators."
                &["limit", "cursor", "q", "state", "owner"], Body::Empty, &[(200, Containers)];
            POST "/api/v1/containers" "Creates a database."
                WAIT, Body::Object(&["name"], &[&["engine"], CREATE]), MADE;
            POST "/api/v1/containers/from-dump" "Creates a database from a dump."
                WAIT, Body::Form(&["name", "dump"], &[&["engine", "source", "upload"], CREATE]), MADE;
            GET "/api/v1/containers/{name}" "Shows a database." &[], Body::Empty, CONTAINER;
            PATCH "/api/v1/containers/{name}" "Changes a database. Fields that are not sent are not changed."
                WAIT, Body::Optional(&["contact", "department", "description", "owner", "backup_freq", "memory", "cpus", "cpuset", "ttl"]), SLOW;
            DELETE "/api/v1/containers/{name}" "Moves a database to the trash, after a final backup."
                &["wait", "confirm", "no_backup"], Body::Optional(&["confirm", "no_backup"]), SLOW;
            POST "/api/v1/containers/{name}/start" "Starts a stopped or failed database." WAIT, Body::Empty, SLOW;
            POST "/api/v1/containers/{name}/stop" "Stops a database. Its data is kept." WAIT, Body::Empty, SLOW;
            POST "/api/v1/containers/{name}/restart" "Restarts a database." WAIT, Body::Empty, SLOW;
            POST "/api/v1/containers/{name}/undelete" "Restores a database from the trash." WAIT, Body::Empty, SLOW;
            POST "/api/v1/containers/{name}/extend" "Sets when a database expires, counted from now."
                &[], Body::Optional(&["ttl"]), CONTAINER;
            POST "/api/v1/containers/{name}/upgrade" "Upgrades a database to a later version of its engine."
                WAIT, Body::Object(&["image", "confirm"], &[]), SLOW;
            GET "/api/v1/containers/{name}/notices" "Lists current problems of a database." &[], Body::Empty, &[(200, Notices)];
            POST "/api/v1/containers/{name}/notices/{id}/seen" "Dismisses a notice and lists the others."
                &[], Body::Empty, &[(200, Notices)];
        },
    },
    Group {
        title: "Snapshots and clones",
        operations: operations! {
            GET "/api/v1/containers/{name}/snapshots" "Lists the snapshots of a database and its previous data."
                &[], Body::Empty, &[(200, Snapshots)];
            POST "/api/v1/containers/{name}/snapshots" "Takes a snapshot."
                WAIT, Body::Optional(&["note", "days"]), SLOW;
            POST "/api/v1/containers/{name}/snapshots/{id}/restore" "Replaces the data with that of a snapshot, or returns to previous data."
                WAIT, Body::Empty, SLOW;
            DELETE "/api/v1/containers/{name}/snapshots/{id}" "Deletes a snapshot. Clones made from it are kept."
                &[], Body::Empty, &[(200, Snapshot)];
            POST "/api/v1/containers/{name}/clone" "Clones the current data of a database, a snapshot or a backup."
                WAIT, Body::Object(&["name"], &[&["memory", "snapshot", "backup", "ttl"]]), MADE;
            POST "/api/v1/containers/{name}/reset" "Resets a clone to the data it started with." WAIT, Body::Empty, SLOW;
            POST "/api/v1/containers/{name}/refresh" "Replaces the data of a clone with the current data of its source." WAIT, Body::Empty, SLOW;
            POST "/api/v1/containers/{name}/promote" "Makes a clone an ordinary database." WAIT, Body::Empty, CONTAINER;
        },
    },
    Group {
        title: "Backups",
        operations: operations! {
            POST "/api/v1/containers/{name}/backup" "Starts a backup." WAIT, Body::Empty, SLOW;
            GET "/api/v1/backups" "Lists backups, newest first." &["container", "limit", "cursor"], Body::Empty, &[(200, Backups)];
            GET "/api/v1/backups/{id}/download" "Downloads a backup as a tar archive, or one of its objects."
                &["as", "file"], Body::Empty, &[(200, File)];
            POST "/api/v1/backups/{id}/restore"
                "Restores a backup: into a new database (`name`), in place (`in_place` and `confirm`), or one part of it (`only`), also as a copy on the same server (`beside`)."
                WAIT, Body::Optional(&["name", "storage", "in_place", "confirm", "only", "beside"]), &[(202, Job), (200, Container), (201, Container)];
        },
    },
    Group {
        title: "Templates",
        operations: operations! {
            GET "/api/v1/templates" "Lists the templates that you may use." &[], Body::Empty, &[(200, Templates)];
            POST "/api/v1/templates" "Creates a template from a database, a snapshot or a backup (`source`). Administrators can also name an object in a backup target (`source`) or a dump in the directory of dumps (`file`)."
                WAIT, Body::Optional(&["name", "source", "file", "engine", "dbname", "dbuser"]), &[(202, Job), (201, Template)];
            POST "/api/v1/templates/from-dump" "Creates a template from a dump. Only for administrators."
                WAIT, Body::Form(&["name", "dump"], &[&["dbname", "dbuser"]]), &[(202, Job), (201, Template)];
            POST "/api/v1/templates/update" "Imports every dump that is new or has changed. Only for administrators." &[], Body::Empty, &[(200, Update)];
            GET "/api/v1/templates/{name}" "Shows a template with its versions." &[], Body::Empty, TEMPLATE;
            PATCH "/api/v1/templates/{name}" "Changes a template."
                &[], Body::Optional(&["name", "image", "dbname", "dbuser", "memory", "ttl", "users", "description"]), TEMPLATE;
            DELETE "/api/v1/templates/{name}" "Deletes a template. Databases created from it are kept." &["confirm"], Body::Empty, &[(200, Deleted)];
            POST "/api/v1/templates/{name}/refresh" "Imports its source again." WAIT, Body::Empty, &[(202, Job), (200, Template)];
            POST "/api/v1/templates/{name}/clone" "Creates a database from a template."
                WAIT, Body::Optional(&["name", "memory", "ttl"]), MADE;
        },
    },
    Group {
        title: "Jobs",
        operations: operations! {
            GET "/api/v1/jobs/{id}" "Shows a job, or waits until it has ended." WAIT, Body::Empty, &[(200, Job)];
            POST "/api/v1/jobs/{id}/cancel" "Cancels a job." &[], Body::Empty, &[(202, Job)];
        },
    },
];

/// All operations, without their groups.
pub fn all() -> impl Iterator<Item = &'static Operation> {
    GROUPS.iter().flat_map(|group| group.operations)
}
