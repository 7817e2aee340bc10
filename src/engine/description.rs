//! What an engine says of itself. It describes and never acts.

use secrecy::SecretString;

use crate::catalog::CatalogImage;
use crate::domain::names::NameRules;
use crate::engine::backup::EngineBackup;
use crate::engine::connect::{Endpoint, Snippet};
use crate::engine::spec::{
    AdminRecovery, EnginePort, ExecSpec, Extension, Recipe, ServerCert, ServerSpec, Tool, VersionFile,
};
use crate::engine::survey::Survey;

/// An engine's description.
pub trait Engine: Sync {
    /// Its name for people.
    fn label(&self) -> &'static str;
    /// What it is good for, in a few words.
    fn tagline(&self) -> &'static str;
    /// Ports it listens on; the first is the one in its URL.
    fn ports(&self) -> &'static [EnginePort];
    /// What it allows as names of databases.
    fn database_rules(&self) -> NameRules;
    /// What it allows as names of users.
    fn user_rules(&self) -> NameRules;
    /// The names it gives by itself, if it does.
    fn fixed_names(&self) -> Option<FixedNames> {
        None
    }
    /// Why it does not take this password, which keeps the portal's own rules.
    fn password_fault(&self, _password: &str) -> Option<&'static str> {
        None
    }
    /// What can be added to the user's database when it is made.
    fn extensions(&self) -> &'static [Extension] {
        &[]
    }
    /// Name of the portal's own administrator role.
    fn admin_user(&self) -> &'static str;
    /// Programs the portal runs in its containers. An image without one of them can't be used.
    fn tools(&self) -> &'static [Tool];
    /// How its container is made. `config` holds the files of `dbconfig/<engine>/` by name.
    fn recipe(&self, plan: &ServerSpec<'_>, config: &[(String, String)], cert: &ServerCert) -> Recipe;
    /// A command that succeeds once the server serves its users over its real protocol; prints the server's version.
    /// It also tells the server what can only be told while it runs, such as the name its clients know it by.
    fn probe(&self, plan: &ServerSpec<'_>) -> ExecSpec;
    /// A command that succeeds once the server has made its data, and prints its version. It tells the server nothing.
    fn initialised(&self, plan: &ServerSpec<'_>) -> ExecSpec {
        self.probe(plan)
    }
    /// How the administrator gets in again, for engines whose owner can shut it out: then their probe says
    /// [`LOCKED_OUT`](super::LOCKED_OUT).
    fn regain(&self, _plan: &ServerSpec<'_>) -> Option<AdminRecovery> {
        None
    }
    /// Commands that make the user's database and role, or find them made and set the password. Where the administrator
    /// still has the password of a seed, it gets its own.
    fn accounts(&self, plan: &ServerSpec<'_>, password: &SecretString) -> Vec<ExecSpec>;
    /// A command that prints how many sessions the user's role has open.
    fn sessions(&self, plan: &ServerSpec<'_>) -> ExecSpec;
    /// A light, read-only command whose output [`Engine::read_survey`] understands.
    fn survey(&self, plan: &ServerSpec<'_>) -> ExecSpec;
    /// Reads what the survey command printed.
    fn read_survey(&self, printed: &str) -> Result<Survey, String> {
        Survey::from_lines(printed)
    }
    /// Where the data directory names the version that wrote it, if it does.
    fn version_file(&self, image: &CatalogImage) -> Option<VersionFile>;
    /// How it is backed up; `None` where that is not to be had yet.
    fn backup(&self) -> Option<&'static dyn EngineBackup> {
        None
    }
    /// Ways to connect.
    fn snippets(&self, endpoint: &Endpoint<'_>) -> Vec<Snippet>;
    /// The variable from which programs take the password, as the ways to connect name it.
    fn password_variable(&self) -> &'static str;
    /// The URL to connect with; percent-encoded, with the password where one is given.
    fn url(&self, endpoint: &Endpoint<'_>, password: Option<&str>) -> String;
    /// A sentence on encryption, for below the ways to connect.
    fn encryption_note(&self) -> &'static str;
}

/// Names that an engine gives by itself, so the form does not ask for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedNames {
    /// The database.
    pub dbname: &'static str,
    /// The user.
    pub dbuser: &'static str,
}
