//! The addresses of the portal's pages and API objects, built in one place. A test compares them with the table of routes.

use std::fmt::Display;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};
use uuid::Uuid;

/// A page of a database, or the address that a button on it posts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabasePage {
    /// Backups.
    Backups,
    /// Snapshots and clones.
    Snapshots,
    /// Takes a snapshot.
    TakeSnapshot,
    /// Clones it.
    Clone,
    /// Resets a clone to its origin.
    Reset,
    /// Replaces the data of a clone with that of its source.
    Refresh,
    /// Makes a clone an ordinary database.
    Promote,
    /// Charts.
    Metrics,
    /// Log of the server.
    Logs,
    /// Settings.
    Settings,
    /// Upgrade to a newer version.
    Upgrade,
    /// Moves it to the trash.
    Delete,
    /// Restores it from the trash.
    Undelete,
    /// Deletes it permanently.
    Purge,
    /// Starts it.
    Start,
    /// Stops it.
    Stop,
    /// Restarts it.
    Restart,
    /// Shows a generated password once.
    Password,
    /// Sets a new password.
    RotatePassword,
    /// Sets when it expires.
    Extend,
}

impl DatabasePage {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::Backups,
        Self::Snapshots,
        Self::TakeSnapshot,
        Self::Clone,
        Self::Reset,
        Self::Refresh,
        Self::Promote,
        Self::Metrics,
        Self::Logs,
        Self::Settings,
        Self::Upgrade,
        Self::Delete,
        Self::Undelete,
        Self::Purge,
        Self::Start,
        Self::Stop,
        Self::Restart,
        Self::Password,
        Self::RotatePassword,
        Self::Extend,
    ];

    fn path(self) -> &'static str {
        match self {
            Self::Backups => "backups",
            Self::Snapshots => "snapshots",
            Self::TakeSnapshot => "snapshot",
            Self::Clone => "clone",
            Self::Reset => "reset",
            Self::Refresh => "refresh",
            Self::Promote => "promote",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
            Self::Settings => "settings",
            Self::Upgrade => "upgrade",
            Self::Delete => "delete",
            Self::Undelete => "undelete",
            Self::Purge => "purge",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Password => "password",
            Self::RotatePassword => "rotate-password",
            Self::Extend => "extend",
        }
    }
}

/// The overview of a database.
pub fn database(name: impl Display) -> String {
    format!("/containers/{name}")
}

/// Another page of a database.
pub fn database_page(name: impl Display, page: DatabasePage) -> String {
    format!("/containers/{name}/{}", page.path())
}

/// The events of one's own list of databases.
pub const LIST_EVENTS: &str = "/events";

/// The events of the pages of templates.
pub const TEMPLATES_EVENTS: &str = "/events/templates";

/// The events of the pages of administrators.
pub const PORTAL_EVENTS: &str = "/admin/events";

/// The events of the pages of a database.
pub fn database_events(name: impl Display) -> String {
    format!("/containers/{name}/events")
}

/// The list of templates.
pub const TEMPLATES: &str = "/templates";

/// The form that uploads a dump for a new template.
pub const TEMPLATE_UPLOAD: &str = "/templates/from-dump";

/// The page of a template.
pub fn template(name: impl Display) -> String {
    format!("{TEMPLATES}/{name}")
}

/// Dismisses a notice about a template.
pub fn template_notice_seen(name: impl Display, id: Uuid) -> String {
    format!("{TEMPLATES}/{name}/notices/{id}/seen")
}

/// Dismisses a notice about the portal.
pub fn portal_notice_seen(id: Uuid) -> String {
    format!("/admin/notices/{id}/seen")
}

/// Creates a database from a template.
pub fn template_clone(name: impl Display) -> String {
    format!("{TEMPLATES}/{name}/clone")
}

/// Imports the dump of a template again.
pub fn template_refresh(name: impl Display) -> String {
    format!("{TEMPLATES}/{name}/refresh")
}

/// Deletes a template.
pub fn template_delete(name: impl Display) -> String {
    format!("{TEMPLATES}/{name}/delete")
}

/// What can be done with a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackupAction {
    /// Restores it.
    Restore,
    /// Restores it for a test.
    Drill,
    /// Downloads it.
    Download,
    /// Keeps it from being removed.
    Lock,
}

impl BackupAction {
    fn path(self) -> &'static str {
        match self {
            Self::Restore => "restore",
            Self::Drill => "drill",
            Self::Download => "download",
            Self::Lock => "lock",
        }
    }
}

/// An action on a backup, for the owner of its database.
pub fn database_backup(name: impl Display, backup: Uuid, action: BackupAction) -> String {
    format!("/containers/{name}/backups/{backup}/{}", action.path())
}

/// An action on a backup, for administrators.
pub fn admin_backup_action(backup: Uuid, action: BackupAction) -> String {
    format!("/admin/backups/{backup}/{}", action.path())
}

/// Deletes a snapshot.
pub fn snapshot_delete(name: impl Display, snapshot: Uuid) -> String {
    format!("/containers/{name}/snapshots/{snapshot}/delete")
}

/// Restores a snapshot, or switches a database to previous data.
pub fn snapshot_restore(name: impl Display, snapshot: Uuid) -> String {
    format!("/containers/{name}/snapshots/{snapshot}/restore")
}

