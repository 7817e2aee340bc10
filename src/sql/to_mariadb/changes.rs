//! Summarises the changes made to a dump, for people.

use std::collections::BTreeMap;

/// Maximum number of names listed in a sentence.
const LISTED: usize = 5;
/// Maximum bytes of a quoted statement.
const LONGEST: usize = 120;

/// Counts the changes made to a dump.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeCounts {
    /// Number of skipped server-wide statements.
    pub of_the_server: u64,
    definers: BTreeMap<String, u64>,
    collations: BTreeMap<String, String>,
    attributes: BTreeMap<String, u64>,
    /// Statements that name a database of the dump which has another name here or was not loaded: their number, and the
    /// first of them.
    elsewhere: (u64, Vec<String>),
}

impl ChangeCounts {
    /// Records that a definer was removed.
    pub fn definer(&mut self, who: &str) {
        if self.definers.len() < 1000 || self.definers.contains_key(who) {
            *self.definers.entry(who.chars().take(200).collect()).or_default() += 1;
        }
    }

    /// Records an attribute of MySQL that MariaDB ignores.
    pub fn attribute(&mut self, text: &str) {
        let text: String = text.chars().take(LONGEST).collect();
        if self.attributes.len() < 1000 || self.attributes.contains_key(&text) {
            *self.attributes.entry(text).or_default() += 1;
        }
    }

    /// Records a statement that names a database of the dump which has another name here or was not loaded.
    pub fn elsewhere(&mut self, statement: &[u8]) {
        self.elsewhere.0 += 1;
        if self.elsewhere.1.len() < LISTED {
            let text = String::from_utf8_lossy(statement.get(..LONGEST).unwrap_or(statement));
            self.elsewhere.1.push(text.split_whitespace().collect::<Vec<_>>().join(" "));
        }
    }

    /// Records that a collation was mapped.
    pub fn collation(&mut self, from: &[u8], to: &str) {
        self.collations.insert(String::from_utf8_lossy(from).to_ascii_lowercase(), to.to_owned());
    }

    /// The changes as sentences.
    pub fn sentences(&self) -> Vec<String> {
        let mut said = Vec::new();
        if !self.definers.is_empty() {
            let objects: u64 = self.definers.values().sum();
            let objects = if objects == 1 {
                "1 view, routine, trigger or event".to_owned()
            } else {
                format!("{objects} views, routines, triggers or events")
            };
            said.push(format!(
                "The owner of this database is now the definer of {objects} that were defined by {}.",
                list(self.definers.keys())
            ));
        }
        if !self.collations.is_empty() {
            let pairs: Vec<_> = self.collations.iter().map(|(from, to)| format!("{from} by {to}")).collect();
            said.push(format!("Collations of MySQL were replaced by those of MariaDB: {}.", list(pairs.iter())));
        }
        if !self.attributes.is_empty() {
            let counted: Vec<_> = self.attributes.iter().map(|(text, n)| format!("{text} ({n} ×)")).collect();
            let enforced = match self.attributes.contains_key("NOT ENFORCED") {
                true => " Checks that were not enforced are enforced here.",
                false => "",
            };
            let list = list(counted.iter());
            said.push(format!("Attributes of MySQL that MariaDB does not have were left out: {list}.{enforced}"));
        }
        let (count, first) = &self.elsewhere;
        if *count > 0 {
            let what = if *count == 1 { "1 statement names".to_owned() } else { format!("{count} statements name") };
            said.push(format!(
                "{what} a database of the dump that has another name here or was not loaded, and may fail because of this: {}.",
                first.join("; ")
            ));
        }
        match self.of_the_server {
            0 => {}
            1 => {
                said.push("1 server-wide statement (replication, binary log, global settings) was skipped.".to_owned());
            }
            n => said
                .push(format!("{n} server-wide statements (replication, binary log, global settings) were skipped.")),
        }
        said
    }
}

fn list<'a>(names: impl ExactSizeIterator<Item = &'a String>) -> String {
    let more = names.len().saturating_sub(LISTED);
    let said = names.take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{said} and {more} more") } else { said }
}

#[cfg(test)]
mod tests {
    use crate::sql::to_mariadb::changes::*;

    #[test]
    fn sentences_stay_short_for_many_changes() {
        let mut told = ChangeCounts::default();
        assert!(told.sentences().is_empty());
        for i in 0..2000 {
            told.definer(&format!("user{i}@%"));
        }
        told.of_the_server = 2;
        let said = told.sentences();
        assert_eq!(said.len(), 2);
        assert!(said.iter().all(|s| s.len() < 400), "{said:?}");
        assert!(said[0].contains("1000 views") && said[0].contains("and 995 more"), "{said:?}");
    }
}
