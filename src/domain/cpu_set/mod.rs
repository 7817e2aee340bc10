//! Sets of processor cores in the kernel's list format, such as `0,2-3`.

pub mod balance;
pub mod request;
pub mod topology;

use std::collections::BTreeSet;
use std::fmt;

/// Highest core number of a Linux kernel.
const HIGHEST: u16 = 8191;

/// A set of cores. The empty set stands for no restriction.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct CpuSet(BTreeSet<u16>);

/// Why a text is not a usable set of cores. Every message is a sentence for the person who typed it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CpuSetError {
    /// No text, or nothing between two commas.
    #[error("A core is missing between the commas of “{0}”. Use a list such as 0,2-3.")]
    EmptyPart(String),
    /// A range without a start or an end.
    #[error("The range “{0}” has no end. Use a range such as 2-3.")]
    OpenRange(String),
    /// A range from a higher to a lower number.
    #[error("The range “{0}” runs backwards. Write the lower core first, for example 2-3.")]
    Reversed(String),
    /// A negative number.
    #[error("“{0}” is negative, but cores are numbered from 0.")]
    Negative(String),
    /// A number that no kernel uses.
    #[error("“{0}” is too large. The highest possible core is {HIGHEST}.")]
    TooLarge(String),
    /// Anything else.
    #[error("“{0}” is not a core. Use a list such as 0,2-3.")]
    NotANumber(String),
    /// A core that is named more than once.
    #[error("Core {0} is listed twice.")]
    Duplicate(u16),
    /// Cores that the machine does not have.
    #[error("This machine has no core {missing}. Its cores are {machine}.")]
    NotThere {
        /// The missing cores.
        missing: CpuSet,
        /// The cores of the machine.
        machine: CpuSet,
    },
    /// An automatic choice without a number.
    #[error("“{0}” needs a number of cores, for example auto:2.")]
    NoNumber(String),
    /// Zero cores.
    #[error("Use at least 1 core. To pin to core 0 alone, write 0-0.")]
    None,
    /// More cores than belong together.
    #[error("{wanted} cores are too many: at most {most} of the cores of this machine belong together (NUMA node).")]
    TooMany {
        /// The number asked for.
        wanted: u16,
        /// Size of the largest group.
        most: usize,
    },
}

impl CpuSet {
    /// Parses the kernel's list format. Spaces around numbers are accepted.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, CpuSetError> {
        let mut cores = BTreeSet::new();
        for part in text.split(',').map(str::trim) {
            let (first, last) = range(text.trim(), part)?;
            for core in first..=last {
                if !cores.insert(core) {
                    return Err(CpuSetError::Duplicate(core));
                }
            }
        }
        Ok(Self(cores))
    }

    /// Number of cores.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the core is one of them.
    pub fn contains(&self, core: u16) -> bool {
        self.0.contains(&core)
    }

    /// Whether all of them are in `other`.
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }

    /// The cores that are in both.
    #[must_use]
    pub fn common(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).copied().collect())
    }

    /// The cores in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u16> {
        self.0.iter().copied()
    }

    /// Rejects cores that the machine does not have.
    ///
    /// # Errors
    /// [`CpuSetError::NotThere`] with them.
    pub fn check(&self, machine: &Self) -> Result<(), CpuSetError> {
        let missing = Self(self.0.difference(&machine.0).copied().collect());
        match missing.is_empty() {
            true => Ok(()),
            false => Err(CpuSetError::NotThere { missing, machine: machine.clone() }),
        }
    }
}

impl FromIterator<u16> for CpuSet {
    fn from_iter<I: IntoIterator<Item = u16>>(cores: I) -> Self {
        Self(cores.into_iter().collect())
    }
}

