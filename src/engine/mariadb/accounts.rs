//! Processes the accounts of a backup as data. Users, roles and privileges written by a server are parsed with the
//! exact grammar of `SHOW CREATE USER` and `SHOW GRANTS`; anything else is rejected. The statements that restore them
//! are assembled in the server from names in hexadecimal, and grant nothing with which an account could become
//! administrator.

use super::grammar::{NotAccepted, StatementReader};
use super::statement::StatementBuilder;
use crate::engine::mariadb::statement::Grantee;

/// Global privileges that allow no changes.
const HARMLESS: &[&str] = &[
    "USAGE",
    "SELECT",
    "SHOW DATABASES",
    "SHOW VIEW",
    "PROCESS",
    "LOCK TABLES",
    "BINLOG MONITOR",
    "REPLICATION CLIENT",
    "SLAVE MONITOR",
    "REPLICA MONITOR",
    "SHOW CREATE ROUTINE",
];
/// The server's own databases.
const SERVERS_OWN: &[&str] = &["mysql", "sys", "performance_schema", "information_schema"];

/// How a statement about accounts is restored.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Rewritten {
    /// Not at all: a restored server has its own equivalent.
    Nothing,
    /// As this statement.
    Statement(String),
    /// As this statement or not at all, with a note on what was withheld.
    Withheld(Option<String>, String),
}

/// Parses one statement of a backup's accounts. `admin` is the portal's administrator.
pub(crate) fn becomes(statement: &[u8], admin: &str) -> Result<Rewritten, String> {
    let mut reader = StatementReader::new(statement);
    read(&mut reader, admin).map_err(|NotAccepted(why)| {
        let text = String::from_utf8_lossy(statement);
        let shown: String = text.chars().filter(|c| !c.is_control()).take(120).collect();
        format!(
            "This backup contains an account statement that the portal would not write ({why}): {shown} … It may come \
             from a compromised server, so nothing was executed. Restore an older backup, or ask an administrator to \
             inspect this one."
        )
    })
}

fn read(r: &mut StatementReader<'_>, admin: &str) -> Result<Rewritten, NotAccepted> {
    let done = if r.takes(&["SET", "SESSION", "sql_mode"]) {
        r.mark(b'=')?;
        r.text()?;
        Rewritten::Nothing
    } else if r.takes(&["SET", "DEFAULT", "ROLE"]) {
        let role = r.name()?;
        r.words(&["FOR"])?;
        let who = Grantee::read(r, admin)?;
        Rewritten::Statement(StatementBuilder::new("SET DEFAULT ROLE ").name(&role).plain(" FOR ").who(&who).done())
    } else if r.takes(&["DROP", "ROLE", "IF", "EXISTS"]) {
        let role = Grantee::role(r, admin)?;
        Rewritten::Statement(StatementBuilder::new("DROP ROLE IF EXISTS ").who(&role).done())
    } else if r.takes(&["CREATE", "ROLE"]) {
        let role = Grantee::role(r, admin)?;
        Rewritten::Statement(StatementBuilder::new("CREATE ROLE ").who(&role).done())
    } else if r.takes(&["DROP", "USER", "IF", "EXISTS"]) {
        let who = Grantee::read(r, admin)?;
        Rewritten::Statement(StatementBuilder::new("DROP USER IF EXISTS ").who(&who).done())
    } else if r.takes(&["CREATE", "USER"]) {
        let who = Grantee::read(r, admin)?;
        let built = options(r, StatementBuilder::new("CREATE USER ").who(&who))?;
        Rewritten::Statement(built.done())
    } else if r.takes(&["GRANT"]) {
        grant(r, admin)?
    } else {
        return Err(NotAccepted("not an account statement"));
    };
    r.end()?;
    Ok(done)
}

/// Authentication and limits of an account.
fn options(r: &mut StatementReader<'_>, mut b: StatementBuilder) -> Result<StatementBuilder, NotAccepted> {
    if r.takes(&["IDENTIFIED"]) {
        b = identified(r, b)?;
    }
    if r.takes(&["REQUIRE"]) {
        b = b.plain(" REQUIRE");
        b = match r.one_of(&["NONE", "SSL", "X509"]) {
            Some(word) => b.plain(" ").plain(word),
            None => {
                let mut b = b;
                while let Some(word) = r.one_of(&["ISSUER", "SUBJECT", "CIPHER"]) {
                    b = b.plain(" ").plain(word).plain(" ").text(&r.text()?);
                }
                b
            }
        };
    }
    if r.takes(&["WITH"]) {
        b = limits(r, b.plain(" WITH"))?;
    }
    if r.takes(&["ACCOUNT", "LOCK"]) {
        b = b.plain(" ACCOUNT LOCK");
    }
    if r.takes(&["PASSWORD", "EXPIRE"]) {
        b = b.plain(" PASSWORD EXPIRE");
        if r.takes(&["INTERVAL"]) {
            b = b.plain(" INTERVAL ").plain(&r.digits()?).plain(" DAY");
            r.words(&["DAY"])?;
        } else if let Some(word) = r.one_of(&["NEVER", "DEFAULT"]) {
            b = b.plain(" ").plain(word);
        }
    }
    if r.takes(&["ACCOUNT", "LOCK"]) {
        b = b.plain(" ACCOUNT LOCK");
    }
    Ok(b)
}

