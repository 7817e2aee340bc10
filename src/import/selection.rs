//! Selects databases of a dump and the databases they are loaded into.

use crate::manifest::dump::{Dump, Format};
use crate::sql::Dialect;
use crate::sql::contents::is_servers;
use crate::sql::to_mariadb::DatabasePlaces;

/// Selects all databases of a dump.
pub const ALL: &str = "*";
/// Selects the part of a dump that names no database.
pub const UNNAMED: &str = "(unnamed)";

/// The part of a dump to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DumpSelection {
    /// All of it: the dump names no databases.
    Whole,
    /// The database of this name; empty for the part that names none.
    One(String),
    /// Every database, each into its own.
    Every,
}

/// Asks which database to select, or explains why the selection is not possible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question(pub String);

/// Display name of a database in a dump.
pub fn shown(name: &str) -> &str {
    if name.is_empty() { UNNAMED } else { name }
}

fn listed(names: &[String]) -> String {
    names.iter().take(20).map(|name| shown(name)).collect::<Vec<_>>().join(", ")
}

/// Whether all databases in a dump of this format can be loaded at once.
pub fn can_have_all(format: Format) -> bool {
    format.dialect().is_some()
}

/// Interprets the selection `asked`, for a database named `dbname`.
pub fn choose(dump: &Dump, asked: &str, dbname: &str) -> Result<DumpSelection, Question> {
    let names = &dump.databases;
    let all = can_have_all(dump.format);
    let has = |name: &str| names.iter().any(|known| known == name);
    let hint = if all { format!(", or load all of them: {ALL}") } else { String::new() };
    match asked {
        "" => {}
        ALL if names.len() > 1
            && let Some(dialect) = dump.format.dialect() =>
        {
            return match conflict(&targets(names, dialect, dbname), dialect) {
                None => Ok(DumpSelection::Every),
                Some(why) => Err(Question(format!("{why} Choose one of the databases {}.", listed(names)))),
            };
        }
        ALL if names.len() < 2 => {}
        UNNAMED if has("") => return Ok(DumpSelection::One(String::new())),
        name if has(name) => return Ok(DumpSelection::One(name.to_owned())),
        name if names.is_empty() => {
            return Err(Question(format!("This dump does not name any database, so “{name}” cannot be selected.")));
        }
        name => {
            return Err(Question(format!(
                "This dump does not contain a database “{name}”. It contains the databases {}. Choose one of \
                 them{hint}.",
                listed(names)
            )));
        }
    }
    match names.as_slice() {
        [] => Ok(DumpSelection::Whole),
        [one] => Ok(DumpSelection::One(one.clone())),
        _ if has(dbname) => Ok(DumpSelection::One(dbname.to_owned())),
        _ => Err(Question(format!("This dump contains the databases {}. Choose one of them{hint}.", listed(names)))),
    }
}

/// Assigns a database of a dump to a database of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadTarget {
    /// Its name in the dump; empty for the part that names none.
    pub source: String,
    /// The database to load it into.
    pub database: String,
    /// Whether that database must be created first.
    pub further: bool,
}

/// The targets of all databases of a dump. In PostgreSQL they keep their names; in MariaDB the names of a person's
/// databases start with the name of the first.
pub fn targets(databases: &[String], dialect: Dialect, dbname: &str) -> Vec<LoadTarget> {
    let target = |source: &String| {
        let own = source.is_empty() || source == dbname;
        let keeps = dialect == Dialect::Postgres && !is_servers(source, dialect);
        let database = match (own, keeps) {
            (true, _) => dbname.to_owned(),
            (false, true) => source.clone(),
            (false, false) => format!("{dbname}_{source}"),
        };
        LoadTarget { source: source.clone(), database, further: !own }
    };
    databases.iter().map(target).collect()
}

