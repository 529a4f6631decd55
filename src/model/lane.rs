//! A lane: one operation of the account's product, with its own queue order, meters, batch limit and rate.

use strum::{EnumString, IntoStaticStr, VariantArray};

/// A lane. Tables contain its number, people read its word; neither ever changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "kebab-case")]
pub enum Lane {
    /// Loads URLs into the caches.
    Prefetch,
    /// Deletes URLs from the caches.
    Purge,
    /// Deletes directories from the caches, with everything in them.
    PurgeDirectory,
}

impl Lane {
    /// Its number in tables, from 1.
    pub const fn number(self) -> i64 {
        match self {
            Self::Prefetch => 1,
            Self::Purge => 2,
            Self::PurgeDirectory => 3,
        }
    }

    /// The lane with this number; the program writes no other numbers.
    pub fn of_number(number: i64) -> Self {
        match number {
            2 => Self::Purge,
            3 => Self::PurgeDirectory,
            _ => Self::Prefetch,
        }
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lane_has_a_number_of_its_own_that_is_kept_for_ever() {
        let numbers: Vec<(&str, i64)> = Lane::VARIANTS.iter().map(|lane| (lane.word(), lane.number())).collect();
        assert!(Lane::VARIANTS.iter().all(|lane| Lane::of_number(lane.number()) == *lane));
        assert_eq!(numbers, [("prefetch", 1), ("purge", 2), ("purge-directory", 3)]);
    }
}
