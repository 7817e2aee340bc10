//! The trait through which an engine describes itself. It returns data and performs no actions.

use secrecy::SecretString;

use crate::catalog::CatalogImage;
use crate::domain::names::NameRules;
use crate::engine::backup::EngineBackup;
use crate::engine::connect::{Endpoint, Snippet, Tls};
use crate::engine::spec::{
    AdminRecovery, EnginePort, ExecSpec, Extension, Recipe, ServerCert, ServerSpec, Tool, VersionFile,
};
use crate::engine::survey::Survey;

/// An engine's description.
pub trait Engine: Sync {
    /// Display name.
    fn label(&self) -> &'static str;
    /// Its purpose, in a few words.
    fn tagline(&self) -> &'static str;
    /// Ports that the server listens on; the first is the one in its URL.
    fn ports(&self) -> &'static [EnginePort];
    /// Rules for names of databases.
    fn database_rules(&self) -> NameRules;
    /// Rules for names of users.
    fn user_rules(&self) -> NameRules;
    /// The names of database and user, if the engine prescribes them.
    fn fixed_names(&self) -> Option<FixedNames> {
        None
    }
    /// Why the engine rejects this password, which complies with the portal's own rules.
    fn password_fault(&self, _password: &str) -> Option<&'static str> {
        None
    }
    /// Extensions that can be added to the user's database when it is created.
    fn extensions(&self) -> &'static [Extension] {
        &[]
    }
    /// Name of the portal's administrator role.
    fn admin_user(&self) -> &'static str;
    /// Programs the portal runs in its containers. An image that lacks one of them cannot be used.
    fn tools(&self) -> &'static [Tool];
    /// How its container is created. `config` contains the files of `dbconfig/<engine>/` by name.
    fn recipe(&self, plan: &ServerSpec<'_>, config: &[(String, String)], cert: &ServerCert) -> Recipe;
    /// Arguments for a server in a sealed container, which must not change its data by itself: what is counted there is
    /// compared with a backup.
    fn sealed_arguments(&self) -> &'static [&'static str] {
        &[]
    }
    /// A command that succeeds once the server accepts its users over its real protocol; prints the server's version.
    /// It also makes settings that are possible only on a running server, such as the host name for its clients.
    fn probe(&self, plan: &ServerSpec<'_>) -> ExecSpec;
    /// A command that succeeds once the server has initialised its data; prints its version. It changes no settings.
    fn initialised(&self, plan: &ServerSpec<'_>) -> ExecSpec {
        self.probe(plan)
    }
    /// How the administrator regains access, for engines whose owner can lock it out. Their probe then reports
    /// [`LOCKED_OUT`](super::LOCKED_OUT).
    fn regain(&self, _plan: &ServerSpec<'_>) -> Option<AdminRecovery> {
        None
    }
    /// Commands that create the user's role, or set its password if it exists. In a new server (`is_new`), they create the
    /// database too. If the administrator still has the password of a seed, they set its own.
    fn accounts(&self, plan: &ServerSpec<'_>, password: &SecretString, is_new: bool) -> Vec<ExecSpec>;
    /// Commands that do the slow part of setting up the accounts beforehand. A server started in advance runs them before it
    /// is paused.
    fn warm_up(&self, _plan: &ServerSpec<'_>) -> Vec<ExecSpec> {
        Vec::new()
    }
    /// A command that writes what is only in the server's log to its data files, so that a copy of them recovers sooner and
    /// shares more with them. `None` if the engine has no such command that leaves its settings unchanged.
    fn flush(&self, _plan: &ServerSpec<'_>) -> Option<ExecSpec> {
        None
    }
    /// Commands that copy the data of a running server to an empty directory while the server keeps working. They run in
    /// order in a separate container, as described in [`COPY_DIR`](super::COPY_DIR); the moment of the copy is the end
    /// of the first. Empty if the engine has no such tool: the server is paused while its data is copied.
    fn copy_online(&self, _plan: &ServerSpec<'_>) -> Vec<ExecSpec> {
        Vec::new()
    }
    /// Commands that print what [`Engine::cut_off`] will switch off, as [`cut_off`](super::cut_off) reads it. They change
    /// nothing, so that the list can be recorded first.
    fn to_cut_off(&self, _plan: &ServerSpec<'_>) -> Vec<ExecSpec> {
        Vec::new()
    }
    /// Commands that prevent a copy of another database's data from writing to other servers, and remove all passwords except
    /// those of the portal's own roles. They run before anybody can connect to the copy, and can be repeated.
    fn cut_off(&self, _plan: &ServerSpec<'_>) -> Vec<ExecSpec> {
        Vec::new()
    }
    /// A command that prints the number of open sessions of the user's role.
    fn sessions(&self, plan: &ServerSpec<'_>) -> ExecSpec;
    /// An inexpensive, read-only command that scans the server; [`Engine::read_survey`] parses its output.
    fn survey(&self, plan: &ServerSpec<'_>) -> ExecSpec;
    /// Parses the output of the survey command.
    fn read_survey(&self, printed: &str) -> Result<Survey, String> {
        Survey::from_lines(printed)
    }
    /// The file in the data directory that contains the version that wrote it, if there is one.
    fn version_file(&self, image: &CatalogImage) -> Option<VersionFile>;
    /// How it is backed up; `None` if backups of this engine are not supported.
    fn backup(&self) -> Option<&'static dyn EngineBackup> {
        None
    }
    /// Examples of how to connect, each with or without verification of the server.
    fn snippets(&self, endpoint: &Endpoint<'_>, tls: Tls<'_>) -> Vec<Snippet>;
    /// The environment variable from which the examples read the password.
    fn password_variable(&self) -> &'static str;
    /// The connection URL, percent-encoded, including the password if given.
    fn url(&self, endpoint: &Endpoint<'_>, password: Option<&str>) -> String;
    /// The same URL for programs that verify the server, or at least encrypt. `ca.pem` is in the current directory.
    fn tls_url(&self, endpoint: &Endpoint<'_>, tls: Tls<'_>, password: Option<&str>) -> String;
}

/// Names that an engine prescribes, so that the form does not ask for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedNames {
    /// The database.
    pub dbname: &'static str,
    /// The user.
    pub dbuser: &'static str,
}
