//! The keys of objects in a backup target, built and parsed in one place:
//!
//! - `<instance>/<container id>/<backup id>/<file>`: a backup; the part before the file is its location
//! - `<instance>/<container id>/deleted.json`: the record of a deletion
//! - `<instance>/mydb_admin/<time>/<file>`: a backup of mydb_admin
//! - `<instance>/check-<random>/…`: objects of `db4sci target check`

use std::fmt::Display;

use chrono::{DateTime, NaiveDateTime, Utc};
use uuid::Uuid;

use crate::domain::names::InstanceId;

/// Name of the record of a deletion.
pub const TOMBSTONE: &str = "deleted.json";
/// The folder with the backups of mydb_admin, named like its container.
const ADMIN: &str = "mydb_admin";
/// How the time of a backup of mydb_admin is written. It sorts chronologically.
const TIME: &str = "%Y%m%dT%H%M%SZ";

/// Beginning of all keys of an instance.
pub fn of_instance(instance: impl Display) -> String {
    format!("{instance}/")
}

/// Beginning of all keys of a container.
pub fn of_container(instance: impl Display, container: impl Display) -> String {
    format!("{instance}/{container}/")
}

/// Location of a backup: its keys up to the slash before the file.
pub fn backup(instance: impl Display, container: impl Display, backup: impl Display) -> String {
    format!("{instance}/{container}/{backup}")
}

/// Key of a file at a location.
pub fn file(location: impl Display, file: impl Display) -> String {
    format!("{location}/{file}")
}

/// Key of the record of a deletion.
pub fn tombstone(instance: &str, container: Uuid) -> String {
    format!("{instance}/{container}/{TOMBSTONE}")
}

/// Beginning of the keys that a check of a target writes.
pub fn check(instance: &InstanceId, random: &str) -> String {
    format!("{instance}/check-{random}")
}

/// Splits the key of an object into a location and the name of the file.
pub fn split(key: &str) -> (&str, &str) {
    match key.match_indices('/').nth(2) {
        Some((at, _)) => (&key[..at], &key[at + 1..]),
        None => key.rsplit_once('/').unwrap_or(("", key)),
    }
}

/// The instance, container and backup of a location. `None` unless it is exactly as [`backup`] builds it.
pub fn parse_backup(location: &str) -> Option<(InstanceId, Uuid, Uuid)> {
    let mut parts = location.split('/');
    let (instance, container, backup) = (parts.next()?, parts.next()?, parts.next()?);
    let id = |text: &str| text.parse::<Uuid>().ok().filter(|id| id.to_string() == text);
    parts.next().is_none().then_some(())?;
    Some((InstanceId::parse(instance).ok()?, id(container)?, id(backup)?))
}

/// The id at the end of the location of a backup.
pub fn backup_id(location: &str) -> Option<Uuid> {
    location.rsplit('/').next()?.parse().ok()
}

/// Whether this is where the record of a deletion is stored: next to the backups of a database.
pub fn is_of_container(location: &str) -> bool {
    location.split_once('/').is_some_and(|(_, id)| id.parse::<Uuid>().is_ok())
}

/// Beginning of the keys of all backups of mydb_admin.
pub fn of_admin_backups(instance: &InstanceId) -> String {
    format!("{instance}/{ADMIN}/")
}

/// Location of the backup of mydb_admin from this moment.
pub fn admin_backup(instance: &InstanceId, at: DateTime<Utc>) -> String {
    format!("{}{}", of_admin_backups(instance), at.format(TIME))
}

/// Whether a location is below the folder with the backups of mydb_admin.
pub fn is_of_admin(location: &str) -> bool {
    location.split('/').nth(1) == Some(ADMIN)
}

/// Whether a location has the form of [`admin_backup`].
pub fn is_admin_backup(location: &str) -> bool {
    let mut parts = location.split('/').skip(2);
    let time = parts.next().unwrap_or_default();
    parts.next().is_none() && NaiveDateTime::parse_from_str(time, TIME).is_ok()
}

/// The moment and the location of a backup of mydb_admin, given the key of its file `name`.
pub fn parse_admin_backup(key: &str, beginning: &str, name: &str) -> Option<(DateTime<Utc>, String)> {
    let time = key.strip_prefix(beginning)?.strip_suffix(name)?.strip_suffix('/')?;
    let at = NaiveDateTime::parse_from_str(time, TIME).ok()?.and_utc();
    Some((at, format!("{beginning}{time}")))
}

#[cfg(test)]
mod tests {
    use crate::domain::object_keys::*;

    #[test]
    fn built_keys_are_parsed_back() {
        let (instance, c, b) = (InstanceId::parse("lab").unwrap(), Uuid::from_u128(1), Uuid::from_u128(2));
        let location = backup(&instance, c, b);
        assert_eq!(parse_backup(&location), Some((instance.clone(), c, b)));
        assert_eq!(split(&file(&location, "manifest.json")), (location.as_str(), "manifest.json"));
        assert_eq!(backup_id(&location), Some(b));
        assert!(location.starts_with(&of_container(&instance, c)) && !is_of_admin(&location));
        let key = tombstone("lab", c);
        assert_eq!(split(&key).1, TOMBSTONE);
        assert!(is_of_container(split(&key).0) && !is_of_container(&location));
        let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let location = admin_backup(&instance, at);
        assert!(is_of_admin(&location) && is_admin_backup(&location));
        let found = parse_admin_backup(&file(&location, "m.json"), &of_admin_backups(&instance), "m.json");
        assert_eq!(found, Some((at, location)));
        assert!(check(&instance, "1").starts_with(&of_instance(&instance)));
    }

    #[test]
    fn keys_are_split_at_the_backup() {
        assert_eq!(split("i/c/b/manifest.json"), ("i/c/b", "manifest.json"));
        assert_eq!(split("i/c/b/more/deep"), ("i/c/b", "more/deep"));
        assert_eq!(split("i/check-1/probe"), ("i/check-1", "probe"));
        assert_eq!(split("i/stray"), ("i", "stray"));
    }

    #[test]
    fn only_exact_locations_are_backups() {
        let (c, b) = (Uuid::from_u128(1), Uuid::from_u128(0xabc));
        let of = |text: String| parse_backup(&text);
        for other in ["lab".to_owned(), format!("lab/{c}"), format!("lab/{c}/x"), format!("lab/{c}/{b}/manifest.json")]
        {
            assert_eq!(of(other.clone()), None, "{other}");
        }
        assert_eq!(of(format!("lab/{c}/{}", b.to_string().to_uppercase())), None);
        assert_eq!(of(format!("lab/{}/{b}", c.simple())), None);
    }
}
