//! Faults of the whole account: words that the service's client gives, that the scheduler pauses by, and that metrics
//! show.

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

/// Faults of the whole account, which no other batch would fare better with. The word of each is stored and never
/// changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumString, IntoStaticStr, VariantArray, Serialize, Deserialize)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum AccountFault {
    /// `OperationDenied`
    NotActivated,
    /// `OperationDenied.Suspended`
    Suspended,
    /// `InvalidAccessKeyId.*`
    UnknownKey,
    /// `SignatureDoesNotMatch`
    WrongSecret,
    /// `Forbidden.RAM`, `NoPermission`
    Forbidden,
    /// `InvalidSecurityToken.*`
    BadToken,
    /// There is no valid key: its source gives none. Nothing was sent.
    NoKey,
}

impl AccountFault {
    /// Whether another key may fare better with the same account. Not where a right is missing: that is granted to the
    /// key.
    pub fn is_of_the_key(self) -> bool {
        matches!(self, Self::UnknownKey | Self::WrongSecret | Self::BadToken | Self::NoKey)
    }

    /// Its word, as it is stored and stands in metrics.
    pub fn word(self) -> &'static str {
        self.into()
    }
}
