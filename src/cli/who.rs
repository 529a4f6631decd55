//! Who gave an order, for its record.

use crate::orders::named;

/// User name and uid, and on whose behalf by sudo.
pub(super) fn asks() -> String {
    let user = named(rustix::process::getuid().as_raw());
    match std::env::var("SUDO_USER") {
        Ok(by) if !by.is_empty() => format!("{user} by sudo from {by}"),
        _ => user,
    }
}
