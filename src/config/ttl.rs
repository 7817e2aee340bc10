//! The settings `limits.ttl_max` and `limits.ttl_default`: times to live by role and engine.

use crate::domain::engine::EngineKind;
use crate::domain::ttl::{Lifetime, TtlLimits};
use crate::domain::user::Role;

/// The databases that an entry applies to. Without role and engine, it applies to the databases of all users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TtlScope {
    role: Option<Role>,
    engine: Option<EngineKind>,
}

impl TtlScope {
    /// Reads `user`, `neo4j` or `user:neo4j`.
    fn parse(text: &str) -> Option<Self> {
        let (role, engine) = (Role::parse(text), EngineKind::parse(text));
        if role.is_some() || engine.is_some() {
            return Some(Self { role, engine });
        }
        let (role, engine) = text.split_once(':')?;
        Some(Self { role: Some(Role::parse(role.trim())?), engine: Some(EngineKind::parse(engine.trim())?) })
    }

    /// How specific it is for such a database; `None` if it does not apply. Only entries that name the role apply to
    /// administrators.
    fn fits(self, role: Role, engine: EngineKind) -> Option<u8> {
        let meant = self.role.map_or(role == Role::User, |r| r == role) && self.engine.is_none_or(|e| e == engine);
        meant.then_some(u8::from(self.role.is_some()) * 2 + u8::from(self.engine.is_some()))
    }
}

/// An entry: the time to live for a scope, or no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TtlRule {
    scope: TtlScope,
    lifetime: Option<Lifetime>,
}

impl TtlRule {
    /// Reads `30d`, `neo4j=7d`, `user=30d`, `user:neo4j=7d`, each also with `never`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (scope, value) = match text.split_once('=') {
            None => (TtlScope { role: None, engine: None }, text),
            Some((scope, value)) => {
                let scope = scope.trim();
                let read = TtlScope::parse(scope);
                (read.ok_or_else(|| format!("“{scope}” is not a role, an engine, or ROLE:ENGINE"))?, value)
            }
        };
        let lifetime = match value.trim() {
            "never" => None,
            value => Some(Lifetime::parse(value).map_err(|e| format!("“{text}”: {e}"))?),
        };
        Ok(Self { scope, lifetime })
    }
}

/// The entries of a setting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TtlRules(Vec<TtlRule>);

impl TtlRules {
    /// Adds an entry; `false` if there is one for the same databases.
    pub fn add(&mut self, rule: TtlRule) -> bool {
        let new = self.0.iter().all(|known| known.scope != rule.scope);
        self.0.push(rule);
        new
    }

    /// The time to live for the databases of a role and engine: that of the most specific entry.
    pub fn of(&self, role: Role, engine: EngineKind) -> Option<Lifetime> {
        let fitting = self.0.iter().filter_map(|rule| Some((rule.scope.fits(role, engine)?, rule.lifetime)));
        fitting.max_by_key(|(closeness, _)| *closeness).and_then(|(_, lifetime)| lifetime)
    }
}

/// Both settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TtlSettings {
    /// The longest times to live.
    pub longest: TtlRules,
    /// The times to live of databases for which none is given.
    pub default: TtlRules,
}

impl TtlSettings {
    /// What applies to databases that somebody with this role makes or extends.
    pub fn of(&self, role: Role, engine: EngineKind) -> TtlLimits {
        TtlLimits { longest: self.longest.of(role, engine), default: self.default.of(role, engine) }
    }

    /// A default that is above the longest time to live, in words.
    pub(super) fn contradiction(&self) -> Option<String> {
        let pairs = Role::ALL.into_iter().flat_map(|role| EngineKind::ALL.map(|engine| (role, engine)));
        pairs.into_iter().find_map(|(role, engine)| {
            let limits = self.of(role, engine);
            let (default, longest) = limits.default.zip(limits.longest)?;
            let (role, engine) = (role.as_str(), engine.as_str());
            (default > longest)
                .then(|| format!("{default} for {role}:{engine} must not be above limits.ttl_max, which is {longest}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(entries: &[&str]) -> TtlRules {
        let mut rules = TtlRules::default();
        for entry in entries {
            assert!(rules.add(TtlRule::parse(entry).unwrap()), "{entry}");
        }
        rules
    }

    fn days(rules: &TtlRules, role: Role, engine: EngineKind) -> Option<i64> {
        rules.of(role, engine).map(|lifetime| lifetime.duration().num_days())
    }

    #[test]
    fn the_most_specific_entry_applies_and_administrators_only_by_role() {
        use EngineKind::{Mariadb, Mongodb, Neo4j, Postgres};
        let some = rules(&["30d", "neo4j = 7d", "user:mariadb=never", "user:mongodb=2w", "mongodb=1d"]);
        let user = |engine| days(&some, Role::User, engine);
        assert_eq!((user(Postgres), user(Neo4j), user(Mariadb), user(Mongodb)), (Some(30), Some(7), None, Some(14)));
        assert!(EngineKind::ALL.iter().all(|engine| days(&some, Role::Admin, *engine).is_none()));
        let admins = rules(&["user=30d", "postgres=1d", "admin=365d", "admin:neo4j=9d"]);
        assert_eq!(days(&admins, Role::Admin, Postgres), Some(365));
        assert_eq!(days(&admins, Role::Admin, Neo4j), Some(9));
        assert_eq!(days(&admins, Role::User, Postgres), Some(30), "a role is closer than an engine");
        assert_eq!(days(&TtlRules::default(), Role::User, Postgres), None);
    }

    #[test]
    fn invalid_entries_are_rejected_with_a_reason() {
        for (text, why) in [
            ("root=1d", "“root” is not a role"),
            ("neo4j:user=1d", "is not a role"),
            ("user=", "is not a time to live"),
            ("user=0", "“user=0”: A time to live of 0"),
            ("1e3", "not a whole number"),
            ("-1d", "negative"),
            ("2027-01-31", "is not a time to live"),
        ] {
            let said = TtlRule::parse(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
        let mut twice = rules(&["1d", "user=2d"]);
        assert!(!twice.add(TtlRule::parse("user=3d").unwrap()));
    }

    #[test]
    fn a_default_above_the_maximum_is_rejected() {
        let settings =
            |longest: &[&str], default: &[&str]| TtlSettings { longest: rules(longest), default: rules(default) };
        assert_eq!(settings(&["30d"], &["7d"]).contradiction(), None);
        assert_eq!(settings(&[], &["7d"]).contradiction(), None);
        let said = settings(&["30d", "neo4j=1d"], &["7d"]).contradiction().unwrap();
        assert_eq!(said, "7 days for user:neo4j must not be above limits.ttl_max, which is 1 day");
    }
}
