//! Definitions of a PostgreSQL server: for each database the schema written by `pg_dump`, split at its headings; for
//! the whole server the roles, memberships, settings and databases in its catalogs.

use super::quotes::Quotes;
use super::{observed, script};
use crate::engine::definition::{Definition, DefinitionHasher, DefinitionSplitter};
use crate::engine::postgres::psql::OPEN;
use crate::engine::spec::{ExecSpec, ServerSpec};

/// Reports server-wide definitions.
pub(super) const GLOBALS: &str = include_str!("observe/server_definitions.sql");
/// Reports the definitions in a database that `pg_dump` does not write.
pub(super) const MORE: &str = include_str!("observe/owners_of_extensions.sql");
/// Reports the definitions of a database.
const DEFINITIONS: &str = include_str!("observe/definitions.sh");

/// A command that reports the definitions of a database, or of the whole server.
pub(super) fn command(plan: &ServerSpec<'_>, database: Option<&str>) -> ExecSpec {
    match database {
        None => script(plan, &observed(&format!("ask postgres -f - <<'SQL'\n{GLOBALS}SQL\n")), &[]),
        Some(name) => {
            let env = [("DB4SCI_DATABASE", name), ("DB4SCI_MORE", MORE)];
            script(plan, &observed(&format!("{OPEN}{DEFINITIONS}")), &env)
        }
    }
}

/// Prefix of the line that names an object.
const HEAD: &[u8] = b"-- Name: ";
/// Prefix of the line after the last object.
const END: &[u8] = b"-- PostgreSQL database dump complete";
/// Prefixes of lines between objects that set defaults for the objects after them. They belong to no object.
const BETWEEN: [&[u8]; 2] = [b"SET default_tablespace = ", b"SET default_table_access_method = "];

/// Splits the output of `pg_dump --schema-only` into definitions.
pub(super) struct SchemaSplitter {
    database: String,
    /// The ends of lines that make the administrator or the user the owner of an object. A restore gives the
    /// administrator's objects to the user, so that nothing in a backup gets more privileges. The definitions therefore
    /// treat them as the user's.
    owners: [String; 2],
    object: Option<OpenObject>,
    /// Whether the current line belongs to the object.
    belongs: bool,
    /// Whether the last line was `--`, which may introduce a heading.
    rule: bool,
    /// Whether the current position is inside quotes, where nothing is a heading.
    quotes: Quotes,
    /// Number of preceding empty lines, which count only if another line of the object follows.
    empty: usize,
}

/// The object being read.
struct OpenObject {
    kind: String,
    name: String,
    text: Lines,
}

/// How an object's lines are hashed.
enum Lines {
    /// In their order.
    Ordered(DefinitionHasher),
    /// Regardless of their order, which is meaningless for grants.
    Set(Vec<Vec<u8>>),
    /// Not at all: the object is not compared.
    Skipped,
}

impl SchemaSplitter {
    pub(super) fn new(database: &str, admin: &str, user: &str) -> Self {
        let owners = [admin, user].map(|owner| format!(" OWNER TO {owner};"));
        let quotes = Quotes::default();
        Self { database: database.to_owned(), owners, object: None, belongs: false, rule: false, quotes, empty: 0 }
    }

    fn line(&mut self, line: &[u8], found: &mut Vec<Definition>) {
        if self.quotes.is_open() {
            // Inside quotes, an empty line counts like any other.
            self.pass(line);
            self.belongs = true;
            return;
        }
        if std::mem::take(&mut self.rule) {
            if let Some(rest) = line.strip_prefix(HEAD) {
                self.close(found);
                self.object = Self::heading(&String::from_utf8_lossy(rest));
                return;
            }
            if line.starts_with(END) {
                return self.close(found);
            }
            self.pass(b"--");
        }
        match line {
            b"--" => self.rule = true,
            b"" => self.empty += 1,
            line if BETWEEN.iter().any(|b| line.starts_with(b)) => {}
            line => {
                self.pass(line);
                self.belongs = true;
            }
        }
    }

