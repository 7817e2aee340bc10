//! Limits on long-lived requests: so many at once per user, and four times as many per client address.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The limit per address, as a multiple of the limit per user.
const PERSONS: usize = 4;

/// Counts open requests of one kind.
#[derive(Debug)]
pub struct Caps {
    most: usize,
    held: Arc<Mutex<HashMap<String, usize>>>,
}

/// One open request; dropping it releases its place.
#[derive(Debug)]
pub struct CapPermit {
    keys: [String; 2],
    held: Arc<Mutex<HashMap<String, usize>>>,
}

fn lock(held: &Mutex<HashMap<String, usize>>) -> MutexGuard<'_, HashMap<String, usize>> {
    // Ignores poisoning: the counts are consistent even after a panic.
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Caps {
    /// Allows `most` open requests per user.
    pub fn new(most: usize) -> Self {
        Self { most, held: Arc::default() }
    }

    pub(crate) fn enter(&self, keys: [String; 2]) -> Option<CapPermit> {
        let mut held = lock(&self.held);
        let count = |key: &String| held.get(key).copied().unwrap_or_default();
        let [person, address] = &keys;
        if count(person) >= self.most || count(address) >= self.most.saturating_mul(PERSONS) {
            return None;
        }
        for key in &keys {
            *held.entry(key.clone()).or_default() += 1;
        }
        Some(CapPermit { keys, held: self.held.clone() })
    }
}

impl Drop for CapPermit {
    fn drop(&mut self) {
        let mut held = lock(&self.held);
        for key in &self.keys {
            if let Some(n) = held.get_mut(key) {
                *n = n.saturating_sub(1);
                if *n == 0 {
                    held.remove(key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_per_user_and_address_are_limited_and_released() {
        let caps = Caps::new(2);
        let enter = |person: &str, address: &str| caps.enter([format!("p {person}"), format!("a {address}")]);
        let mut ada = vec![enter("ada", "1"), enter("ada", "1")];
        assert!(ada.iter().all(Option::is_some) && enter("ada", "2").is_none());
        assert!(enter("bert", "1").is_some());
        ada.pop();
        assert!(enter("ada", "1").is_some());
        let many: Vec<_> = (0..20).filter_map(|n| enter(&format!("x{n}"), "9")).collect();
        assert_eq!(many.len(), 2 * PERSONS);
        drop((ada, many));
        assert!(lock(&caps.held).is_empty());
    }
}
