//! Classifies the statements of a dump, to determine which database they belong to.

use crate::sql::Dialect;
use crate::sql::tokens::{Token, tokens, tokens_up_to};

/// The class of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// Switches to the database of this name (`USE`).
    Goes(String),
    /// Creates, alters or drops a database.
    Database(String),
    /// Concerns roles, users, tablespaces or whole databases: the server rather than a database.
    Server,
    /// Sets something for the session.
    Setting,
    /// Begins or ends a transaction, or locks tables.
    Transaction,
    /// Changes something that every database has: privileges on a schema, an extension, a comment.
    Slight,
    /// Creates or fills an object.
    Content,
}

/// Classifies `statement` by its first words.
pub fn means(statement: &[u8], dialect: Dialect) -> Meaning {
    let found = tokens(statement, dialect);
    match dialect {
        // The owner is at the end, after the types of up to 100 arguments.
        Dialect::Postgres if begins(&found, &[&["ALTER"]]) => postgres(&tokens_up_to(statement, dialect, LONGEST)),
        Dialect::Postgres => postgres(&found),
        Dialect::Mysql => mysql(&found),
    }
}

/// Whether each of the first tokens is one of the words at its position.
fn begins(found: &[Token], words: &[&[&str]]) -> bool {
    found.len() >= words.len() && found.iter().zip(words).all(|(t, any)| any.iter().any(|w| t.is(w)))
}

/// Maximum number of tokens to read of a statement that may end with an owner.
const LONGEST: usize = 4096;
const TRANSACTIONS: &[&str] = &["LOCK", "UNLOCK", "START", "BEGIN", "COMMIT", "FLUSH"];
const CHANGES: &[&str] = &["CREATE", "ALTER", "DROP"];

fn named(found: &[Token], dialect: Dialect) -> Option<String> {
    let skipped = |t: &&Token| ["IF", "NOT", "EXISTS"].into_iter().any(|w| t.is(w));
    found.iter().skip(2).find(|t| !skipped(t))?.name(dialect)
}

fn mysql(found: &[Token]) -> Meaning {
    if begins(found, &[&["USE"]])
        && let Some(name) = found.get(1).and_then(|t| t.name(Dialect::Mysql))
    {
        return Meaning::Goes(name);
    }
    if begins(found, &[CHANGES, &["DATABASE", "SCHEMA"]]) {
        return named(found, Dialect::Mysql).map_or(Meaning::Server, Meaning::Database);
    }
    if found.is_empty() || begins(found, &[&["SET"]]) {
        Meaning::Setting
    } else if begins(found, &[TRANSACTIONS]) {
        Meaning::Transaction
    } else {
        Meaning::Content
    }
}