const LIMITS: &[&str] = &[
    "MAX_QUERIES_PER_HOUR",
    "MAX_UPDATES_PER_HOUR",
    "MAX_CONNECTIONS_PER_HOUR",
    "MAX_USER_CONNECTIONS",
    "MAX_STATEMENT_TIME",
];

fn limits(r: &mut StatementReader<'_>, mut b: StatementBuilder) -> Result<StatementBuilder, NotAccepted> {
    let mut any = false;
    while let Some(word) = r.one_of(LIMITS) {
        any = true;
        b = b.plain(" ").plain(word).plain(" ").plain(&r.number()?);
    }
    if any { Ok(b) } else { Err(NotAccepted("WITH and no limit")) }
}

fn identified(r: &mut StatementReader<'_>, mut b: StatementBuilder) -> Result<StatementBuilder, NotAccepted> {
    if r.takes(&["BY", "PASSWORD"]) {
        return Ok(b.plain(" IDENTIFIED BY PASSWORD ").text(&r.text()?));
    }
    r.words(&["VIA"])?;
    b = b.plain(" IDENTIFIED VIA ");
    loop {
        let plugin = r.plugin()?;
        // With these plugins, any user of the container's operating system could sign in to the server.
        let by_system = ["unix_socket", "auth_socket"].contains(&plugin.to_ascii_lowercase().as_str());
        let plugin = if by_system { "mysql_native_password".to_owned() } else { plugin };
        b = b.plain(&plugin);
        if r.takes(&["USING"]) {
            let value = r.text()?;
            b = if by_system { b.plain(" USING 'invalid'") } else { b.plain(" USING ").text(&value) };
        } else if by_system {
            b = b.plain(" USING 'invalid'");
        }
        if !r.takes(&["OR"]) {
            return Ok(b);
        }
        b = b.plain(" OR ");
    }
}

