//! The accounts of a backup as data. What a server wrote down of its users, roles and rights is read by the exact grammar of
//! `SHOW CREATE USER` and `SHOW GRANTS`; anything else is refused. The statements that bring them back are built in the
//! server from names in hexadecimal digits, and give nothing with which somebody could become its administrator.

use super::grammar::{Reader, Refused};
use super::statement::Built;
use crate::engine::mariadb::statement::Who;

/// Rights on everything that let nobody change anything.
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
/// Databases of the server itself.
const SERVERS_OWN: &[&str] = &["mysql", "sys", "performance_schema", "information_schema"];

/// What a statement of such a backup becomes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Becomes {
    /// Nothing: a restored server has its own.
    Nothing,
    /// This statement.
    Statement(String),
    /// This statement, or none; and what of it was not given.
    Withheld(Option<String>, String),
}

/// Reads one statement of a backup's accounts. `admin` is the portal's own administrator.
///
/// # Errors
/// A sentence, if it is not what a portal writes there.
pub(crate) fn becomes(statement: &[u8], admin: &str) -> Result<Becomes, String> {
    let mut reader = Reader::new(statement);
    read(&mut reader, admin).map_err(|Refused(why)| {
        let text = String::from_utf8_lossy(statement);
        let shown: String = text.chars().filter(|c| !c.is_control()).take(120).collect();
        format!(
            "The accounts in this backup have a statement that no portal writes ({why}): {shown} … It may come from a server \
             that was attacked, so nothing of it was run. Restore an older backup, or ask an administrator to look at this one."
        )
    })
}

fn read(r: &mut Reader<'_>, admin: &str) -> Result<Becomes, Refused> {
    let done = if r.takes(&["SET", "SESSION", "sql_mode"]) {
        r.mark(b'=')?;
        r.text()?;
        Becomes::Nothing
    } else if r.takes(&["SET", "DEFAULT", "ROLE"]) {
        let role = r.name()?;
        r.words(&["FOR"])?;
        let who = Who::read(r, admin)?;
        Becomes::Statement(Built::new("SET DEFAULT ROLE ").name(&role).plain(" FOR ").who(&who).done())
    } else if r.takes(&["DROP", "ROLE", "IF", "EXISTS"]) {
        let role = Who::role(r, admin)?;
        Becomes::Statement(Built::new("DROP ROLE IF EXISTS ").who(&role).done())
    } else if r.takes(&["CREATE", "ROLE"]) {
        let role = Who::role(r, admin)?;
        Becomes::Statement(Built::new("CREATE ROLE ").who(&role).done())
    } else if r.takes(&["DROP", "USER", "IF", "EXISTS"]) {
        let who = Who::read(r, admin)?;
        Becomes::Statement(Built::new("DROP USER IF EXISTS ").who(&who).done())
    } else if r.takes(&["CREATE", "USER"]) {
        let who = Who::read(r, admin)?;
        let built = options(r, Built::new("CREATE USER ").who(&who))?;
        Becomes::Statement(built.done())
    } else if r.takes(&["GRANT"]) {
        grant(r, admin)?
    } else {
        return Err(Refused("no statement of accounts"));
    };
    r.end()?;
    Ok(done)
}

