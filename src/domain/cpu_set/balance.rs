//! Chooses the least used cores, and moves as few databases as possible to even out their use.

use std::collections::BTreeMap;

use super::CpuSet;
use super::topology::Topology;

/// How many databases are pinned to each core.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CoreUse(BTreeMap<u16, u64>);

impl CoreUse {
    /// Counts a set once more.
    pub fn add(&mut self, set: &CpuSet) {
        for core in set.iter() {
            *self.0.entry(core).or_default() += 1;
        }
    }

    /// Counts a set once less.
    fn remove(&mut self, set: &CpuSet) {
        for core in set.iter() {
            let count = self.0.entry(core).or_default();
            *count = count.saturating_sub(1);
        }
    }

    fn of(&self, core: u16) -> u64 {
        self.0.get(&core).copied().unwrap_or_default()
    }

    fn sum(&self, set: &CpuSet) -> u64 {
        set.iter().map(|core| self.of(core)).sum()
    }
}

impl<'a> FromIterator<&'a CpuSet> for CoreUse {
    fn from_iter<I: IntoIterator<Item = &'a CpuSet>>(sets: I) -> Self {
        let mut taken = Self::default();
        sets.into_iter().for_each(|set| taken.add(set));
        taken
    }
}

/// The `wanted` least used cores of one group, or as many as the largest group has. Among equally used ones, those of
/// `current` come first, so that nothing moves without a reason, and then those of the group that is used least.
pub fn least_used(topology: &Topology, taken: &CoreUse, wanted: usize, current: &CpuSet) -> CpuSet {
    let wanted = wanted.min(topology.largest());
    let choices = topology.groups().iter().filter(|group| group.len() >= wanted).map(|group| {
        let mut cores: Vec<u16> = group.iter().collect();
        cores.sort_by_key(|core| (taken.of(*core), !current.contains(*core), *core));
        let chosen: CpuSet = cores.into_iter().take(wanted).collect();
        let moved = chosen.len() - chosen.common(current).len();
        // The average use of the group, in thousandths.
        let average = taken.sum(group) * 1000 / u64::try_from(group.len()).unwrap_or(1).max(1);
        ((taken.sum(&chosen), moved, average), chosen)
    });
    choices.min_by(|(a, _), (b, _)| a.cmp(b)).map(|(_, chosen)| chosen).unwrap_or_default()
}

/// A pinned database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedTo<Id> {
    /// Which one.
    pub id: Id,
    /// Its cores.
    pub set: CpuSet,
    /// How many cores it wants if they are chosen automatically; `None` if it keeps its set.
    pub wanted: Option<usize>,
}

