//! Results of scanning a server, in the same form for every engine.

use serde::{Deserialize, Serialize};

/// A scan of one server. Counts are the server's own estimates unless an object is marked as exact.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Survey {
    /// Its version, as the server reports it.
    pub version: String,
    /// Seconds since it started.
    pub uptime_seconds: Option<i64>,
    /// Currently open connections.
    pub connections: Option<i64>,
    /// Maximum number of connections.
    pub connections_max: Option<i64>,
    /// Share of reads served from its cache since it started, from 0 to 1.
    pub cache_hit: Option<f64>,
    /// Its roles or users.
    pub roles: Vec<SurveyedRole>,
    /// Its databases, without those of the system.
    pub databases: Vec<SurveyedDatabase>,
}

/// A role or user inside a server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SurveyedRole {
    /// Its name.
    pub name: String,
    /// Whether it has all privileges.
    pub admin: bool,
}

/// A database inside a server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SurveyedDatabase {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub bytes: Option<i64>,
    /// Number of rows, documents or nodes, if it is not the sum over the objects.
    pub entries: Option<i64>,
    /// Its largest objects: tables, collections, labels.
    pub objects: Vec<SurveyedObject>,
}

/// The kind of a table whose rows are those of its partitions, which are listed as tables too.
const PARTITIONED: &str = "partitioned table";

impl SurveyedDatabase {
    /// Number of rows, documents or nodes, each counted once; `None` if the server reported no numbers.
    pub fn entries(&self) -> Option<i64> {
        let counted = self.objects.iter().filter(|o| o.kind != PARTITIONED);
        let sum = || counted.filter_map(|o| o.rows).reduce(i64::saturating_add);
        self.entries.or_else(sum).or_else(|| self.objects.is_empty().then_some(0))
    }
}

/// A table, collection or label.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SurveyedObject {
    /// Its name, including the schema if the engine has schemas.
    pub name: String,
    /// For example `table`, `view`, `collection`, `label`, `relationship type`.
    pub kind: String,
    /// Number of rows, documents or nodes.
    pub rows: Option<i64>,
    /// Whether `rows` was counted rather than estimated.
    pub exact: bool,
    /// Its size in bytes, including indexes.
    pub bytes: Option<i64>,
}

/// A line of output with the objects of one database.
#[derive(Deserialize)]
struct Contents {
    database: String,
    objects: Vec<SurveyedObject>,
}

impl Survey {
    /// Parses JSON lines: first the server, then the objects of each database.
    pub fn from_lines(printed: &str) -> Result<Self, String> {
        let mut lines = printed.lines().map(str::trim).filter(|l| !l.is_empty());
        let first = lines.next().ok_or("the server's response was empty")?;
        let wrong = |line: &str, e: &serde_json::Error| {
            format!("cannot parse the server's response ({e}): {}", line.chars().take(200).collect::<String>())
        };
        let mut survey: Self = serde_json::from_str(first).map_err(|e| wrong(first, &e))?;
        for line in lines {
            let contents: Contents = serde_json::from_str(line).map_err(|e| wrong(line, &e))?;
            if let Some(database) = survey.databases.iter_mut().find(|d| d.name == contents.database) {
                database.objects = contents.objects;
            }
        }
        Ok(survey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_counted_once() {
        let object = |kind: &str, rows| SurveyedObject { kind: kind.to_owned(), rows, ..SurveyedObject::default() };
        let of = |objects| SurveyedDatabase { objects, ..SurveyedDatabase::default() }.entries();
        assert_eq!(of(vec![]), Some(0));
        assert_eq!(of(vec![object("view", None)]), None);
        let parts = vec![object("partitioned table", Some(7)), object("table", Some(3)), object("table", Some(4))];
        assert_eq!(of(parts), Some(7));
    }

    #[test]
    fn lines_become_one_survey_and_invalid_output_is_reported() {
        let said = r#"
            {"version": "17.6", "connections": 3, "databases": [{"name": "trial", "bytes": 7}, {"name": "b"}]}
            {"database": "trial", "objects": [{"name": "t", "kind": "table", "rows": 2}]}
            {"database": "gone meanwhile", "objects": []}"#;
        let survey = Survey::from_lines(said).unwrap();
        assert_eq!((survey.version.as_str(), survey.connections), ("17.6", Some(3)));
        assert_eq!(survey.databases[0].objects[0].rows, Some(2));
        assert!(survey.databases[1].objects.is_empty());
        assert!(Survey::from_lines("").is_err());
        assert!(Survey::from_lines("psql: error").unwrap_err().contains("psql: error"));
    }
}