/// How an account signs in, and its limits.
fn options(r: &mut Reader<'_>, mut b: Built) -> Result<Built, Refused> {
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

fn limits(r: &mut Reader<'_>, mut b: Built) -> Result<Built, Refused> {
    let mut any = false;
    while let Some(word) = r.one_of(LIMITS) {
        any = true;
        b = b.plain(" ").plain(word).plain(" ").plain(&r.number()?);
    }
    if any { Ok(b) } else { Err(Refused("WITH and no limit")) }
}

fn identified(r: &mut Reader<'_>, mut b: Built) -> Result<Built, Refused> {
    if r.takes(&["BY", "PASSWORD"]) {
        return Ok(b.plain(" IDENTIFIED BY PASSWORD ").text(&r.text()?));
    }
    r.words(&["VIA"])?;
    b = b.plain(" IDENTIFIED VIA ");
    loop {
        let plugin = r.plugin()?;
        // Whoever is a user of the container's system would be one of the server.
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

/// What a grant is on.
enum On {
    Everything,
    Database(Vec<u8>),
    Object(&'static str, Vec<u8>, Vec<u8>),
}

fn grant(r: &mut Reader<'_>, admin: &str) -> Result<Becomes, Refused> {
    if r.takes(&["PROXY", "ON"]) {
        r.rest();
        return Ok(Becomes::Withheld(
            None,
            "The right to sign in as somebody else (PROXY) was not given back.".to_owned(),
        ));
    }
    if r.is_name() {
        let role = Who::role(r, admin)?;
        r.words(&["TO"])?;
        let who = Who::read(r, admin)?;
        let option = if r.takes(&["WITH", "ADMIN", "OPTION"]) { " WITH ADMIN OPTION" } else { "" };
        return Ok(Becomes::Statement(Built::new("GRANT ").who(&role).plain(" TO ").who(&who).plain(option).done()));
    }
    let rights = rights(r)?;
    let on = object(r)?;
    r.words(&["TO"])?;
    let who = Who::read(r, admin)?;
    if r.takes(&["IDENTIFIED"]) {
        // Known from CREATE USER.
        identified(r, Built::new(""))?;
    }
    if r.takes(&["REQUIRE"]) {
        options_of_grant(r)?;
    }
    let mut option = false;
    if r.takes(&["WITH"]) {
        option = r.takes(&["GRANT", "OPTION"]);
        let limited = r.is_limit(LIMITS);
        if limited {
            limits(r, Built::new(""))?;
        } else if !option {
            return Err(Refused("WITH and no option"));
        }
    }
    Ok(given(&rights, &on, &who, option))
}

fn options_of_grant(r: &mut Reader<'_>) -> Result<(), Refused> {
    if r.one_of(&["NONE", "SSL", "X509"]).is_none() {
        while r.one_of(&["ISSUER", "SUBJECT", "CIPHER"]).is_some() {
            r.text()?;
        }
    }
    Ok(())
}

/// A right, and the columns it is limited to.
struct Right {
    name: String,
    columns: Vec<Vec<u8>>,
}

fn rights(r: &mut Reader<'_>) -> Result<Vec<Right>, Refused> {
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
        found.push(Right { name, columns });
        if !r.takes_mark(b',') {
            break;
        }
    }
    r.words(&["ON"])?;
    Ok(found)
}

fn object(r: &mut Reader<'_>) -> Result<On, Refused> {
    if r.takes_mark(b'*') {
        r.mark(b'.')?;
        r.mark(b'*')?;
        return Ok(On::Everything);
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
        return Ok(On::Database(database));
    }
    Ok(On::Object(kind, database, r.name()?))
}

/// The statement for what of a grant can be given.
fn given(rights: &[Right], on: &On, who: &Who, option: bool) -> Becomes {
    let (servers, place) = match on {
        On::Everything => (true, "everything".to_owned()),
        On::Database(pattern) => {
            (SERVERS_OWN.iter().any(|own| like(own.as_bytes(), pattern)), String::from_utf8_lossy(pattern).into_owned())
        }
        On::Object(_, database, name) => (
            SERVERS_OWN.iter().any(|own| database.eq_ignore_ascii_case(own.as_bytes())),
            format!("{}.{}", String::from_utf8_lossy(database), String::from_utf8_lossy(name)),
        ),
    };
    let fine = |right: &&Right| !servers || HARMLESS.contains(&right.name.as_str());
    let kept: Vec<&Right> = rights.iter().filter(fine).collect();
    let mut withheld: Vec<&str> = rights.iter().filter(|r| !fine(r)).map(|r| r.name.as_str()).collect();
    let option = if option && servers {
        withheld.push("GRANT OPTION");
        false
    } else {
        option
    };
    let statement = (!kept.is_empty()).then(|| {
        let mut b = Built::new("GRANT ");
        for (i, right) in kept.iter().enumerate() {
            b = b.plain(if i == 0 { "" } else { ", " }).plain(&right.name);
            for (n, column) in right.columns.iter().enumerate() {
                b = b.plain(if n == 0 { " (" } else { ", " }).name(column);
            }
            b = b.plain(if right.columns.is_empty() { "" } else { ")" });
        }
        b = match on {
            On::Everything => b.plain(" ON *.*"),
            On::Database(pattern) => b.plain(" ON ").name(pattern).plain(".*"),
            On::Object(kind, database, name) => b.plain(" ON ").plain(kind).name(database).plain(".").name(name),
        };
        b.plain(" TO ").who(who).plain(if option { " WITH GRANT OPTION" } else { "" }).done()
    });
    if withheld.is_empty() {
        return statement.map_or(Becomes::Nothing, Becomes::Statement);
    }
    let place: String = place.chars().filter(|c| !c.is_control()).collect();
    let why = format!(
        "{} had rights on {place} that only the portal's administrator has in a restored server, and did not get them back: {}.",
        who.shown(),
        withheld.join(", ")
    );
    Becomes::Withheld(statement, why)
}

/// Whether a name is meant by a pattern of a grant: `%` stands for anything, `_` for a character, a backslash escapes.
fn like(name: &[u8], pattern: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'%', rest)) => (0..=name.len()).any(|n| name.get(n..).is_some_and(|name| like(name, rest))),
        Some((b'_', rest)) => name.split_first().is_some_and(|(_, name)| like(name, rest)),
        Some((b'\\', [escaped, rest @ ..])) => {
            name.split_first().is_some_and(|(b, name)| b.eq_ignore_ascii_case(escaped) && like(name, rest))
        }
        Some((b, rest)) => name.split_first().is_some_and(|(n, name)| n.eq_ignore_ascii_case(b) && like(name, rest)),
    }
}

#[cfg(test)]
#[path = "accounts_tests.rs"]
mod tests;