/// The databases to move, with their new cores: those whose cores are no longer there or no longer belong together, and then
/// one at a time, the one that gains most, until no move gains anything.
pub fn rebalance<Id: Clone>(topology: &Topology, pinned: &[PinnedTo<Id>]) -> Vec<(Id, CpuSet)> {
    let mut taken: CoreUse = pinned.iter().map(|p| &p.set).collect();
    let mut sets: Vec<CpuSet> = pinned.iter().map(|p| p.set.clone()).collect();
    for (set, pin) in sets.iter_mut().zip(pinned) {
        let Some(wanted) = pin.wanted.filter(|wanted| !topology.fits(set, *wanted)) else { continue };
        taken.remove(set);
        *set = least_used(topology, &taken, wanted, set);
        taken.add(set);
    }
    // Each move lowers the sum of the squares of the counts, so this ends; the limit guards against a mistake in that.
    for _ in 0..pinned.len().saturating_mul(8) {
        let mut best: Option<(u64, usize, CpuSet)> = None;
        for (n, (set, pin)) in sets.iter().zip(pinned).enumerate() {
            let Some(wanted) = pin.wanted else { continue };
            taken.remove(set);
            let better = least_used(topology, &taken, wanted, set);
            let gain = taken.sum(set).saturating_sub(taken.sum(&better));
            taken.add(set);
            if gain > best.as_ref().map_or(0, |(most, ..)| *most) {
                best = Some((gain, n, better));
            }
        }
        let Some((_, n, better)) = best else { break };
        if let Some(set) = sets.get_mut(n) {
            taken.remove(set);
            taken.add(&better);
            *set = better;
        }
    }
    let moved = pinned.iter().zip(sets).filter(|(pin, set)| pin.set != *set);
    moved.map(|(pin, set)| (pin.id.clone(), set)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> CpuSet {
        if text.is_empty() { CpuSet::default() } else { CpuSet::parse(text).unwrap() }
    }

    fn two_nodes() -> Topology {
        Topology::new(set("0-7"), &[set("0-3"), set("4-7")])
    }

    fn choose(topology: &Topology, taken: &[&str], wanted: usize, current: &str) -> String {
        let sets: Vec<CpuSet> = taken.iter().map(|t| set(t)).collect();
        least_used(topology, &sets.iter().collect(), wanted, &set(current)).to_string()
    }

    #[test]
    fn the_least_used_cores_of_one_node_are_chosen() {
        let t = two_nodes();
        assert_eq!(choose(&t, &[], 2, ""), "0-1");
        assert_eq!(choose(&t, &["0-1"], 2, ""), "4-5", "the other node is used less");
        assert_eq!(choose(&t, &["0-1", "4-5"], 2, ""), "2-3");
        assert_eq!(choose(&t, &["0-2", "4-6"], 2, ""), "0,3", "never one core of each node");
        assert_eq!(choose(&t, &["0-3", "0-3", "4-7"], 4, ""), "4-7");
        assert_eq!(choose(&t, &[], 99, ""), "0-3", "as many as belong together");
    }

    #[test]
    fn equally_used_cores_are_kept() {
        let t = two_nodes();
        assert_eq!(choose(&t, &[], 2, "6-7"), "6-7");
        assert_eq!(choose(&t, &["6"], 2, "6-7"), "4,7", "only the crowded one is left");
        assert_eq!(choose(&t, &["0", "4"], 2, "2,6"), "1-2");
    }

    #[test]
    fn a_larger_group_is_needed_for_more_cores() {
        let t = Topology::new(set("0-2,8-13"), &[set("0-2"), set("8-13")]);
        assert_eq!(choose(&t, &["8-13", "8-13"], 4, ""), "8-11");
        assert_eq!(choose(&t, &["8-13", "8-13"], 3, ""), "0-2");
    }

    #[test]
    fn many_databases_spread_evenly() {
        let t = two_nodes();
        let mut taken = CoreUse::default();
        for _ in 0..8 {
            taken.add(&least_used(&t, &taken, 2, &CpuSet::default()));
        }
        assert!((0..8).all(|core| taken.of(core) == 2), "{taken:?}");
    }

    fn pins(of: &[(&'static str, Option<usize>)]) -> Vec<PinnedTo<usize>> {
        of.iter().enumerate().map(|(id, (text, wanted))| PinnedTo { id, set: set(text), wanted: *wanted }).collect()
    }

    fn moved(topology: &Topology, of: &[(&'static str, Option<usize>)]) -> Vec<(usize, String)> {
        rebalance(topology, &pins(of)).into_iter().map(|(id, set)| (id, set.to_string())).collect()
    }

    #[test]
    fn an_even_distribution_does_not_change() {
        let t = two_nodes();
        assert_eq!(moved(&t, &[("0-1", Some(2)), ("2-3", Some(2)), ("4-7", Some(4))]), []);
        assert_eq!(moved(&t, &[("0", Some(1)), ("0", None), ("1", Some(1)), ("2", Some(1)), ("3-7", None)]), []);
        assert_eq!(moved(&t, &[]), []);
    }

    #[test]
    fn only_one_of_two_on_the_same_cores_moves() {
        let t = two_nodes();
        assert_eq!(moved(&t, &[("0-1", Some(2)), ("0-1", Some(2))]), [(0, "4-5".to_owned())]);
        assert_eq!(moved(&t, &[("0-1", None), ("0-1", Some(2))]), [(1, "4-5".to_owned())], "a chosen set never moves");
        assert_eq!(moved(&t, &[("0-1", None), ("0-1", None)]), []);
    }

    #[test]
    fn databases_leave_only_the_crowded_core() {
        let t = Topology::new(set("0-3"), &[]);
        assert_eq!(moved(&t, &[("0-1", Some(2)), ("1-2", None)]), [(0, "0,3".to_owned())]);
    }

    #[test]
    fn cores_that_are_gone_are_replaced() {
        let t = Topology::new(set("0-3"), &[set("0-1"), set("2-3")]);
        assert_eq!(moved(&t, &[("8-9", Some(2)), ("0-1", Some(2))]), [(0, "2-3".to_owned())]);
        assert_eq!(moved(&t, &[("1-2", Some(2))]), [(0, "0-1".to_owned())], "they must belong together");
        assert_eq!(moved(&t, &[("0-3", Some(4))]), [(0, "0-1".to_owned())], "as many as there are");
    }

    #[test]
    fn a_rebalanced_machine_needs_no_further_moves() {
        let t = two_nodes();
        let mut seed = 7_u64;
        for _ in 0..300 {
            let mut next = |below: u64| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (seed >> 33) % below
            };
            let pinned: Vec<_> = (0..next(12))
                .map(|id| {
                    let (first, wanted) = (next(8), next(3) + 1);
                    let cores = (first..(first + wanted).min(8)).map(|core| u16::try_from(core).unwrap()).collect();
                    let wanted = (next(4) > 0).then(|| usize::try_from(wanted).unwrap());
                    PinnedTo { id, set: cores, wanted }
                })
                .collect();
            let changes = rebalance(&t, &pinned);
            let after: Vec<_> = pinned
                .into_iter()
                .map(|p| match changes.iter().find(|(id, _)| *id == p.id) {
                    Some((_, set)) => PinnedTo { set: set.clone(), ..p },
                    None => p,
                })
                .collect();
            assert_eq!(rebalance(&t, &after), [], "{after:?}");
            assert!(after.iter().all(|p| p.wanted.is_none_or(|n| t.fits(&p.set, n))), "{after:?}");
        }
    }
}
