//! The server-wide part of a backup in the format of older portals: statements of seven kinds, one per line. They are
//! parsed and never run, and only statements that those portals could have generated are accepted.

use crate::engine::postgres::server_record::{DatabaseRecord, Grant, Member, Record, RoleRecord, SettingRecord};

/// The last line.
const END: &str = "-- end of roles and databases";

/// The rest of a line.
struct LineWords<'a>(&'a str);

impl LineWords<'_> {
    /// Consumes this word, if it comes next.
    fn take(&mut self, word: &str) -> bool {
        match self.0.strip_prefix(word) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn need(&mut self, word: &str) -> Option<()> {
        self.take(word).then_some(())
    }

    /// Consumes a quoted text, in which a doubled quote stands for one, and returns its value.
    fn quoted(&mut self, quote: char) -> Option<String> {
        let mut rest = self.0.strip_prefix(quote)?;
        let mut meant = String::new();
        loop {
            let (before, after) = rest.split_at(rest.find(quote)?);
            meant.push_str(before);
            rest = after.strip_prefix(quote)?;
            match rest.strip_prefix(quote) {
                Some(more) => {
                    meant.push(quote);
                    rest = more;
                }
                None => break,
            }
        }
        self.0 = rest;
        Some(meant)
    }

    /// Consumes an identifier, as written by `%I`.
    fn name(&mut self) -> Option<String> {
        if self.0.starts_with('"') {
            return self.quoted('"');
        }
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let (name, rest) = self.0.split_at(self.0.find(|c| !plain(c)).unwrap_or(self.0.len()));
        self.0 = rest;
        (!name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())).then(|| name.to_owned())
    }

    /// Consumes a string, as written by `%L`.
    fn text(&mut self) -> Option<String> {
        if self.take("E") || self.take(" E") {
            return self.quoted('\'').map(|text| text.replace("\\\\", "\\"));
        }
        self.quoted('\'')
    }

    /// Consumes one of two words.
    fn flag(&mut self, no: &str, yes: &str) -> Option<bool> {
        if self.take(no) {
            return Some(false);
        }
        self.take(yes).then_some(true)
    }

    fn number(&mut self) -> Option<i32> {
        let digit = |c: char| c.is_ascii_digit() || c == '-';
        let (number, rest) = self.0.split_at(self.0.find(|c| !digit(c)).unwrap_or(self.0.len()));
        self.0 = rest;
        number.parse().ok()
    }

    fn ends(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// Parses `SELECT '…' WHERE NOT EXISTS (SELECT FROM pg_… WHERE … = '…') \gexec` and returns the statement in it.
fn wrapped(line: &str, condition: &str) -> Option<String> {
    let mut words = LineWords(line);
    words.need("SELECT ")?;
    let statement = words.text()?;
    words.need(condition)?;
    words.text()?;
    words.need(") \\gexec")?;
    words.ends()?;
    Some(statement)
}

fn role(line: &str) -> Option<Record> {
    let mut w = LineWords(line);
    w.need("ALTER ROLE ")?;
    let mut role = RoleRecord { name: w.name()?, ..RoleRecord::default() };
    w.need(" ")?;
    role.superuser = w.flag("NOSUPERUSER ", "SUPERUSER ")?;
    role.inherit = w.flag("NOINHERIT ", "INHERIT ")?;
    role.createrole = w.flag("NOCREATEROLE ", "CREATEROLE ")?;
    role.createdb = w.flag("NOCREATEDB ", "CREATEDB ")?;
    role.login = w.flag("NOLOGIN ", "LOGIN ")?;
    role.replication = w.flag("NOREPLICATION ", "REPLICATION ")?;
    role.bypassrls = w.flag("NOBYPASSRLS ", "BYPASSRLS ")?;
    w.need("CONNECTION LIMIT ")?;
    role.limit = w.number()?;
    w.need(" PASSWORD ")?;
    role.password = if w.take("NULL") { None } else { Some(w.text()?) };
    w.need(" VALID UNTIL ")?;
    role.until = Some(w.text()?).filter(|until| until != "infinity");
    w.need(";")?;
    w.ends()?;
    Some(Record::Role(role))
}

fn member(line: &str) -> Option<Record> {
    let mut w = LineWords(line);
    w.need("GRANT ")?;
    let of = w.name()?;
    w.need(" TO ")?;
    let member = w.name()?;
    let admin = w.take(" WITH ADMIN OPTION");
    w.need(";")?;
    w.ends()?;
    Some(Record::Member(Member { of, member, admin, ..Member::default() }))
}

fn database(line: &str) -> Option<DatabaseRecord> {
    let statement = wrapped(line, " WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = ")?;
    let mut w = LineWords(&statement);
    w.need("CREATE DATABASE ")?;
    let mut database = DatabaseRecord { name: w.name()?, limit: -1, connections: true, ..DatabaseRecord::default() };
    "c".clone_into(&mut database.provider);
    if w.take(" OWNER ") {
        database.owner = Some(w.name()?);
    }
    w.need(" TEMPLATE template0 ENCODING ")?;
    database.encoding = w.text()?;
    w.need(" LC_COLLATE ")?;
    database.collate = w.text()?;
    w.need(" LC_CTYPE ")?;
    database.ctype = w.text()?;
    w.ends()?;
    Some(database)
}

/// Parses `REVOKE ALL ON DATABASE … FROM PUBLIC;`, which marks a database with changed privileges.
fn revoked(line: &str) -> Option<String> {
    let mut w = LineWords(line);
    w.need("REVOKE ALL ON DATABASE ")?;
    let name = w.name()?;
    w.need(" FROM PUBLIC;")?;
    w.ends()?;
    Some(name)
}

fn granted(line: &str) -> Option<(String, Grant)> {
    let mut w = LineWords(line);
    w.need("GRANT ")?;
    let known = ["CONNECT", "CREATE", "TEMPORARY"].into_iter().find(|p| w.0.starts_with(p))?;
    w.need(known)?;
    w.need(" ON DATABASE ")?;
    let name = w.name()?;
    w.need(" TO ")?;
    let grantee = if w.take("PUBLIC") { None } else { Some(w.name()?) };
    let grantable = w.take(" WITH GRANT OPTION");
    w.need(";")?;
    w.ends()?;
    Some((name, Grant { privilege: known.to_owned(), grantee, grantable }))
}

fn setting(line: &str) -> Option<Record> {
    let mut w = LineWords(line);
    let mut setting = SettingRecord::default();
    if w.take("ALTER DATABASE ") {
        setting.database = Some(w.name()?);
    } else {
        w.need("ALTER ROLE ")?;
        setting.role = Some(w.name()?);
        if w.take(" IN DATABASE ") {
            setting.database = Some(w.name()?);
        }
    }
    w.need(" SET ")?;
    setting.name = w.name()?;
    w.need(" TO ")?;
    if w.0.starts_with('\'') || w.0.starts_with("E'") || w.0.starts_with(" E'") {
        setting.value = w.text()?;
        w.need(";")?;
    } else {
        // Lists were written in the server's own format. A value that is not a list of names is rejected when it is
        // split; afterwards it is only a value.
        w.0.strip_suffix(';')?.clone_into(&mut setting.value);
        w.0 = "";
    }
    w.ends()?;
    Some(Record::Setting(setting))
}

/// Joins lines of texts with line breaks: a statement ends at the end of a line if no quote is open.
fn joined(text: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let (mut statement, mut open) = (String::new(), None);
    for line in text.lines() {
        if open.is_some() {
            statement.push('\n');
        }
        statement.push_str(line);
        for letter in line.chars().filter(|c| matches!(c, '\'' | '"')) {
            match open {
                None => open = Some(letter),
                Some(quote) if quote == letter => open = None,
                Some(_) => {}
            }
        }
        if open.is_none() {
            statements.push(std::mem::take(&mut statement));
        }
    }
    if !statement.is_empty() {
        statements.push(statement);
    }
    statements
}

/// Parses such statements.
pub(super) fn read(text: &str) -> Result<Vec<Record>, String> {
    let (mut records, mut databases) = (Vec::new(), Vec::<DatabaseRecord>::new());
    let lines = joined(text);
    for (i, line) in lines.iter().enumerate() {
        let unknown = || format!("line {} would not be written by a portal", i + 1);
        if line == END && i + 1 == lines.len() {
            break;
        } else if let Some(statement) = wrapped(line, " WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = ") {
            let mut w = LineWords(&statement);
            let made = w.need("CREATE ROLE ").and_then(|()| w.name());
            made.filter(|_| w.ends().is_some()).ok_or_else(unknown)?;
        } else if let Some(name) = revoked(line) {
            let of = databases.iter_mut().find(|d| d.name == name).ok_or_else(unknown)?;
            of.acl = Some(Vec::new());
        } else if let Some((name, grant)) = granted(line) {
            let of = databases.iter_mut().find(|d| d.name == name).ok_or_else(unknown)?;
            of.acl.get_or_insert_default().push(grant);
        } else if let Some(database) = database(line) {
            databases.push(database);
        } else {
            let known = role(line).or_else(|| member(line)).or_else(|| setting(line));
            records.push(known.ok_or_else(unknown)?);
        }
    }
    let settings = records.iter().position(|r| matches!(r, Record::Setting(_))).unwrap_or(records.len());
    let databases = databases.into_iter().map(|d| Record::Database(Box::new(d)));
    records.splice(settings..settings, databases);
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"SELECT 'CREATE ROLE ada' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'ada') \gexec
ALTER ROLE ada NOSUPERUSER INHERIT NOCREATEROLE CREATEDB LOGIN NOREPLICATION NOBYPASSRLS CONNECTION LIMIT -1 PASSWORD 'SCRAM-SHA-256$4096:x==$y=:z=' VALID UNTIL 'infinity';
ALTER ROLE "it's a ""r""" NOSUPERUSER INHERIT NOCREATEROLE NOCREATEDB NOLOGIN NOREPLICATION NOBYPASSRLS CONNECTION LIMIT 3 PASSWORD NULL VALID UNTIL '2030-01-01 00:00:00+00';
GRANT readers TO ada WITH ADMIN OPTION;
SELECT 'CREATE DATABASE trial OWNER ada TEMPLATE template0 ENCODING ''UTF8'' LC_COLLATE ''en_US.utf8'' LC_CTYPE ''en_US.utf8''' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'trial') \gexec
REVOKE ALL ON DATABASE trial FROM PUBLIC;
GRANT CONNECT ON DATABASE trial TO PUBLIC;
GRANT CREATE ON DATABASE trial TO ada WITH GRANT OPTION;
ALTER DATABASE trial SET search_path TO ctgov, public;
ALTER ROLE ada IN DATABASE trial SET work_mem TO '64MB';
-- end of roles and databases"#;

    #[test]
    fn statements_of_older_portals_are_parsed() {
        let records = read(WHOLE).unwrap();
        assert_eq!(records.len(), 6, "{records:?}");
        assert!(
            matches!(&records[0], Record::Role(r) if r.name == "ada" && r.login && r.createdb && r.until.is_none())
        );
        assert!(matches!(&records[1], Record::Role(r) if r.name == "it's a \"r\"" && r.limit == 3 && !r.login));
        assert!(matches!(&records[2], Record::Member(m) if m.admin));
        assert!(matches!(&records[3], Record::Database(d) if d.acl.as_ref().is_some_and(|a| a.len() == 2)));
        assert!(matches!(&records[4], Record::Setting(s) if s.value == "ctgov, public"));
    }

    #[test]
    fn names_may_have_quotes_and_line_breaks() {
        let text = "SELECT 'CREATE ROLE \"a\"\"\nb''c\"' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'a\"\nb''c') \\gexec\n\
                    GRANT readers TO \"a\"\"\nb'c\";";
        let records = read(text).unwrap();
        assert!(matches!(records.as_slice(), [Record::Member(m)] if m.member == "a\"\nb'c"), "{records:?}");
    }

    #[test]
    fn other_statements_are_rejected() {
        for line in [
            "ALTER ROLE ada SUPERUSER;",
            "ALTER ROLE ada NOSUPERUSER INHERIT NOCREATEROLE CREATEDB LOGIN NOREPLICATION NOBYPASSRLS CONNECTION LIMIT -1 PASSWORD NULL VALID UNTIL 'infinity'; DROP ROLE x;",
            "GRANT a TO b; GRANT c TO d;",
            "CREATE ROLE x SUPERUSER",
            "\\! id",
            "ALTER DATABASE trial SET work_mem TO 'a'; CREATE ROLE x;",
            "SELECT 'CREATE ROLE a; CREATE ROLE b' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'a') \\gexec",
            "-- end of roles and databases\nALTER ROLE ada SUPERUSER",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
        // A list may contain anything, because it is only a value and is never run.
        assert!(read("ALTER DATABASE trial SET search_path TO x;CREATE/**/ROLE y;").is_ok());
    }
}
