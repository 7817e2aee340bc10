//! How the data directories of a storage tier are copied.

use serde::Serialize;

/// How data is copied on a tier, found by trying; the fastest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CopyMethod {
    /// A data directory is a Btrfs subvolume, and a copy is a snapshot of it.
    Subvolume,
    /// Each file of a copy shares its blocks with the original.
    Reflink,
    /// Every block is copied.
    Plain,
}

impl CopyMethod {
    /// Every method.
    pub const ALL: [Self; 3] = [Self::Subvolume, Self::Reflink, Self::Plain];

    /// The word that tables and the API use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Subvolume => "subvolume",
            Self::Reflink => "reflink",
            Self::Plain => "plain",
        }
    }

    /// The method with this word; [`CopyMethod::Plain`] for a word of another version of the portal.
    pub fn stored(word: &str) -> Self {
        Self::ALL.into_iter().find(|method| method.as_str() == word).unwrap_or(Self::Plain)
    }

    /// Whether copies share blocks with the original, so that they take neither time nor space.
    pub fn shares_blocks(self) -> bool {
        self != Self::Plain
    }

    /// What it means, in words.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Subvolume => "are snapshots of Btrfs subvolumes: they take no time, and no space at first",
            Self::Reflink => "share blocks (reflinks): they take hardly any time, and no space at first",
            Self::Plain => "share nothing: they take time, and as much space as the data",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CopyMethod;

    #[test]
    fn every_copy_method_round_trips() {
        for method in CopyMethod::ALL {
            assert_eq!(CopyMethod::stored(method.as_str()), method);
            assert_eq!(serde_json::to_value(method).unwrap(), method.as_str());
        }
        assert_eq!(CopyMethod::stored("teleport"), CopyMethod::Plain);
    }
}
