//! Which language a command speaks.

use std::path::Path;

use super::text;
use crate::config::Config;
use crate::model::{Lang, LangHints};

/// Chooses the language for the whole process: by the option, `PREFETCHD_LANG`, the configuration or the locale. A
/// configuration that cannot be read says nothing here; the command itself tells what is wrong with it.
pub(super) fn choose(option: Option<Lang>, config: Option<&Path>) {
    let set = |name| std::env::var(name).ok();
    let variable = set("PREFETCHD_LANG");
    let configured = || Config::load(config).ok().and_then(|(config, _)| config.ui.language);
    let locales = ["LC_ALL", "LC_MESSAGES", "LANG"].map(set);
    let hints = LangHints {
        option,
        variable: variable.as_deref(),
        configured: if option.is_some() { None } else { configured() },
        locales: [locales[0].as_deref(), locales[1].as_deref(), locales[2].as_deref()],
    };
    text::choose_lang(Lang::wanted(&hints));
}
