//! What a server says is in it, in the same words for every engine.

use serde::{Deserialize, Serialize};

/// A look into one server. Counts are the server's own estimates unless an object says they are exact.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Survey {
    /// Its version, in its own words.
    pub version: String,
    /// Seconds since it was started.
    pub uptime_seconds: Option<i64>,
    /// Connections open now.
    pub connections: Option<i64>,
    /// Most connections it takes.
    pub connections_max: Option<i64>,
    /// Share of reads that its cache answered, from 0 to 1, since it was started.
    pub cache_hit: Option<f64>,
    /// Roles or users in it.
    pub roles: Vec<SurveyedRole>,
    /// Its databases, those of the system left out.
    pub databases: Vec<SurveyedDatabase>,
}

/// A role or user inside a server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SurveyedRole {
    /// Its name.
    pub name: String,
    /// Whether it may do everything.
    pub admin: bool,
}

/// A database inside a server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SurveyedDatabase {
    /// Its name.
    pub name: String,
    /// What it takes, in bytes.
    pub bytes: Option<i64>,
    /// How many rows, documents or nodes it has, where the numbers of its objects don't add up to that.
    pub entries: Option<i64>,
    /// The largest things in it: tables, collections, labels.
    pub objects: Vec<SurveyedObject>,
}

/// What has the rows of its partitions, which are listed as tables of their own.
const PARTITIONED: &str = "partitioned table";

impl SurveyedDatabase {
    /// How many rows, documents or nodes it has, each counted once; `None` where the server told of none.
    pub fn entries(&self) -> Option<i64> {
        let counted = self.objects.iter().filter(|o| o.kind != PARTITIONED);
        let sum = || counted.filter_map(|o| o.rows).reduce(i64::saturating_add);
        self.entries.or_else(sum).or_else(|| self.objects.is_empty().then_some(0))
    }
}

/// A table, a collection, a label.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SurveyedObject {
    /// Its name, with its schema where there are schemas.
    pub name: String,
    /// Such as `table`, `view`, `collection`, `label`, `relationship type`.
    pub kind: String,
    /// How many rows, documents or nodes.
    pub rows: Option<i64>,
    /// Whether `rows` was counted, not estimated.
    pub exact: bool,
    /// What it takes, indexes included, in bytes.
    pub bytes: Option<i64>,
}

/// The objects of one database, as a line of their own.
#[derive(Deserialize)]
struct Contents {
    database: String,
    objects: Vec<SurveyedObject>,
}

impl Survey {
    /// Reads JSON lines: the server first, then the objects of each database.
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
    fn lines_become_one_survey_and_rubbish_is_named() {
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
