//! What a line asks for: one operation, or a purge and then a prefetch.

use strum::{EnumString, IntoStaticStr, VariantArray};

use super::Lane;

/// What a line asks for. Tables contain its number, people read and write its word.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, EnumString, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "kebab-case")]
pub enum Action {
    /// Load the URL into the caches.
    #[default]
    Prefetch,
    /// Delete the URL from the caches.
    Purge,
    /// Delete a directory, with everything in it.
    PurgeDirectory,
    /// Delete the URL, and load it anew once it is deleted.
    #[strum(serialize = "purge+prefetch")]
    PurgeThenPrefetch,
}

impl Action {
    /// Its number in `files.action`, from 1.
    pub const fn number(self) -> i64 {
        match self {
            Self::Prefetch => 1,
            Self::Purge => 2,
            Self::PurgeDirectory => 3,
            Self::PurgeThenPrefetch => 4,
        }
    }

    /// The action with this number; the program writes no other numbers.
    pub fn of_number(number: i64) -> Self {
        Self::VARIANTS.iter().copied().find(|action| action.number() == number).unwrap_or_default()
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        self.into()
    }

    /// The lane in which a line of it is done: for two steps that of the last.
    pub const fn lane(self) -> Lane {
        match self {
            Self::Prefetch | Self::PurgeThenPrefetch => Lane::Prefetch,
            Self::Purge => Lane::Purge,
            Self::PurgeDirectory => Lane::PurgeDirectory,
        }
    }

    /// Whether the URL is purged first, in a row of its own.
    pub const fn purges_first(self) -> bool {
        matches!(self, Self::PurgeThenPrefetch)
    }
}

/// What URLs are once everything was done for them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Effect {
    /// In the caches.
    #[default]
    Warm,
    /// Deleted from them.
    Purged,
    /// Some are this, some that.
    Both,
}

impl Effect {
    /// That of rows of these lanes; warm if there are none.
    pub fn of(lanes: impl IntoIterator<Item = Lane>) -> Self {
        let of = |lane| if lane == Lane::Prefetch { Self::Warm } else { Self::Purged };
        lanes.into_iter().map(of).reduce(|all, one| if all == one { all } else { Self::Both }).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_purged_is_not_warm() {
        use Lane::{Prefetch, Purge, PurgeDirectory};
        let of = |lanes: &[Lane]| Effect::of(lanes.iter().copied());
        assert_eq!([of(&[]), of(&[Prefetch])], [Effect::Warm; 2]);
        assert_eq!([of(&[Purge]), of(&[PurgeDirectory, Purge])], [Effect::Purged; 2]);
        assert_eq!(of(&[Purge, Prefetch, Purge]), Effect::Both);
    }

    #[test]
    fn each_action_has_a_number_and_a_word_that_are_kept_for_ever() {
        let all: Vec<(&str, i64)> = Action::VARIANTS.iter().map(|action| (action.word(), action.number())).collect();
        assert_eq!(all, [("prefetch", 1), ("purge", 2), ("purge-directory", 3), ("purge+prefetch", 4)]);
        for action in Action::VARIANTS {
            assert_eq!((Action::of_number(action.number()), action.word().parse()), (*action, Ok(*action)));
        }
    }
}