/// Dismisses a notice.
pub fn notice_seen(name: impl Display, notice: impl Display) -> String {
    format!("/containers/{name}/notices/{notice}/seen")
}

/// A job.
pub fn job(id: impl Display) -> String {
    format!("/jobs/{id}")
}

/// The events of a job, for its page.
pub fn job_events(id: Uuid) -> String {
    format!("/jobs/{id}/events")
}

/// Cancels a job.
pub fn job_cancel(id: Uuid) -> String {
    format!("/jobs/{id}/cancel")
}

/// Restores a backup whose database no longer exists.
pub fn backup_restore(id: Uuid) -> String {
    format!("/backups/{id}/restore")
}

/// Deletes a backup whose database no longer exists.
pub fn backup_delete(id: Uuid) -> String {
    format!("/backups/{id}/delete")
}

/// Downloads a backup.
pub fn backup_download(id: Uuid) -> String {
    format!("/backups/{id}/download")
}

/// A backup, for administrators.
pub fn admin_backup(id: impl Display) -> String {
    format!("/admin/backups/{id}")
}

/// Revokes an access token.
pub fn token_revoke(id: impl Display) -> String {
    format!("/account/tokens/{id}/revoke")
}

/// An account, for administrators.
pub fn admin_user(id: Uuid) -> String {
    format!("/admin/users/{id}")
}

/// What administrators can do with an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserAction {
    /// Blocks signing in.
    Disable,
    /// Allows it again.
    Enable,
    /// Sets the role.
    Role,
    /// Sets a new password.
    Password,
    /// Sets the limits for all databases together.
    Limits,
    /// Deletes it.
    Delete,
}

/// An action on an account, for administrators.
pub fn admin_user_action(id: Uuid, action: UserAction) -> String {
    let verb = match action {
        UserAction::Disable => "disable",
        UserAction::Enable => "enable",
        UserAction::Role => "role",
        UserAction::Password => "password",
        UserAction::Limits => "limits",
        UserAction::Delete => "delete",
    };
    format!("{}/{verb}", admin_user(id))
}

/// A help page.
pub fn docs(page: &str) -> String {
    format!("/docs/{page}")
}

/// A database in the API.
pub fn api_database(name: impl Display) -> String {
    format!("/api/v1/containers/{name}")
}

/// A job in the API.
pub fn api_job(id: impl Display) -> String {
    format!("/api/v1/jobs/{id}")
}

/// The URL of the portal: the configured one, or that used by the browser. HTTP/2 has the host in the URI, HTTP/1 in a
/// header.
pub fn portal(configured: Option<&str>, uri: &Uri, headers: &HeaderMap) -> String {
    let host = uri.authority().map(Authority::as_str);
    let host = host.or_else(|| headers.get(header::HOST)?.to_str().ok()).filter(|host| is_plain(host));
    let host = host.unwrap_or("localhost");
    configured.map_or_else(|| format!("https://{host}"), |url| url.trim_end_matches('/').to_owned())
}

/// Whether a host and port can be part of a line that is pasted into a terminal.
fn is_plain(host: &str) -> bool {
    host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']'))
}

#[cfg(test)]
mod tests {
    use crate::web::routes::ROUTES;
    use crate::web::urls::*;

    #[test]
    fn every_address_has_a_route() {
        let id = Uuid::nil();
        let mut all: Vec<String> = DatabasePage::ALL.map(|page| database_page("lab", page)).to_vec();
        all.extend([
            database("lab"),
            database_events("lab"),
            LIST_EVENTS.to_owned(),
            TEMPLATES_EVENTS.to_owned(),
            PORTAL_EVENTS.to_owned(),
            database_backup("lab", id, BackupAction::Restore),
            database_backup("lab", id, BackupAction::Drill),
            database_backup("lab", id, BackupAction::Download),
            admin_backup_action(id, BackupAction::Restore),
            admin_backup_action(id, BackupAction::Drill),
            admin_backup_action(id, BackupAction::Lock),
            snapshot_restore("lab", id),
            snapshot_delete("lab", id),
            notice_seen("lab", id),
            template_notice_seen("shop", id),
            portal_notice_seen(id),
            job(id),
            job_events(id),
            job_cancel(id),
            backup_restore(id),
            backup_delete(id),
            backup_download(id),
            admin_backup(id),
            token_revoke(id),
            admin_user(id),
            admin_user_action(id, UserAction::Disable),
            admin_user_action(id, UserAction::Enable),
            admin_user_action(id, UserAction::Role),
            admin_user_action(id, UserAction::Password),
            admin_user_action(id, UserAction::Limits),
            admin_user_action(id, UserAction::Delete),
            docs("backups"),
            api_database("lab"),
            api_job(id),
        ]);
        let fits = |pattern: &str, url: &str| {
            let (pattern, url): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), url.split('/').collect());
            pattern.len() == url.len() && pattern.iter().zip(&url).all(|(p, u)| p.starts_with('{') || p == u)
        };
        for url in all {
            assert!(ROUTES.iter().any(|route| fits(route.path, &url)), "{url}");
        }
    }
}
