//! Lists the definitions that differ between a server and a backup.

use std::collections::BTreeMap;

use crate::engine::definition::Definition;

/// How closely definitions are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closeness {
    /// By their text; if it differs, by the `loose` text without what a server rewrites when it reads a definition
    /// back.
    Text,
    /// By kind and name only, because another version of the server words the same definitions differently.
    Name,
}

/// The differences between the definitions of a backup and those of a server, one sentence each.
pub fn differences(then: &[Definition], now: &[Definition], closeness: Closeness) -> Vec<String> {
    let key = |d: &Definition| (d.database.clone(), d.kind.clone(), d.name.clone());
    let was: BTreeMap<_, _> = then.iter().map(|d| (key(d), d)).collect();
    let is: BTreeMap<_, _> = now.iter().map(|d| (key(d), d)).collect();
    let mut found = Vec::new();
    let sentence = |d: &Definition, one: &str, many: &str| {
        let named = capital(&d.named());
        format!("{named} {}", if named.starts_with("Rights ") { many } else { one })
    };
    for (key, was) in &was {
        match is.get(key) {
            None => found.push(sentence(was, "is missing.", "are missing.")),
            Some(is) if closeness == Closeness::Text && !equal(was, is) => {
                found.push(sentence(was, "differs.", "differ."));
            }
            Some(_) => {}
        }
    }
    let new = is.iter().filter(|(key, _)| !was.contains_key(*key));
    let (one, many) = ("exists but was not in the backup.", "exist but were not in the backup.");
    found.extend(new.map(|(_, d)| sentence(d, one, many)));
    found
}

fn equal(a: &Definition, b: &Definition) -> bool {
    a.sha256 == b.sha256 || a.loose.as_ref().is_some_and(|loose| b.loose.as_ref() == Some(loose))
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: &str, name: &str, text: &str) -> Definition {
        Definition::of("trial", kind, name, text)
    }

    #[test]
    fn differences_are_listed_by_name() {
        let then = [of("table", "public.t", "a"), of("view", "public.v", "b"), of("index", "public.i", "c")];
        let now = [of("index", "public.i", "c"), of("table", "public.t", "x"), of("rule", "public.r", "d")];
        assert_eq!(
            differences(&then, &now, Closeness::Text),
            [
                "Table public.t in trial differs.",
                "View public.v in trial is missing.",
                "Rule public.r in trial exists but was not in the backup."
            ]
        );
        assert_eq!(differences(&then, &now, Closeness::Name).len(), 2);
        assert!(differences(&then, &then, Closeness::Text).is_empty());
    }

    #[test]
    fn different_spelling_by_the_server_is_not_a_difference() {
        let first = [of("table", "public.t", "CHECK ((k)::text = ANY ((ARRAY['a'::character varying])::text[]))")];
        let again = [of("table", "public.t", "CHECK ((k)::text = ANY (ARRAY[('a'::character varying)::text]))")];
        let other = [of("table", "public.t", "CHECK ((k)::text = ANY (ARRAY[('b'::character varying)::text]))")];
        assert!(differences(&first, &again, Closeness::Text).is_empty());
        assert_eq!(differences(&first, &other, Closeness::Text).len(), 1);
    }
}
