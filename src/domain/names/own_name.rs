//! The names of a user's database and role as people type them.

/// A name as typed; the one that the engine with this label prescribes, which may be typed too; or, if nothing was typed,
/// the usual one. `None` if that is unknown.
pub fn own_name(
    typed: &str,
    fixed: Option<&str>,
    label: &str,
    usual: Option<String>,
) -> Option<Result<String, String>> {
    match fixed {
        Some(fixed) if typed.is_empty() || typed == fixed => Some(Ok(fixed.to_owned())),
        Some(fixed) => Some(Err(format!("{label} always uses “{fixed}”. Leave this field empty."))),
        None if typed.is_empty() => usual.map(Ok),
        None => Some(Ok(typed.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_engine_prescribes_cannot_be_changed() {
        let usual = || Some("shop".to_owned());
        assert_eq!(own_name("", None, "PostgreSQL", usual()), Some(Ok("shop".to_owned())));
        assert_eq!(own_name("mine", None, "PostgreSQL", usual()), Some(Ok("mine".to_owned())));
        assert_eq!(own_name("", None, "PostgreSQL", None), None);
        for typed in ["", "neo4j"] {
            assert_eq!(own_name(typed, Some("neo4j"), "Neo4j", usual()), Some(Ok("neo4j".to_owned())));
        }
        let said = own_name("mine", Some("neo4j"), "Neo4j", usual()).unwrap().unwrap_err();
        assert!(said.contains("always uses “neo4j”"), "{said}");
    }
}
