//! Which of a dump's databases is wanted, and where it goes.

use crate::manifest::dump::{Dump, Format};
use crate::sql::Dialect;
use crate::sql::contents::is_servers;
use crate::sql::to_mariadb::DatabasePlaces;

/// What asks for all databases of a dump.
pub const ALL: &str = "*";
/// What stands for the part of a dump that names no database.
pub const UNNAMED: &str = "(unnamed)";

/// What is wanted of a dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DumpSelection {
    /// All of it; it has no names.
    Whole,
    /// The database of this name; empty: what names none.
    One(String),
    /// Every database, each for itself.
    Every,
}

/// Why nothing could be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question(pub String);

/// A name of a database for people.
pub fn shown(name: &str) -> &str {
    if name.is_empty() { UNNAMED } else { name }
}

fn listed(names: &[String]) -> String {
    names.iter().take(20).map(|name| shown(name)).collect::<Vec<_>>().join(", ")
}

/// Whether all databases of such a dump can be loaded at once.
pub fn can_have_all(format: Format) -> bool {
    format.dialect().is_some()
}

/// What is meant by `asked`, for a database that is called `dbname`.
pub fn choose(dump: &Dump, asked: &str, dbname: &str) -> Result<DumpSelection, Question> {
    let names = &dump.databases;
    let all = can_have_all(dump.format);
    let has = |name: &str| names.iter().any(|known| known == name);
    let hint = if all { format!(", or load all of them: {ALL}") } else { String::new() };
    match asked {
        "" => {}
        ALL if all && names.len() > 1 => return Ok(DumpSelection::Every),
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

/// Where a database of a dump goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadTarget {
    /// Its name in the dump; empty: what names none.
    pub source: String,
    /// The database that it is loaded into.
    pub database: String,
    /// Whether that has to be made first.
    pub further: bool,
}

/// Where each database of a dump goes if all are wanted. In PostgreSQL they keep their names; in MariaDB a person's
/// databases begin with the name of the first.
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

/// Where the databases of a dump are, of which `targets` are loaded.
pub fn places(targets: &[LoadTarget], databases: &[String]) -> DatabasePlaces {
    let named = targets.iter().filter(|target| !target.source.is_empty());
    let here: Vec<_> = named.map(|target| (target.source.clone(), target.database.clone())).collect();
    let left = databases.iter().filter(|name| !name.is_empty() && here.iter().all(|(source, _)| source != *name));
    DatabasePlaces { left: left.cloned().collect(), here }
}

#[cfg(test)]
mod tests {
    use crate::import::choice::*;
    use crate::manifest::dump::Packing;

    fn dump(format: Format, names: &[&str]) -> Dump {
        let databases = names.iter().map(|n| (*n).to_owned()).collect();
        Dump { packing: Packing::None, format, version: None, says_its_end: false, databases, told: Vec::new() }
    }

    #[test]
    fn one_is_taken_several_are_asked_about() {
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
    fn all_have_places_of_their_own() {
        let names = ["", "mice", "trial", "postgres"].map(str::to_owned);
        let places = |dialect| targets(&names, dialect, "trial").into_iter().map(|t| t.database).collect::<Vec<_>>();
        assert_eq!(places(Dialect::Postgres), ["trial", "mice", "trial", "trial_postgres"]);
        assert_eq!(places(Dialect::Mysql), ["trial", "trial_mice", "trial", "trial_postgres"]);
    }
}
