//! Accounts and settings of the portal's sessions in a MariaDB server. There are three kinds (docs/SECURITY.md):
//! observing uses an account that can only read; rebuilding uses the owner's account, in a client without commands of
//! its own; administering uses root, in no database, and passes the owner's names only in hexadecimal.

use secrecy::{ExposeSecret, SecretString};

use crate::engine::backup::NOBODY;
use crate::engine::spec::{ExecSpec, ServerSpec, Stdin, Tool};

/// The account that observes.
const OBSERVER: &str = "db4sci_observer";
/// The beginning of every script.
const SHELL: &str = include_str!("lib.sh");
/// Ensures that the observer exists with exactly the privileges it needs.
const OBSERVED: &str = include_str!("administer/create_observer.sh");
const READY: &str = include_str!("administer/observer_ready.sql");
const OBSERVER_SQL: &str = include_str!("administer/observer.sql");
/// First statement of every session; its settings override the server's configuration.
pub(super) const SETTINGS: &str = include_str!("session.sql");

/// Sets a variable to a value in hexadecimal, so that nothing in it needs quoting.
pub(super) fn text(name: &str, value: &str) -> String {
    format!("SET @{name} = CONVERT(X'{}' USING utf8mb4);\n", hex::encode(value))
}

/// Sets a variable to the bytes of a secret, in hexadecimal.
pub(super) fn secret(name: &str, value: &SecretString) -> String {
    format!("SET @{name} = X'{}';\n", hex::encode(value.expose_secret()))
}

/// The owner's password while a restore fills a server that nobody uses yet.
pub(super) fn rebuilding(plan: &ServerSpec<'_>) -> SecretString {
    plan.derived("db4sci rebuild")
}

fn script(argv: &str, env: Vec<(&str, SecretString)>, user: String) -> ExecSpec {
    ExecSpec {
        argv: ["sh", "-c", argv].map(str::to_owned).to_vec(),
        env: env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        stdin: Stdin::Closed,
        user: Some(user),
    }
}

fn known(plan: &ServerSpec<'_>) -> Vec<(&'static str, SecretString)> {
    let settings = SETTINGS.lines().collect::<Vec<_>>().join(" ");
    vec![("DB4SCI_CLIENT", plan.tools.name(CLIENT).into()), ("DB4SCI_SETTINGS", settings.into())]
}

/// A script that observes. Its `client` uses the account that can only read, which is created or corrected first.
pub(super) fn observe(plan: &ServerSpec<'_>, text: &str, env: &[(&str, &str)]) -> ExecSpec {
    let password = plan.derived("db4sci observer");
    let make = format!("{}{OBSERVER_SQL}", secret("password", &password));
    let mut all = known(plan);
    all.extend([
        ("DB4SCI_DUMPER", plan.tools.name(DUMPER).into()),
        ("DB4SCI_USER", OBSERVER.into()),
        ("DB4SCI_PASSWORD", password),
        ("DB4SCI_ADMIN", plan.admin_user.into()),
        ("DB4SCI_ADMIN_PASSWORD", plan.admin_secret()),
        ("DB4SCI_READY", READY.into()),
        ("DB4SCI_OBSERVER", make.into()),
    ]);
    all.extend(env.iter().map(|(name, value)| (*name, SecretString::from(*value))));
    script(&format!("{SHELL}{OBSERVED}{text}"), all, plan.owner())
}

/// A command that runs statements as the observer.
pub(super) fn ask(plan: &ServerSpec<'_>, statements: String) -> ExecSpec {
    let mut exec = observe(plan, "client --raw\n", &[]);
    exec.stdin = Stdin::Text(SecretString::from(statements));
    exec
}

/// A script whose `client` is the administrator, in no database.
pub(super) fn administer(plan: &ServerSpec<'_>, text: &str, env: &[(&str, &str)]) -> ExecSpec {
    let mut all = known(plan);
    all.extend([("DB4SCI_USER", plan.admin_user.into()), ("DB4SCI_PASSWORD", plan.admin_secret())]);
    all.extend(env.iter().map(|(name, value)| (*name, SecretString::from(*value))));
    script(&format!("{SHELL}{text}"), all, plan.owner())
}

/// A script whose `client` is the owner. It runs as an operating system user that cannot read the server's files.
pub(super) fn rebuild(plan: &ServerSpec<'_>, text: &str, env: &[(&str, &str)]) -> ExecSpec {
    let mut all = known(plan);
    all.extend([("DB4SCI_USER", plan.dbuser.as_str().into()), ("DB4SCI_PASSWORD", rebuilding(plan))]);
    all.extend(env.iter().map(|(name, value)| (*name, SecretString::from(*value))));
    script(&format!("{SHELL}{text}"), all, NOBODY.to_owned())
}

pub(crate) const CLIENT: Tool = Tool { names: &["mariadb", "mysql"] };

pub(crate) const DUMPER: Tool = Tool { names: &["mariadb-dump", "mysqldump"] };
