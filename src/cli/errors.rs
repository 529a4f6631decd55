//! What is printed of an error: each cause once, and what to do where only somebody else may do it.

use std::path::Path;

use super::{Failure, load};
use crate::daemon::Locked;
use crate::model::Lang;
use crate::status::Invocation;
use crate::words::{Words, errors};
use crate::{config, store};

/// What SQLite says to whoever may read the database and not write it.
const READ_ONLY: &str = "attempt to write a readonly database";

/// The lines to print, in this language. Several messages of an error's chain say what their cause says, too: that is
/// left out.
pub(super) fn lines(error: &anyhow::Error, config: Option<&Path>, lang: Lang) -> Vec<String> {
    let words = if error.chain().any(|cause| cause.to_string().contains(READ_ONLY)) {
        read_only(config)
    } else {
        joined(error.chain().map(in_words))
    };
    words.say(lang).lines().map(str::to_owned).collect()
}

fn joined(causes: impl Iterator<Item = Words>) -> Words {
    causes.fold(Words::default(), |text, cause| match () {
        () if text.en.is_empty() => cause,
        () if text.en.contains(&*cause.en) => text,
        () => text.then(&cause),
    })
}

/// What one cause says.
fn in_words(cause: &(dyn std::error::Error + 'static)) -> Words {
    let en = cause.to_string();
    if let Some(failure) = cause.downcast_ref::<Failure>() {
        return failure.words.clone();
    }
    if let Some(error) = cause.downcast_ref::<store::Error>() {
        return errors::database(error.word(), en);
    }
    if let Some(error) = cause.downcast_ref::<config::Error>() {
        return match error {
            config::Error::Read { path, source } => {
                errors::unreadable_configuration(en, &path.display().to_string(), source)
            }
            config::Error::Invalid { path, what } => errors::wrong_configuration(en, &path.display().to_string(), what),
        };
    }
    if let Some(Locked::ByAnother { pid, path }) = cause.downcast_ref() {
        return errors::locked(en, pid, &path.display().to_string());
    }
    cause.downcast_ref().map_or_else(|| errors::doing(&en), errors::system)
}

/// Who may do what was asked for, and how that is typed.
fn read_only(config: Option<&Path>) -> Words {
    let args = std::env::args().skip(1).map(|arg| crate::model::quoted(&arg)).collect::<Vec<_>>().join(" ");
    let how = load(config).ok().and_then(|(config, path)| {
        Invocation::here(&config, path.as_deref(), None).as_owner(&format!("prefetchd {args}"))
    });
    how.map_or(errors::READ_ONLY, |how| errors::only_the_owner(&how))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let causes = ["reading /x: no such file", "no such file", "for a reason"].map(Words::same);
        assert_eq!(joined(causes.into_iter()).en, "reading /x: no such file: for a reason");
        let error = anyhow::anyhow!("error returned from database: (code: 8) attempt to write a readonly database");
        assert!(!lines(&error, Some(Path::new("/nowhere.toml")), Lang::En)[0].contains("attempt"));
    }

    #[test]
    fn errors_of_the_database_the_configuration_and_the_system_are_told_in_chinese() {
        let said = |error: anyhow::Error| lines(&error, None, Lang::Zh).join("\n");
        let missing = || std::io::Error::from(std::io::ErrorKind::NotFound);
        let error = config::Error::Read { path: "/x.toml".into(), source: missing() };
        assert_eq!(said(error.into()), "读取配置 /x.toml：没有此文件或目录");
        let error = store::Error::Missing("/x.db".into());
        assert_eq!(said(error.into()), "/x.db 处还没有数据库；`prefetchd run` 会创建");
        let error = store::Error::Busy("code: 5".into());
        assert_eq!(said(error.into()), "数据库被其他进程锁定（code: 5）");
        let error = anyhow::Error::from(missing()).context("reading /x");
        assert_eq!(said(error), "读取 /x：没有此文件或目录");
    }
}
