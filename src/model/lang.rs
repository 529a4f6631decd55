//! The language of texts for people.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString};

/// A language that texts for people are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Display, EnumString, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Chinese, in simplified characters.
    Zh,
}

/// What may say which language is wanted, the strongest first; empty values say nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct LangHints<'a> {
    /// `--lang`.
    pub option: Option<Lang>,
    /// `PREFETCHD_LANG`: `en`, `zh`, or a locale.
    pub variable: Option<&'a str>,
    /// `[ui] language`.
    pub configured: Option<Lang>,
    /// `LC_ALL`, `LC_MESSAGES` and `LANG`, in this order: the first that is set counts, as everywhere.
    pub locales: [Option<&'a str>; 3],
}

impl Lang {
    /// The language that is wanted; English if nothing says so.
    pub fn wanted(hints: &LangHints<'_>) -> Self {
        let locale = || hints.locales.into_iter().flatten().find(|locale| !locale.is_empty());
        hints
            .option
            .or_else(|| hints.variable.and_then(Self::of_locale))
            .or(hints.configured)
            .or_else(|| locale().and_then(Self::of_locale))
            .unwrap_or_default()
    }

    /// The language of a locale such as `zh_CN.UTF-8`; none if it is no language of this program. A terminal with
    /// another character set than UTF-8 could not show Chinese, so it gets English.
    fn of_locale(locale: &str) -> Option<Self> {
        let locale = locale.to_ascii_lowercase();
        let (name, charset) = locale.split_once('.').unwrap_or((&locale, "utf-8"));
        let language = name.split(['_', '-', '@']).next().unwrap_or_default();
        let is_unicode = matches!(charset.split('@').next(), Some("utf-8" | "utf8"));
        match language {
            "zh" if is_unicode => Some(Self::Zh),
            "zh" | "en" => Some(Self::En),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_hint_decides_and_english_is_the_rest() {
        let hints = |option, variable, configured, locales| LangHints { option, variable, configured, locales };
        let (en, zh, none) = (Some(Lang::En), Some(Lang::Zh), [None; 3]);
        for (hints, wanted) in [
            (LangHints::default(), Lang::En),
            (hints(zh, Some("en"), en, [Some("en_US.UTF-8"), None, None]), Lang::Zh),
            (hints(None, Some("zh"), en, none), Lang::Zh),
            (hints(None, Some("zh_CN.UTF-8"), en, none), Lang::Zh),
            (hints(None, Some(""), zh, [Some("en_US.UTF-8"), None, None]), Lang::Zh),
            (hints(None, Some("fr"), zh, none), Lang::Zh),
            (hints(None, None, en, [Some("zh_CN.UTF-8"), None, None]), Lang::En),
            (hints(None, None, None, [Some(""), Some("zh_CN.utf8"), Some("en_US.UTF-8")]), Lang::Zh),
            (hints(None, None, None, [Some("C.UTF-8"), None, Some("zh_CN.UTF-8")]), Lang::En),
            (hints(None, None, None, [None, None, Some("zh_TW.UTF-8")]), Lang::Zh),
            (hints(None, None, None, [None, None, Some("zh_CN")]), Lang::Zh),
            (hints(None, None, None, [None, None, Some("zh_CN.GBK")]), Lang::En),
        ] {
            assert_eq!(Lang::wanted(&hints), wanted, "{hints:?}");
        }
    }
}
