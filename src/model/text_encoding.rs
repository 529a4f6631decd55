//! The encoding of a file.

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr};

/// A value of `[spool] encoding` and `#: encoding`, and the encoding found for a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, EnumString, IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase", ascii_case_insensitive)]
pub enum TextEncoding {
    /// Detected: UTF-8, unless the first line that is not UTF-8 decodes as GB18030 and no line before it had a
    /// multi-byte character.
    #[default]
    Auto,
    /// UTF-8 (and UTF-16 with a byte order mark).
    #[serde(rename = "utf-8")]
    #[strum(to_string = "utf-8", serialize = "utf8")]
    Utf8,
    /// GB18030, which includes GBK and GB2312, as Chinese Excel writes "CSV".
    #[strum(to_string = "gb18030", serialize = "gbk", serialize = "gb2312")]
    Gb18030,
}

impl TextEncoding {
    /// Its word.
    pub fn word(self) -> &'static str {
        self.into()
    }
}
