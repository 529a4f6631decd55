//! The product that sentences speak of. A process has one configuration and so one product, which is said once, before
//! the first sentence; without that it is VOD.

use std::sync::OnceLock;

use crate::model::{Actions, ProductName};

static SPOKEN_OF: OnceLock<ProductName> = OnceLock::new();

/// Says which product sentences speak of. Only the first word counts.
pub fn speak_of(product: ProductName) {
    let _ = SPOKEN_OF.set(product);
}

/// The product's name in English and Chinese.
pub(super) fn title() -> [&'static str; 2] {
    product().title()
}

/// The permission for one of its operations.
pub(super) fn permission(of: impl FnOnce(&Actions) -> &'static str) -> String {
    product().permission(of(product().actions()))
}

fn product() -> ProductName {
    SPOKEN_OF.get().copied().unwrap_or_default()
}
