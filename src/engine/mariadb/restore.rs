//! How a backup comes back: accounts by the administrator, as data; every database in its owner's own session, so that
//! nothing in it runs with more rights than the owner's; then the owner's account as it was, and a look at what all may do.

use super::session::{administer, rebuild, rebuilding, secret, text};
use crate::engine::part::Part;
use crate::engine::partial::{Read, Stage, Through};
use crate::engine::spec::{ExecSpec, Plan};
use crate::sql::to_mariadb::{Pass, Rules};

const PREPARE: &str = include_str!("prepare.sql");
const LOAD: &str = include_str!("load.sh");
/// Runs statements and tells which of them the server refused.
const REFUSED: &str = include_str!("refused.sh");
const AGAIN: &str = include_str!("again.sh");
const AGAIN_ACCOUNTS: &str = include_str!("again_accounts.sh");
/// Errors of rights on what is not there.
const NOT_THERE: &str = "1049|1141|1146|1147|1305";
const FINISH: &str = include_str!("finish.sql");
const SOME_GRANTS: &str = include_str!("some_grants.sh");
/// Runs statements that stand in the environment.
const RUN: &str = "printf '%s\\n' \"$DB4SCI_STATEMENTS\" | client\n";

/// A command that runs the statements of accounts. `strict`: rights on what is not there are a fault.
pub(super) fn accounts(plan: &Plan<'_>, strict: bool) -> ExecSpec {
    administer(plan, if strict { "client\n" } else { SOME_GRANTS }, &[])
}

/// A command that runs the statements of a database, as the owner.
pub(super) fn load(plan: &Plan<'_>) -> ExecSpec {
    rebuild(plan, LOAD, &[])
}

/// A command that lets the owner fill a database. `anew`: what is there of it goes.
fn prepare(plan: &Plan<'_>, database: &str, anew: bool) -> Stage {
    let statements = format!(
        "{}{}{}SET @anew = {};\n{PREPARE}",
        text("name", plan.dbuser.as_str()),
        text("database", database),
        secret("password", &rebuilding(plan)),
        i32::from(anew)
    );
    Stage::new(Read::Nothing, administer(plan, RUN, &[("DB4SCI_STATEMENTS", &statements)]))
}

fn finish(plan: &Plan<'_>) -> Stage {
    let statements = format!("{}{FINISH}", text("name", plan.dbuser.as_str()));
    Stage::new(Read::Nothing, administer(plan, RUN, &[("DB4SCI_STATEMENTS", &statements)]))
}

fn as_owner(plan: &Plan<'_>, pass: Pass) -> Through {
    let account = (plan.dbuser.as_str().to_owned(), "%".to_owned());
    Through::Statements(Rules { account, collations: false, pass })
}

/// Commands for a part. `whole`: all of a backup is restored.
pub(super) fn stages(plan: &Plan<'_>, part: &Part, whole: bool) -> Vec<Stage> {
    let as_data = || Through::Accounts(plan.admin_user.to_owned());
    match &part.database {
        Some(database) => vec![prepare(plan, database, true), Stage::changed(load(plan), as_owner(plan, Pass::All))],
        None if part.file == WHAT => vec![Stage::changed(accounts(plan, whole), as_data()), finish(plan)],
        None => vec![Stage::changed(accounts(plan, true), as_data())],
    }
}

/// A command of the second attempt for the accounts. `whole`: all of a backup is restored.
fn accounts_again(plan: &Plan<'_>, whole: bool) -> Stage {
    let expected = if whole { "-" } else { NOT_THERE };
    let exec = administer(plan, &format!("{REFUSED}{AGAIN_ACCOUNTS}"), &[("DB4SCI_EXPECTED", expected)]);
    Stage::changed(exec, Through::Accounts(plan.admin_user.to_owned()))
}

/// A command of the second attempt for some of a database's statements. `tell`: what is refused now stays away.
fn database_again(plan: &Plan<'_>, pass: Pass, tell: bool) -> Stage {
    let flag = |yes| if yes { "1" } else { "0" };
    let env = [("DB4SCI_TELL", flag(tell)), ("DB4SCI_KEPT", flag(pass == Pass::Code))];
    Stage::changed(rebuild(plan, &format!("{REFUSED}{AGAIN}"), &env), as_owner(plan, pass))
}

/// All sequences first, then tables with their data, then what refers to them, twice: whatever is named there is there by
/// then. What the server refuses is told and left out. `whole`: all of a backup is restored.
pub(super) fn second_attempt(plan: &Plan<'_>, parts: &[Part], whole: bool) -> Vec<(usize, Stage)> {
    let databases = || parts.iter().enumerate().filter_map(|(i, p)| p.database.as_deref().map(|d| (i, d)));
    let server =
        |what: bool| parts.iter().enumerate().filter(move |(_, p)| p.database.is_none() && (p.file == WHAT) == what);
    let mut found: Vec<_> = server(false).map(|(i, _)| (i, accounts_again(plan, whole))).collect();
    for (i, database) in databases() {
        found.extend([(i, prepare(plan, database, true)), (i, database_again(plan, Pass::Sequences, false))]);
    }
    for (i, database) in databases() {
        found.extend([(i, prepare(plan, database, false)), (i, database_again(plan, Pass::Data, true))]);
    }
    for tell in [false, true] {
        for (i, database) in databases() {
            found.extend([(i, prepare(plan, database, false)), (i, database_again(plan, Pass::Code, tell))]);
        }
    }
    for (i, _) in server(true) {
        found.extend([(i, accounts_again(plan, whole)), (i, finish(plan))]);
    }
    found
}

/// What they may do with single tables and routines. The last part of a backup.
pub(crate) const WHAT: &str = "grants.sql";
