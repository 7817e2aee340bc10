//! What an owner asks for: no pinning, these cores, or a number of cores that the portal chooses.

use super::topology::Topology;
use super::{CpuSet, CpuSetError};

/// The pinning that an owner asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum CpuRequest {
    /// All cores.
    #[default]
    Unpinned,
    /// These cores.
    Set(CpuSet),
    /// This number of cores, chosen by the portal.
    Auto(u16),
}

impl CpuRequest {
    /// Parses `0,2-3`, `auto:2` or `2`, a number of cores; empty for no pinning. A single core is written as `2-2`.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, CpuSetError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::Unpinned);
        }
        if let Some(number) = text.strip_prefix("auto") {
            let number = number.strip_prefix(':').map(str::trim).unwrap_or_default();
            return if is_number(number) { count(number) } else { Err(CpuSetError::NoNumber(text.to_owned())) };
        }
        if is_number(text) { count(text) } else { CpuSet::parse(text).map(Self::Set) }
    }

    /// The pinning in a row, which was checked when it was written.
    pub fn stored(text: Option<&str>) -> Self {
        text.and_then(|text| Self::parse(text).ok()).unwrap_or_default()
    }

    /// A number of cores; 0 for no pinning.
    pub fn of_number(cores: u16) -> Self {
        if cores == 0 { Self::Unpinned } else { Self::Auto(cores) }
    }

    /// The text to store and to show in forms; `None` for no pinning.
    pub fn to_text(&self) -> Option<String> {
        match self {
            Self::Unpinned => None,
            Self::Auto(cores) => Some(format!("auto:{cores}")),
            // A plain number would be a number of cores.
            Self::Set(set) if set.len() == 1 => Some(format!("{set}-{set}")),
            Self::Set(set) => Some(set.to_string()),
        }
    }

    /// Whether there is a pinning.
    pub fn is_pinned(&self) -> bool {
        *self != Self::Unpinned
    }

    /// The number of cores to choose; `None` if there is nothing to choose.
    pub fn wanted(&self) -> Option<usize> {
        match self {
            Self::Auto(cores) => Some(usize::from(*cores)),
            Self::Unpinned | Self::Set(_) => None,
        }
    }

    /// Rejects what this machine cannot give.
    ///
    /// # Errors
    /// The missing cores, or how many there are.
    pub fn check(&self, topology: &Topology) -> Result<(), CpuSetError> {
        match self {
            Self::Set(set) => set.check(topology.online()),
            Self::Auto(wanted) if usize::from(*wanted) > topology.largest() => {
                Err(CpuSetError::TooMany { wanted: *wanted, most: topology.largest() })
            }
            Self::Unpinned | Self::Auto(_) => Ok(()),
        }
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn count(number: &str) -> Result<CpuRequest, CpuSetError> {
    match super::core(number, number)? {
        0 => Err(CpuSetError::None),
        cores => Ok(CpuRequest::Auto(cores)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn core_sets_and_counts_round_trip() {
        let set = |text: &str| CpuRequest::Set(CpuSet::parse(text).unwrap());
        for (typed, request, stored) in [
            ("", CpuRequest::Unpinned, None),
            ("  ", CpuRequest::Unpinned, None),
            ("2", CpuRequest::Auto(2), Some("auto:2")),
            ("auto:2", CpuRequest::Auto(2), Some("auto:2")),
            ("auto: 2 ", CpuRequest::Auto(2), Some("auto:2")),
            ("2-2", set("2"), Some("2-2")),
            ("3,0-1", set("0-1,3"), Some("0-1,3")),
        ] {
            let read = CpuRequest::parse(typed).unwrap();
            assert_eq!(read, request, "{typed:?}");
            assert_eq!(read.to_text().as_deref(), stored, "{typed:?}");
            assert_eq!(CpuRequest::stored(stored), request, "{typed:?}");
        }
        for (wrong, sentence) in [
            ("0", "at least 1 core. To pin to core 0 alone, write 0-0"),
            ("auto:0", "at least 1 core"),
            ("auto:", "“auto:” needs a number of cores"),
            ("auto", "“auto” needs a number of cores"),
            ("auto:-1", "“auto:-1” needs a number"),
            ("auto:two", "“auto:two” needs a number"),
            ("auto:1-2", "“auto:1-2” needs a number"),
            ("auto:0,2", "“auto:0,2” needs a number"),
            ("automatic", "“automatic” needs a number"),
            ("99999999999", "too large"),
            ("-1", "negative"),
            ("all", "“all” is not a core"),
        ] {
            let said = CpuRequest::parse(wrong).unwrap_err().to_string();
            assert!(said.contains(sentence), "{wrong:?}: {said}");
        }
    }

    #[test]
    fn requests_beyond_the_machine_are_rejected() {
        let machine = CpuSet::parse("0-5").unwrap();
        let t = Topology::new(machine, &[CpuSet::parse("0-3").unwrap(), CpuSet::parse("4-5").unwrap()]);
        let check = |text: &str| CpuRequest::parse(text).unwrap().check(&t).map_err(|e| e.to_string());
        assert_eq!((check(""), check("4"), check("3-5")), (Ok(()), Ok(()), Ok(())));
        assert_eq!(
            check("5").unwrap_err(),
            "5 cores are too many: at most 4 of the cores of this machine belong together (NUMA node)."
        );
        assert_eq!(check("5-6").unwrap_err(), "This machine has no core 6. Its cores are 0-5.");
    }
}