fn postgres(found: &[Token]) -> Meaning {
    if begins(found, &[CHANGES, &["DATABASE"]]) {
        return named(found, Dialect::Postgres).map_or(Meaning::Server, Meaning::Database);
    }
    let mapping = found.get(2).is_some_and(|t| t.is("MAPPING"));
    if begins(found, &[CHANGES, &["ROLE", "USER", "GROUP", "TABLESPACE"]]) && !mapping {
        return Meaning::Server;
    }
    // Everything belongs to the user who loads the dump, because the roles of another server do not exist here.
    let owner = found
        .iter()
        .position(|t| t.is("OWNER"))
        .filter(|_| begins(found, &[&["ALTER"]]) && !found.iter().any(|t| t.is("RENAME")));
    if owner.is_some_and(|at| found.len() == at + 3 && found.get(at + 1).is_some_and(|t| t.is("TO"))) {
        return Meaning::Server;
    }
    let on = found.iter().position(|t| t.is("ON"));
    let about = on.and_then(|at| found.get(at + 1));
    let of_server = |t: &Token| ["DATABASE", "ROLE", "TABLESPACE", "PARAMETER"].into_iter().any(|w| t.is(w));
    if begins(found, &[&["GRANT", "REVOKE"]]) {
        // Without ON, it makes one role a member of another.
        return if about.is_none_or(of_server) && found.len() < 24 { Meaning::Server } else { Meaning::Slight };
    }
    if begins(found, &[&["COMMENT", "SECURITY"]]) {
        return if about.is_some_and(of_server) { Meaning::Server } else { Meaning::Slight };
    }
    let sets = begins(found, &[&["SELECT"]]) && found.iter().take(4).any(|t| t.is("set_config"));
    if sets || found.is_empty() || begins(found, &[&["SET", "RESET", "DISCARD"]]) {
        return Meaning::Setting;
    }
    if begins(found, &[&["BEGIN", "START", "COMMIT", "END", "ROLLBACK", "LOCK"]]) {
        return Meaning::Transaction;
    }
    let slight = ["EXTENSION", "LANGUAGE", "PROCEDURAL", "TRUSTED", "SCHEMA", "DEFAULT"];
    let second = found.get(1).is_some_and(|t| slight.into_iter().any(|w| t.is(w)));
    let replaces = begins(found, &[&["CREATE"], &["OR"], &["REPLACE"], &["PROCEDURAL", "TRUSTED", "LANGUAGE"]]);
    if (begins(found, &[CHANGES]) && second) || replaces { Meaning::Slight } else { Meaning::Content }
}

#[cfg(test)]
mod tests {
    use crate::sql::classify::*;

    #[test]
    fn statements_are_classified() {
        use Meaning as M;
        let name = |n: &str| n.to_owned();
        for (text, wanted) in [
            ("CREATE DATABASE mice WITH TEMPLATE = template0", M::Database(name("mice"))),
            ("drop database if exists \"Big Mice\"", M::Database(name("Big Mice"))),
            ("ALTER DATABASE Mice OWNER TO lab", M::Database(name("mice"))),
            ("CREATE ROLE lab", M::Server),
            ("ALTER ROLE lab IN DATABASE mice SET x = 1", M::Server),
            ("CREATE USER MAPPING FOR ada SERVER s", M::Content),
            ("ALTER TABLE public.samples OWNER TO lab", M::Server),
            ("ALTER TABLE t RENAME COLUMN owner TO lab", M::Content),
            ("GRANT lab TO ada", M::Server),
            ("GRANT CONNECT ON DATABASE mice TO ada", M::Server),
            ("GRANT ALL ON SCHEMA public TO ada", M::Slight),
            ("COMMENT ON DATABASE mice IS 'x'", M::Server),
            ("COMMENT ON EXTENSION plpgsql IS 'x'", M::Slight),
            ("SELECT pg_catalog.set_config('search_path', '', false)", M::Setting),
            ("SELECT pg_catalog.setval('s', 1)", M::Content),
            ("CREATE EXTENSION IF NOT EXISTS plpgsql", M::Slight),
            ("COPY t FROM stdin", M::Content),
        ] {
            assert_eq!(means(text.as_bytes(), Dialect::Postgres), wanted, "{text}");
        }
        for (text, wanted) in [
            ("USE `mice`", M::Goes(name("mice"))),
            ("use mice", M::Goes(name("mice"))),
            ("CREATE DATABASE /*!32312 IF NOT EXISTS*/ `mice` /*!40100 DEFAULT */", M::Database(name("mice"))),
            ("/*!40000 DROP DATABASE IF EXISTS `mice`*/", M::Database(name("mice"))),
            ("CREATE SCHEMA mice", M::Database(name("mice"))),
            ("/*!40101 SET NAMES utf8mb4 */", M::Setting),
            ("LOCK TABLES `t` WRITE", M::Transaction),
            ("CREATE TABLE `use` (i int)", M::Content),
            ("INSERT INTO t VALUES ('USE mice')", M::Content),
        ] {
            assert_eq!(means(text.as_bytes(), Dialect::Mysql), wanted, "{text}");
        }
    }
}
