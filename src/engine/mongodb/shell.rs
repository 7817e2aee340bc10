//! Runs mongosh scripts in a server: as which user, and with which input. A script is an argument; secrets and names,
//! which others can choose, are passed in the environment.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::engine::spec::{ExecSpec, ServerSpec, Tool};

const LIB: &str = include_str!("lib.js");
const OWN: &str = include_str!("own.js");
const ADMINISTER: &str = include_str!("administer.js");
const OBSERVE: &str = include_str!("observe.js");

/// Password of the user that can only read, derived from the administrator's so that no further secret must be stored.
/// If `own.js` changes the role's privileges, increase the number here: it makes all servers update the role.
pub(super) fn observer_password(admin: &SecretString) -> SecretString {
    let text = format!("db4sci_observer 1 {}", admin.expose_secret());
    SecretString::from(hex::encode(Sha256::digest(text)))
}

fn shell(plan: &ServerSpec<'_>, script: String) -> ExecSpec {
    let port = plan.port("mongodb");
    let address = format!("mongodb://127.0.0.1:{port}/?directConnection=true&serverSelectionTimeoutMS=3000");
    let [quiet, norc, eval] = ["--quiet", "--norc", "--eval"].map(str::to_owned);
    let text = |value: &str| SecretString::from(value);
    let admin = plan.admin_secret();
    ExecSpec {
        argv: vec![plan.tools.name(SHELL), quiet, norc, address, eval, script],
        env: vec![
            ("DB4SCI_ADMIN".to_owned(), text(plan.admin_user)),
            ("DB4SCI_OBSERVER_PASSWORD".to_owned(), observer_password(&admin)),
            ("DB4SCI_ADMIN_PASSWORD".to_owned(), admin),
            ("DB4SCI_DATABASE".to_owned(), text(plan.dbname.as_str())),
            ("DB4SCI_USER".to_owned(), text(plan.dbuser.as_str())),
            // The shell writes small files to its home directory.
            ("HOME".to_owned(), text("/tmp")),
            ("MONGOSH_FORCE_DISABLE_TELEMETRY_FOR_TESTING".to_owned(), text("1")),
        ],
        stdin: None,
        user: Some(plan.owner()),
    }
}

/// A script run by the administrator. Accounts are all it touches of what the owner can change.
pub(super) fn administer(plan: &ServerSpec<'_>, script: &str) -> ExecSpec {
    shell(plan, [LIB, OWN, ADMINISTER, script].concat())
}

/// A script that sets `password` for an account of the portal; the password of the read-only user is derived from it.
pub(super) fn administer_with(plan: &ServerSpec<'_>, script: &str, password: &SecretString) -> ExecSpec {
    let mut exec = administer(plan, script);
    exec.env.retain(|(name, _)| name != "DB4SCI_OBSERVER_PASSWORD");
    exec.env.push(("DB4SCI_OBSERVER_PASSWORD".to_owned(), observer_password(password)));
    exec
}

/// A script that only reads, run as a user who can do nothing else.
pub(super) fn observe(plan: &ServerSpec<'_>, script: &str) -> ExecSpec {
    shell(plan, [LIB, OWN, OBSERVE, script].concat())
}

/// The text of a script that signs in itself, as the user of the database.
pub(super) fn as_user(script: &str) -> String {
    [LIB, script].concat()
}

pub(crate) const SHELL: Tool = Tool { names: &["mongosh"] };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::backup::EngineBackup;
    use crate::engine::description::Engine;
    use crate::engine::mongodb::Mongodb;
    use crate::engine::testing::described;

    #[test]
    fn what_only_looks_signs_in_as_who_only_reads() {
        described(&Mongodb, "docker.io/library/mongo:6.0", |plan| {
            let looks = [
                Mongodb.survey(plan),
                Mongodb.sessions(plan),
                Mongodb.inventory(plan),
                Mongodb.count(plan, "trial", true),
                Mongodb.check(plan, "trial"),
            ];
            for exec in looks {
                assert!(exec.argv.iter().any(|a| a.contains("admin.auth(OBSERVER")), "{exec:?}");
            }
        });
    }

    #[test]
    fn the_observers_password_follows_from_the_administrators_and_does_not_show_it() {
        let of = |text: &str| observer_password(&SecretString::from(text)).expose_secret().to_owned();
        assert_ne!(of("one"), of("other"));
        assert!(!of("one").contains("one") && of("one").len() == 64);
    }
}
