//! Runs the server's own check on every collection of some databases, with all its indexes.

use async_trait::async_trait;
use bson::{Bson, Document, doc};
use serde_json::json;

use crate::engine::conversation::Print;
use crate::engine::mongodb::commands::{collections, report};
use crate::engine::mongodb::script::{Names, Script, Server};
use crate::engine::mongodb::wire::WireError;

/// Reports what is damaged in these databases.
pub(crate) struct CheckCollections {
    pub databases: Vec<String>,
}

#[async_trait]
impl Script for CheckCollections {
    async fn run(&self, server: &mut Server, _names: &Names, print: &Print) -> Result<(), WireError> {
        for database in &self.databases {
            for one in collections(server, database).await? {
                let own = database == "admin" && !["system.users", "system.roles"].contains(&one.name.as_str());
                if own || one.kind == "view" || one.kind == "timeseries" {
                    continue;
                }
                let checked = server.run(database, doc! { "validate": &one.name, "full": true }).await;
                let checked =
                    checked.map_err(|e| WireError::Broken(format!("{} could not be checked: {e}", one.name)))?;
                if let Some(faults) = faults(&checked) {
                    let faults: String = faults.chars().take(2000).collect();
                    print.text(report("fault", &json!(format!("{database}.{}: {faults}", one.name)))).await;
                }
            }
        }
        Ok(())
    }
}

/// What is damaged, if anything is.
fn faults(checked: &Document) -> Option<String> {
    if checked.get_bool("valid").unwrap_or(false) {
        return None;
    }
    let list = |name| checked.get_array(name).into_iter().flatten();
    let text = |one: &Bson| one.as_str().map_or_else(|| one.to_string(), str::to_owned);
    // Documents that break a validation rule which was added later are the owner's business, not damage.
    let rule = |error: &String| error.contains("not compliant with the collection's schema");
    let (rules, errors): (Vec<String>, Vec<String>) = list("errors").map(text).partition(rule);
    let found: Vec<String> = errors.into_iter().chain(list("corruptRecords").map(text)).collect();
    (!found.is_empty() || rules.is_empty()).then(|| found.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_that_break_the_owners_rules_are_not_damage() {
        let rule = "Detected one or more documents not compliant with the collection's schema. Check logs";
        assert_eq!(faults(&doc! { "valid": true, "errors": [] }), None);
        assert_eq!(faults(&doc! { "valid": false, "errors": [rule] }), None);
        assert_eq!(faults(&doc! { "valid": false, "errors": [] }).as_deref(), Some(""));
        let both = doc! { "valid": false, "errors": [rule, "an index is missing keys"], "corruptRecords": [5_i64] };
        assert_eq!(faults(&both).as_deref(), Some("an index is missing keys; 5"));
    }
}
