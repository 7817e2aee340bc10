//! Which cores a machine has, and which of them belong together.

use super::{CpuSet, CpuSetError};

/// The cores of a machine, in groups that share a memory controller (NUMA nodes) or that an administrator defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    online: CpuSet,
    groups: Vec<CpuSet>,
}

impl Topology {
    /// The cores that are online, and the groups. Of the groups, only cores that are online count; without any group, all
    /// cores are one.
    pub fn new(online: CpuSet, groups: &[CpuSet]) -> Self {
        let mut groups: Vec<_> = groups.iter().map(|g| g.common(&online)).filter(|g| !g.is_empty()).collect();
        if groups.is_empty() {
            groups.push(online.clone());
        }
        Self { online, groups }
    }

    /// All cores.
    pub fn online(&self) -> &CpuSet {
        &self.online
    }

    /// The groups.
    pub fn groups(&self) -> &[CpuSet] {
        &self.groups
    }

    /// Size of the largest group, which is the largest number of cores that can be chosen.
    pub fn largest(&self) -> usize {
        self.groups.iter().map(CpuSet::len).max().unwrap_or_default()
    }

    /// Whether the set is `wanted` cores of one group, or as many as there are.
    pub fn fits(&self, set: &CpuSet, wanted: usize) -> bool {
        set.len() == wanted.min(self.largest()) && self.groups.iter().any(|g| set.is_within(g))
    }
}

/// Parses the setting `databases.cpu_map`: sets of cores, separated by colons, such as `2,14:4,16`.
///
/// # Errors
/// What is wrong with it.
pub fn parse_map(text: &str) -> Result<Vec<CpuSet>, CpuSetError> {
    let groups = text.split(':').map(CpuSet::parse).collect::<Result<Vec<_>, _>>()?;
    for (n, group) in groups.iter().enumerate() {
        if let Some(core) = groups.iter().skip(n + 1).find_map(|other| group.common(other).iter().next()) {
            return Err(CpuSetError::Duplicate(core));
        }
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> CpuSet {
        CpuSet::parse(text).unwrap()
    }

    #[test]
    fn offline_cores_and_empty_groups_do_not_count() {
        let t = Topology::new(set("0-5"), &[set("0-3"), set("4-7"), set("8-9")]);
        assert_eq!(t.groups(), [set("0-3"), set("4-5")]);
        assert_eq!(t.largest(), 4);
        let t = Topology::new(set("0-1"), &[set("6-7")]);
        assert_eq!(t.groups(), [set("0-1")], "without any usable group, all cores are one");
    }

    #[test]
    fn a_choice_must_fit_into_one_group() {
        let t = Topology::new(set("0-7"), &[set("0-3"), set("4-7")]);
        for (cores, wanted, fits) in
            [("0,2", 2, true), ("3-4", 2, false), ("0", 2, false), ("4-7", 9, true), ("0,9", 2, false)]
        {
            assert_eq!(t.fits(&set(cores), wanted), fits, "{cores} for {wanted}");
        }
    }

    #[test]
    fn groups_of_a_core_map_are_disjoint() {
        assert_eq!(parse_map("2,14:4,16"), Ok(vec![set("2,14"), set("4,16")]));
        assert_eq!(parse_map("0-3"), Ok(vec![set("0-3")]));
        assert_eq!(parse_map("2,14:14"), Err(CpuSetError::Duplicate(14)));
        for wrong in ["", ":", "2,14:", "2:x", "2;3"] {
            assert!(parse_map(wrong).is_err(), "{wrong:?}");
        }
    }
}
