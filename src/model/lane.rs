//! One operation of the account's product: its own order of the queue, meters, limit of a batch, rate.

use strum::{EnumString, IntoStaticStr, VariantArray};

/// A lane. Its number stands in tables, its word where people read it; neither ever changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Lane {
    /// `PreloadVodObjectCaches`
    Prefetch,
}

impl Lane {
    /// As it stands in tables, from 1 on.
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
