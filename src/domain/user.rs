//! Users, and the one function that decides what they may do.

use uuid::Uuid;

use super::names::Username;

/// The role of a user in the portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type, serde::Serialize)]
#[sqlx(type_name = "user_role", rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Owns databases and sees only those.
    User,
    /// May see and do everything.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 2] = [Self::User, Self::Admin];

    /// The role's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
        }
    }

    /// The role with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.as_str() == word)
    }
}

/// A signed-in user.
#[derive(Debug, Clone)]
pub struct User {
    /// Id of the account.
    pub id: Uuid,
    /// Name of the account.
    pub username: Username,
    /// Role of the account.
    pub role: Role,
    /// E-mail address, the default contact in forms.
    pub email: String,
    /// Department, the default in forms.
    pub department: String,
}

impl User {
    /// Whether this is an admin.
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }
}

/// An action that a user wants to perform on a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// View its pages.
    View,
    /// Read the log of its server.
    ReadLogs,
    /// Show the generated password, once.
    RevealPassword,
    /// Generate a new password.
    RotatePassword,
    /// Change contact, description and limits.
    Edit,
    /// Make a backup or test one.
    Backup,
    /// Download one of its backups as a file.
    Download,
    /// Restore one of its backups to a new database.
    Restore,
    /// Start it.
    Start,
    /// Stop it.
    Stop,
    /// Restart it.
    Restart,
    /// Move it to the trash.
    Delete,
    /// Restore it from the trash.
    Undelete,
    /// Delete it permanently.
    Purge,
    /// Transfer it to another owner.
    ChangeOwner,
    /// Start or end maintenance.
    Maintain,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 16] = [
        Self::View,
        Self::ReadLogs,
        Self::RevealPassword,
        Self::RotatePassword,
        Self::Edit,
        Self::Backup,
        Self::Download,
        Self::Restore,
        Self::Start,
        Self::Stop,
        Self::Restart,
        Self::Delete,
        Self::Undelete,
        Self::Purge,
        Self::ChangeOwner,
        Self::Maintain,
    ];

    /// Whether the action only reads.
    pub fn is_read(self) -> bool {
        matches!(self, Self::View | Self::ReadLogs | Self::Download)
    }
}

/// The facts about a container needed for the decision.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The account that owns it.
    pub owner: Uuid,
    /// An admin's note while it is under maintenance.
    pub maintenance: Option<&'a str>,
    /// The banner text while the whole portal is read-only.
    pub read_only: Option<&'a str>,
}

/// The result of [`can`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permission {
    /// The action is allowed.
    Allowed,
    /// For this user the container does not exist.
    Hidden,
    /// The user may see the container but not perform the action; the sentence says why.
    Refused(String),
}

/// Decides whether `user` may perform `action` on a container. The only authorisation function.
///
/// A stranger gets [`Permission::Hidden`], never a rejection, so that the names of other users' databases cannot be
/// probed. Maintenance and read-only mode restrict owners but not admins, because somebody must be able to do the
/// maintenance.
pub fn can(user: &User, action: Action, container: &Subject<'_>) -> Permission {
    if user.is_admin() {
        return Permission::Allowed;
    }
    if user.id != container.owner {
        return Permission::Hidden;
    }
    if matches!(action, Action::ChangeOwner | Action::Maintain) {
        return Permission::Refused("Only administrators can do this.".to_owned());
    }
    if action.is_read() {
        return Permission::Allowed;
    }
    if let Some(note) = container.read_only {
        return Permission::Refused(format!("The portal is in read-only mode: {note}"));
    }
    if action == Action::RevealPassword {
        return Permission::Allowed;
    }
    match container.maintenance {
        Some(note) => Permission::Refused(format!("This database is in maintenance: {note}")),
        None => Permission::Allowed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(id: u128, role: Role) -> User {
        User {
            id: Uuid::from_u128(id),
            username: Username::parse("someone").unwrap(),
            role,
            email: String::new(),
            department: String::new(),
        }
    }

    #[test]
    fn strangers_see_nothing_and_admins_do_everything() {
        let subject = Subject { owner: Uuid::from_u128(1), maintenance: Some("move"), read_only: Some("upgrade") };
        for action in Action::ALL {
            assert_eq!(can(&person(2, Role::User), action, &subject), Permission::Hidden);
            assert_eq!(can(&person(3, Role::Admin), action, &subject), Permission::Allowed);
        }
    }

    #[test]
    fn owners_may_act_on_their_databases_outside_maintenance() {
        let owner = person(1, Role::User);
        let free = Subject { owner: owner.id, maintenance: None, read_only: None };
        let paused = Subject { maintenance: Some("disk swap"), ..free };
        let frozen = Subject { read_only: Some("upgrade"), ..free };
        for action in Action::ALL {
            let admins_only = matches!(action, Action::ChangeOwner | Action::Maintain);
            assert_eq!(can(&owner, action, &free) == Permission::Allowed, !admins_only, "{action:?}");
            let looks = action.is_read();
            assert_eq!(
                can(&owner, action, &paused) == Permission::Allowed,
                looks || action == Action::RevealPassword,
                "{action:?}"
            );
            assert_eq!(can(&owner, action, &frozen) == Permission::Allowed, looks, "{action:?}");
        }
    }
}
