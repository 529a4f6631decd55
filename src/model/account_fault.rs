//! Faults of the whole account. The service's client reports them, the scheduler pauses because of them, and metrics
//! show them.

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

/// A fault of the whole account: another batch would fare no better. Its word is stored and never changes its meaning.
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
    /// The same for purges, which are another operation.
    PurgeForbidden,
    /// `InvalidSecurityToken.*`
    BadToken,
    /// There is no valid key: its source gives none. Nothing was sent.
    NoKey,
}

impl AccountFault {
    /// Whether another key of the same account may help. Not if a permission is missing: that is granted to the
    /// account's user, not to the key.
    pub fn is_of_the_key(self) -> bool {
        matches!(self, Self::UnknownKey | Self::WrongSecret | Self::BadToken | Self::NoKey)
    }

    /// Its word in tables and metrics.
    pub fn word(self) -> &'static str {
        self.into()
    }
}