/// The level of a grant.
enum GrantLevel {
    Everything,
    Database(Vec<u8>),
    Object(&'static str, Vec<u8>, Vec<u8>),
}

fn grant(r: &mut StatementReader<'_>, admin: &str) -> Result<Rewritten, NotAccepted> {
    if r.takes(&["PROXY", "ON"]) {
        r.rest();
        return Ok(Rewritten::Withheld(
            None,
            "The privilege to sign in as another user (PROXY) was not restored.".to_owned(),
        ));
    }
    if r.is_name() {
        let role = Grantee::role(r, admin)?;
        r.words(&["TO"])?;
        let who = Grantee::read(r, admin)?;
        let option = if r.takes(&["WITH", "ADMIN", "OPTION"]) { " WITH ADMIN OPTION" } else { "" };
        return Ok(Rewritten::Statement(
            StatementBuilder::new("GRANT ").who(&role).plain(" TO ").who(&who).plain(option).done(),
        ));
    }
    let rights = rights(r)?;
    let on = object(r)?;
    r.words(&["TO"])?;
    let who = Grantee::read(r, admin)?;
    if r.takes(&["IDENTIFIED"]) {
        // Already restored by CREATE USER.
        identified(r, StatementBuilder::new(""))?;
    }
    if r.takes(&["REQUIRE"]) {
        options_of_grant(r)?;
    }
    let mut option = false;
    if r.takes(&["WITH"]) {
        option = r.takes(&["GRANT", "OPTION"]);
        let limited = r.is_limit(LIMITS);
        if limited {
            limits(r, StatementBuilder::new(""))?;
        } else if !option {
            return Err(NotAccepted("WITH and no option"));
        }
    }
    Ok(given(&rights, &on, &who, option))
}

fn options_of_grant(r: &mut StatementReader<'_>) -> Result<(), NotAccepted> {
    if r.one_of(&["NONE", "SSL", "X509"]).is_none() {
        while r.one_of(&["ISSUER", "SUBJECT", "CIPHER"]).is_some() {
            r.text()?;
        }
    }
    Ok(())
}

/// A privilege, and the columns it is limited to.
struct Privilege {
    name: String,
    columns: Vec<Vec<u8>>,
}

fn rights(r: &mut StatementReader<'_>) -> Result<Vec<Privilege>, NotAccepted> {
    let mut found = Vec::new();
    loop {
        let name = r.right()?;
        let mut columns = Vec::new();
        if r.takes_mark(b'(') {
            loop {
                columns.push(r.name()?);
                if !r.takes_mark(b',') {
                    break;
                }
            }
            r.mark(b')')?;
        }
        found.push(Privilege { name, columns });
        if !r.takes_mark(b',') {
            break;
        }
    }
    r.words(&["ON"])?;
    Ok(found)
}

fn object(r: &mut StatementReader<'_>) -> Result<GrantLevel, NotAccepted> {
    if r.takes_mark(b'*') {
        r.mark(b'.')?;
        r.mark(b'*')?;
        return Ok(GrantLevel::Everything);
    }
    let kind = match r.one_of(&["FUNCTION", "PROCEDURE", "PACKAGE"]) {
        Some("PACKAGE") => {
            if r.takes(&["BODY"]) {
                "PACKAGE BODY "
            } else {
                "PACKAGE "
            }
        }
        Some("FUNCTION") => "FUNCTION ",
        Some(_) => "PROCEDURE ",
        None => "",
    };
    let database = r.name()?;
    r.mark(b'.')?;
    if kind.is_empty() && r.takes_mark(b'*') {
        return Ok(GrantLevel::Database(database));
    }
    Ok(GrantLevel::Object(kind, database, r.name()?))
}

/// The statement for the permitted part of a grant.
fn given(rights: &[Privilege], on: &GrantLevel, who: &Grantee, option: bool) -> Rewritten {
    let (servers, place) = match on {
        GrantLevel::Everything => (true, "everything".to_owned()),
        GrantLevel::Database(pattern) => {
            (SERVERS_OWN.iter().any(|own| like(own.as_bytes(), pattern)), String::from_utf8_lossy(pattern).into_owned())
        }
        GrantLevel::Object(_, database, name) => (
            SERVERS_OWN.iter().any(|own| database.eq_ignore_ascii_case(own.as_bytes())),
            format!("{}.{}", String::from_utf8_lossy(database), String::from_utf8_lossy(name)),
        ),
    };
    let fine = |right: &&Privilege| !servers || HARMLESS.contains(&right.name.as_str());
    let kept: Vec<&Privilege> = rights.iter().filter(fine).collect();
    let mut withheld: Vec<&str> = rights.iter().filter(|r| !fine(r)).map(|r| r.name.as_str()).collect();
    let option = if option && servers {
        withheld.push("GRANT OPTION");
        false
    } else {
        option
    };
    let statement = (!kept.is_empty()).then(|| {
        let mut b = StatementBuilder::new("GRANT ");
        for (i, right) in kept.iter().enumerate() {
            b = b.plain(if i == 0 { "" } else { ", " }).plain(&right.name);
            for (n, column) in right.columns.iter().enumerate() {
                b = b.plain(if n == 0 { " (" } else { ", " }).name(column);
            }
            b = b.plain(if right.columns.is_empty() { "" } else { ")" });
        }
        b = match on {
            GrantLevel::Everything => b.plain(" ON *.*"),
            GrantLevel::Database(pattern) => b.plain(" ON ").name(pattern).plain(".*"),
            GrantLevel::Object(kind, database, name) => {
                b.plain(" ON ").plain(kind).name(database).plain(".").name(name)
            }
        };
        b.plain(" TO ").who(who).plain(if option { " WITH GRANT OPTION" } else { "" }).done()
    });
    if withheld.is_empty() {
        return statement.map_or(Rewritten::Nothing, Rewritten::Statement);
    }
    let place: String = place.chars().filter(|c| !c.is_control()).collect();
    let why = format!(
        "{} had privileges on {place} that are reserved for the portal's administrator on restored servers. They were \
         not restored: {}.",
        who.shown(),
        withheld.join(", ")
    );
    Rewritten::Withheld(statement, why)
}

/// Whether a grant's pattern matches a name: `%` matches anything, `_` one character, and a backslash escapes.
fn like(name: &[u8], pattern: &[u8]) -> bool {
    let (mut rest, mut wanted) = (name, pattern);
    // Where the last `%` stands, and the name from where it is tried next: only that one has to be tried again.
    let mut again: Option<(&[u8], &[u8])> = None;
    loop {
        let next = match (wanted, rest) {
            ([b'%', after @ ..], _) => {
                again = Some((after, rest));
                Some((after, rest))
            }
            ([], []) => return true,
            ([b'_', after @ ..], [_, others @ ..]) => Some((after, others)),
            ([b'\\', escaped, after @ ..], [b, others @ ..]) if b.eq_ignore_ascii_case(escaped) => {
                Some((after, others))
            }
            ([b'\\', _, ..], _) => None,
            ([c, after @ ..], [b, others @ ..]) if b.eq_ignore_ascii_case(c) => Some((after, others)),
            _ => None,
        };
        (wanted, rest) = match (next, again) {
            (Some(next), _) => next,
            (None, Some((after, [_, others @ ..]))) => {
                let tried = (after, others);
                again = Some(tried);
                tried
            }
            (None, _) => return false,
        };
    }
}

#[cfg(test)]
#[path = "accounts_tests.rs"]
mod tests;
