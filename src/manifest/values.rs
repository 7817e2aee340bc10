//! Checks the values of a manifest that reach a command or a script. A manifest without a signature can come from anyone
//! who may write to the bucket.

use crate::domain::engine::EngineKind;
use crate::manifest::object::Object;
use crate::manifest::sum::Sum;

/// Databases that belong to the server itself and are in no backup.
fn is_servers_own(engine: EngineKind, database: &str) -> bool {
    let own: &[&str] = match engine {
        EngineKind::Postgres => &["postgres", "template0", "template1"],
        EngineKind::Mariadb => &["mysql", "sys", "information_schema", "performance_schema"],
        EngineKind::Mongodb => &["admin", "local", "config"],
        EngineKind::Neo4j => &["system"],
    };
    // PostgreSQL distinguishes upper and lower case.
    match engine {
        EngineKind::Postgres => own.contains(&database),
        _ => own.iter().any(|name| name.eq_ignore_ascii_case(database)),
    }
}

/// Whether this is a name as portals give it to an object.
fn is_file(name: &str) -> bool {
    name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

fn is_sum(sum: &Sum) -> bool {
    sum.sha256.len() == 64 && sum.sha256.bytes().all(|b| b.is_ascii_hexdigit())
}

fn check_object(engine: EngineKind, object: &Object) -> Result<(), String> {
    let name: String = object.file.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
    if !is_file(&object.file) || !is_file(&object.plain) {
        return Err(format!("The manifest refers to an object elsewhere: {name}."));
    }
    if !is_sum(&object.dumped) || !is_sum(&object.stored) {
        return Err(format!("The manifest contains no valid checksum of {name}."));
    }
    if object.database.as_deref().is_some_and(|database| is_servers_own(engine, database)) {
        return Err(format!("The manifest claims that {name} contains a database of the server itself."));
    }
    Ok(())
}

/// Checks what every portal writes in the same form.
///
/// # Errors
/// A sentence about the first value that no portal writes.
pub(super) fn check(engine: EngineKind, objects: &[Object], sealed_password: Option<&str>) -> Result<(), String> {
    objects.iter().try_for_each(|object| check_object(engine, object))?;
    let is_base64 = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='));
    if sealed_password.is_some_and(|sealed| !is_base64(sealed)) {
        return Err("The manifest contains no valid administrator's password.".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(file: &str, database: Option<&str>, sha256: &str) -> Object {
        let sum = Sum { bytes: 1, sha256: sha256.to_owned() };
        Object {
            file: file.to_owned(),
            plain: "database-1.sql".to_owned(),
            database: database.map(str::to_owned),
            what: "a database".to_owned(),
            dumped: sum.clone(),
            stored: sum,
            compression: "zstd".to_owned(),
            encryption: None,
        }
    }

    #[test]
    fn only_what_a_portal_writes_is_accepted() {
        let sum = "0".repeat(64);
        let said =
            |file: &str, database, sha256: &str| check_object(EngineKind::Mariadb, &object(file, database, sha256));
        assert_eq!(said("database-1.sql.zst.age", Some("it's \"odd\""), &sum), Ok(()));
        for file in ["", "../x", "a/b", "-x", ".x", "x\nSUMS\nid", "x y", "$(id)"] {
            assert!(said(file, None, &sum).unwrap_err().contains("an object elsewhere"), "{file}");
        }
        for wrong in ["", "\nSUMS\nid", &"g".repeat(64), &"0".repeat(63)] {
            assert!(said("x", None, wrong).unwrap_err().contains("checksum"), "{wrong}");
        }
        assert_eq!(check_object(EngineKind::Postgres, &object("x", Some("Postgres"), &sum)), Ok(()));
        for own in ["mysql", "MySQL", "sys"] {
            assert!(said("x", Some(own), &sum).unwrap_err().contains("the server itself"), "{own}");
        }
    }
}