/// First and last core of `2` or `2-3`, a part of `text`.
fn range(text: &str, part: &str) -> Result<(u16, u16), CpuSetError> {
    if part.is_empty() {
        return Err(CpuSetError::EmptyPart(text.to_owned()));
    }
    if part.starts_with('-') {
        return Err(CpuSetError::Negative(part.to_owned()));
    }
    let Some((first, last)) = part.split_once('-') else {
        let core = core(part, part)?;
        return Ok((core, core));
    };
    let (first, last) = (first.trim(), last.trim());
    if last.is_empty() {
        return Err(CpuSetError::OpenRange(part.to_owned()));
    }
    if last.starts_with('-') {
        return Err(CpuSetError::Negative(last.to_owned()));
    }
    let (first, last) = (core(first, part)?, core(last, part)?);
    if first > last { Err(CpuSetError::Reversed(part.to_owned())) } else { Ok((first, last)) }
}

fn core(number: &str, part: &str) -> Result<u16, CpuSetError> {
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
        return Err(CpuSetError::NotANumber(part.to_owned()));
    }
    // Digits only, so the number can only be too large.
    number.parse().ok().filter(|n| *n <= HIGHEST).ok_or_else(|| CpuSetError::TooLarge(number.to_owned()))
}

impl fmt::Display for CpuSet {
    /// Prints the kernel's list format; nothing for the empty set.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cores = self.iter().peekable();
        let mut comma = "";
        while let Some(first) = cores.next() {
            let mut last = first;
            while let Some(next) = cores.next_if(|next| *next == last + 1) {
                last = next;
            }
            write!(f, "{comma}{first}")?;
            if last > first {
                write!(f, "-{last}")?;
            }
            comma = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_core_lists_round_trip() {
        for (text, cores, printed) in [
            ("0", vec![0], "0"),
            ("0-1", vec![0, 1], "0-1"),
            ("3,0-1", vec![0, 1, 3], "0-1,3"),
            ("0,1,2,5-5", vec![0, 1, 2, 5], "0-2,5"),
            (" 0 , 2 - 3\n", vec![0, 2, 3], "0,2-3"),
            ("8191", vec![8191], "8191"),
        ] {
            let set = CpuSet::parse(text).unwrap();
            assert_eq!(set, cores.into_iter().collect(), "{text:?}");
            assert_eq!(set.to_string(), printed);
            assert_eq!(CpuSet::parse(printed), Ok(set));
        }
        assert_eq!(CpuSet::default().to_string(), "");
    }

    #[test]
    fn every_kind_of_mistake_has_its_own_sentence() {
        for (text, sentence) in [
            ("", "missing between the commas of “”"),
            ("0,,2", "missing between the commas of “0,,2”"),
            ("0,", "missing between the commas"),
            ("2-", "“2-” has no end"),
            ("3-1", "“3-1” runs backwards"),
            ("-1", "“-1” is negative"),
            ("0,-2", "“-2” is negative"),
            ("0--2", "“-2” is negative"),
            ("8192", "“8192” is too large. The highest possible core is 8191"),
            ("0-99999999999999999999", "“99999999999999999999” is too large"),
            ("two", "“two” is not a core"),
            ("1.5", "“1.5” is not a core"),
            ("1e3", "“1e3” is not a core"),
            ("0x1", "“0x1” is not a core"),
            ("+1", "“+1” is not a core"),
            ("0;1", "“0;1” is not a core"),
            ("0-2-3", "“0-2-3” is not a core"),
            ("0-10:2/4", "“0-10:2/4” is not a core"),
            ("٣", "“٣” is not a core"),
            ("2,2", "Core 2 is listed twice"),
            ("0-3,2", "Core 2 is listed twice"),
        ] {
            let said = CpuSet::parse(text).unwrap_err().to_string();
            assert!(said.contains(sentence) && said.ends_with('.'), "{text:?}: {said}");
        }
    }

    #[test]
    fn a_core_that_the_machine_lacks_is_named() {
        let machine = CpuSet::parse("0-1").unwrap();
        assert_eq!(CpuSet::parse("1").unwrap().check(&machine), Ok(()));
        let said = CpuSet::parse("1,3-4,9").unwrap().check(&machine).unwrap_err().to_string();
        assert_eq!(said, "This machine has no core 3-4,9. Its cores are 0-1.");
    }
}