    /// Adds a line, or the beginning of a long line, to the object.
    fn pass(&mut self, line: &[u8]) {
        let empty = std::mem::take(&mut self.empty);
        let [admin, user] = &self.owners;
        let (line, ending) = match line.strip_suffix(admin.as_bytes()) {
            Some(beginning) => (beginning, user.as_bytes()),
            None => (line, &b""[..]),
        };
        let Some(object) = &mut self.object else { return };
        match &mut object.text {
            Lines::Ordered(hash) => {
                for _ in 0..=empty {
                    hash.add(b"\n");
                }
                hash.add(line);
                hash.add(ending);
            }
            Lines::Set(lines) => lines.push([line, ending].concat()),
            Lines::Skipped => {}
        }
    }

    fn close(&mut self, found: &mut Vec<Definition>) {
        self.empty = 0;
        let Some(OpenObject { kind, name, text }) = self.object.take() else { return };
        let hash = match text {
            Lines::Ordered(hash) => hash,
            Lines::Set(mut lines) => {
                lines.sort_unstable();
                let mut hash = DefinitionHasher::default();
                for line in lines {
                    hash.add(b"\n");
                    hash.add(&line);
                }
                hash
            }
            Lines::Skipped => return,
        };
        found.push(hash.done(&self.database, &kind, &name));
    }

    /// Parses `t; Type: TABLE; Schema: public; Owner: ada`. Names with unusual characters may be split in the wrong
    /// place, but equal headings are always split alike, which is sufficient for a comparison.
    fn heading(text: &str) -> Option<OpenObject> {
        let text = text.split("; Tablespace: ").next().unwrap_or_default();
        let (text, owner) = text.rsplit_once("; Owner: ")?;
        let (text, schema) = text.rsplit_once("; Schema: ")?;
        let (name, kind) = text.rsplit_once("; Type: ")?;
        let lines = match kind {
            // Users may choose such names too, but no role of theirs has one.
            _ if owner.starts_with("db4sci_") && [schema, name].iter().any(|n| n.starts_with("db4sci_")) => {
                Lines::Skipped
            }
            "ACL" | "DEFAULT ACL" => Lines::Set(Vec::new()),
            _ => Lines::Ordered(DefinitionHasher::default()),
        };
        let within = |name: &str| if schema == "-" { name.to_owned() } else { format!("{schema}.{name}") };
        let (kind, name) = match kind {
            "ACL" | "COMMENT" | "SECURITY LABEL" => {
                let of = name.find(|c: char| !(c.is_ascii_uppercase() || c == ' ')).unwrap_or(name.len());
                let (what, name) = name.split_at_checked(of).unwrap_or((name, ""));
                let kind = if kind == "ACL" { "list of grants".to_owned() } else { kind.to_lowercase() };
                (kind, format!("on {}{}", what.to_lowercase(), within(name)))
            }
            "DEFAULT ACL" => ("default privileges".to_owned(), format!("{} of {owner}", within(name))),
            _ => (kind.to_lowercase(), within(name)),
        };
        Some(OpenObject { kind, name, text: lines })
    }
}

impl DefinitionSplitter for SchemaSplitter {
    fn read(&mut self, piece: &[u8], begins: bool, found: &mut Vec<Definition>) {
        if begins {
            self.quotes.end_line();
            self.belongs = false;
            self.line(piece, found);
            return self.quotes.read(piece);
        }
        self.quotes.read(piece);
        match self.object.as_mut().filter(|_| self.belongs).map(|o| &mut o.text) {
            Some(Lines::Ordered(hash)) => hash.add(piece),
            Some(Lines::Set(lines)) => lines.last_mut().into_iter().for_each(|l| l.extend_from_slice(piece)),
            Some(Lines::Skipped) | None => {}
        }
    }

