//! Restores a backup of MariaDB. The administrator restores the accounts, as data. Each database is restored in its
//! owner's own session, so that nothing in it runs with more privileges than the owner's. Finally the owner's account is
//! restored as it was, and the privileges of all accounts are checked.

use super::session::{administer, rebuild, rebuilding, secret, text};
use crate::engine::part::Part;
use crate::engine::partial::{RestoreStage, StageInput, Transform};
use crate::engine::spec::{ExecSpec, ServerSpec};
use crate::sql::to_mariadb::{DatabasePlaces, LastMoment, RewriteRules, StatementScope};

const PREPARE: &str = include_str!("rebuild/prepare_owner.sql");
const LOAD: &str = include_str!("rebuild/restore_database.sh");
/// Runs statements and reports those that the server rejects.
const REFUSED: &str = include_str!("rebuild/run_and_skip.sh");
const AGAIN: &str = include_str!("rebuild/second_attempt.sh");
const AGAIN_ACCOUNTS: &str = include_str!("rebuild/second_attempt_accounts.sh");
/// Error codes for privileges on objects that do not exist.
const NOT_THERE: &str = "1049|1141|1146|1147|1305";
const ABOVE: &str = include_str!("administer/above_owner.sql");
const FINISH: &str = include_str!("rebuild/check_rights.sql");
const SOME_GRANTS: &str = include_str!("rebuild/table_grants.sh");
/// Runs the statements in the environment.
const RUN: &str = "printf '%s\\n' \"$DB4SCI_STATEMENTS\" | client\n";

/// The query for accounts above an owner, without these local accounts, as a list of SQL that begins with a comma.
pub(super) fn above(image: &str) -> String {
    ABOVE.replace("@IMAGE@", image)
}

/// A command that runs the statements of accounts. `strict`: privileges on missing objects are an error.
pub(super) fn accounts(plan: &ServerSpec<'_>, strict: bool) -> ExecSpec {
    administer(plan, if strict { "client\n" } else { SOME_GRANTS }, &[])
}

/// A command that runs the statements of a database, as the owner.
pub(super) fn load(plan: &ServerSpec<'_>) -> ExecSpec {
    rebuild(plan, LOAD, &[])
}

/// A command that enables the owner to fill a database. `anew`: its existing content is dropped.
fn prepare(plan: &ServerSpec<'_>, database: &str, anew: bool) -> RestoreStage {
    let statements = format!(
        "{}{}{}SET @anew = {};\n{PREPARE}",
        text("name", plan.dbuser.as_str()),
        text("database", database),
        secret("password", &rebuilding(plan)),
        i32::from(anew)
    );
    RestoreStage::new(StageInput::Nothing, administer(plan, RUN, &[("DB4SCI_STATEMENTS", &statements)]))
}

fn finish(plan: &ServerSpec<'_>) -> RestoreStage {
    let statements = format!("{}{}", text("name", plan.dbuser.as_str()), FINISH.replace("@ABOVE@", &above("")));
    RestoreStage::new(StageInput::Nothing, administer(plan, RUN, &[("DB4SCI_STATEMENTS", &statements)]))
}

fn as_owner(plan: &ServerSpec<'_>, pass: StatementScope) -> Transform {
    let account = (plan.dbuser.as_str().to_owned(), "%".to_owned());
    let last_moment = Some(LastMoment::of(&plan.image.version));
    Transform::Statements(RewriteRules {
        account,
        collations: false,
        pass,
        places: DatabasePlaces::default(),
        last_moment,
    })
}

/// The stages for a part. `whole`: the whole backup is restored.
pub(super) fn stages(plan: &ServerSpec<'_>, part: &Part, whole: bool) -> Vec<RestoreStage> {
    let as_data = || Transform::Accounts(plan.admin_user.to_owned());
    match &part.database {
        Some(database) => {
            vec![prepare(plan, database, true), RestoreStage::changed(load(plan), as_owner(plan, StatementScope::All))]
        }
        None if part.file == WHAT => vec![RestoreStage::changed(accounts(plan, whole), as_data()), finish(plan)],
        None => vec![RestoreStage::changed(accounts(plan, true), as_data())],
    }
}

/// A stage of the second attempt for the accounts. `whole`: the whole backup is restored.
fn accounts_again(plan: &ServerSpec<'_>, whole: bool) -> RestoreStage {
    let expected = if whole { "-" } else { NOT_THERE };
    let exec = administer(plan, &format!("{REFUSED}{AGAIN_ACCOUNTS}"), &[("DB4SCI_EXPECTED", expected)]);
    RestoreStage::changed(exec, Transform::Accounts(plan.admin_user.to_owned()))
}

/// A stage of the second attempt for some of a database's statements. `tell`: what the server rejects now is reported
/// and left out.
fn database_again(plan: &ServerSpec<'_>, pass: StatementScope, tell: bool) -> RestoreStage {
    let flag = |yes| if yes { "1" } else { "0" };
    let env = [("DB4SCI_TELL", flag(tell)), ("DB4SCI_KEPT", flag(pass == StatementScope::Code))];
    RestoreStage::changed(rebuild(plan, &format!("{REFUSED}{AGAIN}"), &env), as_owner(plan, pass))
}

/// First all sequences, then tables with their data, then twice the objects that refer to them, so that everything they
/// refer to exists by then. What the server rejects is reported and left out. `whole`: the whole backup is restored.
pub(super) fn second_attempt(plan: &ServerSpec<'_>, parts: &[Part], whole: bool) -> Vec<(usize, RestoreStage)> {
    let databases = || parts.iter().enumerate().filter_map(|(i, p)| p.database.as_deref().map(|d| (i, d)));
    let server =
        |what: bool| parts.iter().enumerate().filter(move |(_, p)| p.database.is_none() && (p.file == WHAT) == what);
    let mut found: Vec<_> = server(false).map(|(i, _)| (i, accounts_again(plan, whole))).collect();
    for (i, database) in databases() {
        found.extend([(i, prepare(plan, database, true)), (i, database_again(plan, StatementScope::Sequences, false))]);
    }
    for (i, database) in databases() {
        found.extend([(i, prepare(plan, database, false)), (i, database_again(plan, StatementScope::Data, true))]);
    }
    for tell in [false, true] {
        for (i, database) in databases() {
            found.extend([(i, prepare(plan, database, false)), (i, database_again(plan, StatementScope::Code, tell))]);
        }
    }
    for (i, _) in server(true) {
        found.extend([(i, accounts_again(plan, whole)), (i, finish(plan))]);
    }
    found
}

/// Privileges on single tables and routines. The last part of a backup.
pub(crate) const WHAT: &str = "grants.sql";
