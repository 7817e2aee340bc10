//! How a backup comes back: accounts by the administrator, as data; every database in its owner's own session, so that
//! nothing in it runs with more rights than the owner's; then the owner's account as it was, and a look at what all may do.

use super::backup::WHAT;
use super::session::{administer, rebuild, rebuilding, secret, text};
use crate::engine::alone::{Read, Stage, Through};
use crate::engine::backup::Part;
use crate::engine::{ExecSpec, Plan};
use crate::intake::mysql::{Pass, Rules};

const PREPARE: &str = include_str!("prepare.sql");
const LOAD: &str = include_str!("load.sh");
const AGAIN: &str = include_str!("again.sh");
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

/// All sequences first, then tables with their data, then what refers to them, twice: whatever is named there is there by
/// then.
pub(super) fn second_attempt(plan: &Plan<'_>, parts: &[Part]) -> Vec<(usize, Stage)> {
    let with = |pass, tell: &str| Stage::changed(rebuild(plan, AGAIN, &[("DB4SCI_TELL", tell)]), as_owner(plan, pass));
    let databases = || parts.iter().enumerate().filter_map(|(i, p)| p.database.as_deref().map(|d| (i, d)));
    let server =
        |what: bool| parts.iter().enumerate().filter(move |(_, p)| p.database.is_none() && (p.file == WHAT) == what);
    let mut found = Vec::new();
    for (i, part) in server(false) {
        found.extend(stages(plan, part, false).into_iter().map(|stage| (i, stage)));
    }
    for (i, database) in databases() {
        found.extend([(i, prepare(plan, database, true)), (i, with(Pass::Sequences, "0"))]);
    }
    for (i, database) in databases() {
        found.extend([(i, prepare(plan, database, false)), (i, with(Pass::Data, "1"))]);
    }
    for tell in ["0", "1"] {
        for (i, database) in databases() {
            found.extend([(i, prepare(plan, database, false)), (i, with(Pass::Code, tell))]);
        }
    }
    for (i, part) in server(true) {
        found.extend(stages(plan, part, false).into_iter().map(|stage| (i, stage)));
    }
    found
}