    fn end(&mut self, found: &mut Vec<Definition>) {
        self.close(found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Vec<Definition> {
        let (mut schema, mut found) = (SchemaSplitter::new("trial", "db4sci_admin", "ada"), Vec::new());
        text.lines().for_each(|line| schema.read(line.as_bytes(), true, &mut found));
        schema.end(&mut found);
        found
    }

    const TEXT: &str = "--
-- PostgreSQL database dump
--

\\restrict abc

-- Dumped from database version 17.6

SET statement_timeout = 0;

--
-- Name: t; Type: TABLE; Schema: public; Owner: ada
--

CREATE TABLE public.t (
    a integer,

    b text
);


ALTER TABLE public.t OWNER TO ada;

SET default_tablespace = '';

--
-- Name: ours; Type: TABLE; Schema: public; Owner: db4sci_admin
--

CREATE TABLE public.ours ();


ALTER TABLE public.ours OWNER TO db4sci_admin;

--
-- Name: TABLE t; Type: ACL; Schema: public; Owner: ada
--

GRANT SELECT ON TABLE public.t TO x;
GRANT SELECT ON TABLE public.t TO y;


--
-- Name: COLUMN t.a; Type: COMMENT; Schema: public; Owner: ada
--

COMMENT ON COLUMN public.t.a IS 'one
--
two';


--
-- PostgreSQL database dump complete
--

\\unrestrict abc
";

    #[test]
    fn only_objects_of_the_portals_roles_are_left_out() {
        let found = |owner: &str| {
            let head = |name, kind, schema| {
                format!("--\n-- Name: {name}; Type: {kind}; Schema: {schema}; Owner: {owner}\n--\n\nCREATE;\n\n\n")
            };
            let text = [
                head("db4sci_app", "SCHEMA", "-"),
                head("v", "VIEW", "db4sci_app"),
                head("db4sci_t", "TABLE", "public"),
            ];
            whole(&text.concat()).len()
        };
        assert_eq!((found("ada"), found("db4sci_admin")), (3, 0));
    }

    #[test]
    fn a_schema_is_split_at_its_headings() {
        let found = whole(TEXT);
        let named: Vec<_> = found.iter().map(Definition::named).collect();
        assert_eq!(
            named,
            [
                "table public.t in trial",
                "table public.ours in trial",
                "list of grants on table public.t in trial",
                "comment on column public.t.a in trial"
            ]
        );
        let other = |from: &str, to: &str| {
            assert!(TEXT.contains(from), "{from}");
            let other = whole(&TEXT.replace(from, to));
            found.iter().zip(&other).filter(|(a, b)| a != b).map(|(a, _)| a.kind.clone()).collect::<Vec<_>>()
        };
        assert!(other("restrict abc", "restrict xyz").is_empty());
        assert!(other("version 17.6", "version 17.7").is_empty());
        assert!(other("SET default_tablespace = '';\n\n", "").is_empty());
        assert!(
            other("TO x;\nGRANT SELECT ON TABLE public.t TO y", "TO y;\nGRANT SELECT ON TABLE public.t TO x")
                .is_empty()
        );
        assert_eq!(other("a integer", "a bigint"), ["table"]);
        assert_eq!(other("t OWNER TO ada", "t OWNER TO bob"), ["table"]);
        assert!(other("OWNER TO db4sci_admin", "OWNER TO ada").is_empty(), "what was ours is the user's");
        assert_eq!(other("integer,\n\n", "integer,\n"), ["table"], "also within a function's body it is a difference");
        assert_eq!(other("TO y;", "TO z;"), ["list of grants"]);
        assert_eq!(other("one\n--\ntwo", "one\n--\nthree"), ["comment"]);
        assert_eq!(other("one\n--\ntwo", "one\ntwo"), ["comment"]);
    }

    #[test]
    fn long_lines_arrive_in_chunks() {
        let text =
            "--\n-- Name: v; Type: VIEW; Schema: s; Owner: ada\n--\n\nCREATE VIEW s.v AS SELECT 1 AS a, 2 AS b;\n";
        // Headings are never split into chunks: they are shorter than the first chunk.
        let body = text.lines().last().unwrap();
        let (mut schema, mut found) = (SchemaSplitter::new("trial", "db4sci_admin", "ada"), Vec::new());
        text.lines().take(4).for_each(|line| schema.read(line.as_bytes(), true, &mut found));
        schema.read(&body.as_bytes()[..20], true, &mut found);
        schema.read(&body.as_bytes()[20..], false, &mut found);
        schema.end(&mut found);
        assert_eq!(found, whole(text));
    }

    #[test]
    fn quoted_text_is_not_a_heading() {
        let text = "--\n-- Name: f(); Type: FUNCTION; Schema: s; Owner: ada\n--\n\nCREATE FUNCTION s.f() AS $$\n--\n-- Name: x; Type: TABLE; Schema: s; Owner: bob\n--\nx\n--\n-- Name: broken\n--\n$$;\n";
        let found = whole(text);
        assert_eq!(found.iter().map(Definition::named).collect::<Vec<_>>(), ["function s.f() in trial"]);
        assert_ne!(found, whole(&text.replace("\nx\n", "\ny\n")));
        assert_ne!(found, whole(&text.replace("\nx\n", "\n\nx\n")));
    }
}
