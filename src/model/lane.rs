//! A lane: one operation of the account's product, with its own queue order, meters, batch limit and rate.

use strum::{EnumString, IntoStaticStr, VariantArray};

/// A lane. Tables contain its number, people read its word; neither ever changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Lane {
    /// `PreloadVodObjectCaches`
    Prefetch,
}

impl Lane {
    /// Its number in tables, from 1.
    pub const fn number(self) -> i64 {
        match self {
            Self::Prefetch => 1,
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
        assert_eq!(numbers, [("prefetch", 1)]);
    }
}
