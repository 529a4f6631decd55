//! The style sheet, the script and the icon, part of the program. The name of each has the hash of its content in it,
//! so a browser may keep it for ever.

use std::sync::LazyLock;

use xxhash_rust::xxh3::xxh3_64;

/// A file that belongs to the pages.
#[derive(Debug)]
pub struct Asset {
    /// Its name below `assets/`.
    pub name: String,
    /// Its media type.
    pub kind: &'static str,
    /// Its content.
    pub body: &'static [u8],
}

impl Asset {
    fn new(stem: &str, ending: &str, kind: &'static str, body: &'static [u8]) -> Self {
        Self { name: format!("{stem}.{:016x}.{ending}", xxh3_64(body)), kind, body }
    }
}

/// How the pages look.
pub(super) static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("page", "css", "text/css; charset=utf-8", include_bytes!("assets/page.css")));

/// How they refresh themselves without a jump.
pub(super) static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("page", "js", "text/javascript; charset=utf-8", include_bytes!("assets/page.js")));

/// Their icon.
pub(super) static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon", "svg", "image/svg+xml", include_bytes!("assets/icon.svg")));

/// The asset of this name.
pub fn asset(name: &str) -> Option<&'static Asset> {
    [&*STYLE, &*SCRIPT, &*ICON].into_iter().find(|asset| asset.name == name)
}