/// Why these databases cannot all be created: a name that is too long for the server, or two with the same name.
fn conflict(targets: &[LoadTarget], dialect: Dialect) -> Option<String> {
    let fits = |name: &str| match dialect {
        // NAMEDATALEN - 1: PostgreSQL cuts off longer names.
        Dialect::Postgres => name.len() <= 63,
        // https://mariadb.com/kb/en/identifier-names/#maximum-length
        Dialect::Mysql => name.chars().count() <= 64,
    };
    let mut created = targets.iter().filter(|target| target.further);
    created.find_map(|target| {
        let (name, source) = (&target.database, shown(&target.source));
        if !fits(name) {
            return Some(format!("“{source}” would be loaded into “{name}”, a name that is too long for the server."));
        }
        let other = targets.iter().find(|other| other.database == *name && other.source != target.source)?;
        Some(format!("“{source}” and “{}” would both be loaded into “{name}”.", shown(&other.source)))
    })
}

/// Maps the databases of a dump to those they are loaded into, and lists those that are not loaded.
pub fn places(targets: &[LoadTarget], databases: &[String]) -> DatabasePlaces {
    let named = targets.iter().filter(|target| !target.source.is_empty());
    let here: Vec<_> = named.map(|target| (target.source.clone(), target.database.clone())).collect();
    let left = databases.iter().filter(|name| !name.is_empty() && here.iter().all(|(source, _)| source != *name));
    DatabasePlaces { left: left.cloned().collect(), here }
}

#[cfg(test)]
mod tests {
    use crate::import::selection::*;
    use crate::manifest::dump::Packing;

    fn dump(format: Format, names: &[&str]) -> Dump {
        let databases = names.iter().map(|n| (*n).to_owned()).collect();
        Dump { packing: Packing::None, format, version: None, says_its_end: false, databases, told: Vec::new() }
    }

    #[test]
    fn a_single_database_is_selected_and_several_are_asked_about() {
        let one = |name: &str| Ok(DumpSelection::One(name.to_owned()));
        let two = dump(Format::MariaSql, &["mice", "rats"]);
        assert_eq!(choose(&dump(Format::PgPlain, &[]), "", "trial"), Ok(DumpSelection::Whole));
        assert_eq!(choose(&dump(Format::PgPlain, &["mice"]), "", "trial"), one("mice"));
        assert_eq!(choose(&two, "", "rats"), one("rats"));
        assert_eq!(choose(&two, "mice", "rats"), one("mice"));
        assert_eq!(choose(&two, "*", "trial"), Ok(DumpSelection::Every));
        let asked = choose(&two, "", "trial").unwrap_err().0;
        assert!(asked.contains("the databases mice, rats") && asked.contains('*'), "{asked}");
        assert!(choose(&two, "cats", "trial").unwrap_err().0.contains("not contain a database “cats”"));
        let mongo = dump(Format::MongoArchive, &["mice", "rats"]);
        assert!(!choose(&mongo, "*", "trial").unwrap_err().0.contains(": *"));
        assert_eq!(choose(&dump(Format::PgPlain, &["", "mice"]), UNNAMED, "trial"), one(""));
    }

    #[test]
    fn databases_that_cannot_all_be_created_are_named() {
        let said = |format, names: &[&str]| choose(&dump(format, names), "*", "trial").map_err(|asked| asked.0);
        let long = "x".repeat(58);
        assert_eq!(said(Format::MariaSql, &["mice", &long]), Ok(DumpSelection::Every));
        let why = said(Format::MariaSql, &["mice", &format!("{long}x")]).unwrap_err();
        assert!(why.contains("too long") && why.contains("Choose one"), "{why}");
        assert_eq!(said(Format::PgPlain, &["mice", &"y".repeat(63)]), Ok(DumpSelection::Every));
        let why = said(Format::PgPlain, &["postgres", "mice", "trial_postgres"]).unwrap_err();
        assert!(why.contains("“postgres” and “trial_postgres” would both be loaded into “trial_postgres”"), "{why}");
        assert_eq!(
            said(Format::PgPlain, &["", "trial"]),
            Ok(DumpSelection::Every),
            "the part without a name is its own"
        );
    }

    #[test]
    fn every_database_is_loaded_into_its_own() {
        let names = ["", "mice", "trial", "postgres"].map(str::to_owned);
        let places = |dialect| targets(&names, dialect, "trial").into_iter().map(|t| t.database).collect::<Vec<_>>();
        assert_eq!(places(Dialect::Postgres), ["trial", "mice", "trial", "trial_postgres"]);
        assert_eq!(places(Dialect::Mysql), ["trial", "trial_mice", "trial", "trial_postgres"]);
    }
}
