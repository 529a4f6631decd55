//! What is printed of an error: each cause once, and what to do where only somebody else may do it.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::{Failure, load};
use crate::daemon::Locked;
use crate::model::{Lang, quoted};
use crate::orders::named;
use crate::status::{Invocation, Namesake};
use crate::words::{Words, errors, keys};
use crate::{config, credentials, store};

/// What SQLite says to whoever may read the database and not write it.
const READ_ONLY: &str = "attempt to write a readonly database";

/// The lines to print, in this language. Several messages of an error's chain say what their cause says, too: that is
/// left out.
pub(super) fn lines(error: &anyhow::Error, config: Option<&Path>, lang: Lang) -> Vec<String> {
    let remedy = if error.chain().any(is_read_only) { read_only(config) } else { None };
    let words = remedy.unwrap_or_else(|| joined(error.chain().map(in_words)));
    words.say(lang).lines().map(str::to_owned).collect()
}

fn joined(causes: impl Iterator<Item = Words>) -> Words {
    causes.fold(Words::default(), |text, cause| match () {
        () if text.en.is_empty() => cause,
        () if text.en.contains(&*cause.en) => text,
        () => text.then(&cause),
    })
}

/// Whether a cause says that the database may not be written.
pub(super) fn is_read_only(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.to_string().contains(READ_ONLY) || matches!(cause.downcast_ref(), Some(store::Error::Reader))
}

/// The file of a cause that this user may not read, of the configuration or the database.
pub(super) fn denied<'e>(cause: &'e (dyn std::error::Error + 'static)) -> Option<&'e Path> {
    if let Some(config::Error::Read { path, source }) = cause.downcast_ref() {
        return (source.kind() == ErrorKind::PermissionDenied).then_some(path);
    }
    match cause.downcast_ref() {
        Some(store::Error::Denied(path)) => Some(path),
        _ => None,
    }
}

/// That a file or folder is closed to this user, and how he gets in.
pub(super) fn closed(path: &Path) -> Words {
    let shown = path.display().to_string();
    // What cannot be seen is closed by the first folder on its way that can be seen.
    let Some((seen, meta)) = path.ancestors().find_map(|path| Some((path, path.metadata().ok()?))) else {
        return errors::closed(&shown);
    };
    let need = if meta.is_dir() { 0o010 } else { 0o040 };
    let me = rustix::process::geteuid();
    let is_mine = rustix::process::getegid().as_raw() == meta.gid()
        || rustix::process::getgroups().is_ok_and(|groups| groups.iter().any(|group| group.as_raw() == meta.gid()));
    let group = uzers::get_group_by_gid(meta.gid()).map(|group| group.name().to_string_lossy().into_owned());
    match group {
        Some(group) if meta.mode() & need != 0 && !is_mine && meta.gid() != 0 => {
            errors::not_in_group(&shown, &quoted(&named(me.as_raw())), &quoted(&group))
        }
        _ if seen == path => errors::closed_to_group(&shown, &quoted(&shown)),
        _ => errors::closed(&shown),
    }
}

/// What one cause says.
fn in_words(cause: &(dyn std::error::Error + 'static)) -> Words {
    let en = cause.to_string();
    if en.contains(READ_ONLY) {
        return errors::READ_ONLY;
    }
    if let Some(path) = denied(cause) {
        return closed(path);
    }
    if let Some(failure) = cause.downcast_ref::<Failure>() {
        return failure.words.clone();
    }
    if let Some(error) = cause.downcast_ref::<store::Error>() {
        return of_database(error);
    }
    if let Some(error) = cause.downcast_ref::<config::Error>() {
        return match error {
            config::Error::Read { path, source } => {
                errors::unreadable_configuration(en, &path.display().to_string(), source)
            }
            config::Error::Invalid { path, what } => errors::wrong_configuration(en, &path.display().to_string(), what),
        };
    }
    if let Some(error) = cause.downcast_ref::<credentials::Error>() {
        return key(error, en);
    }
    if let Some(Namesake { host, seconds }) = cause.downcast_ref() {
        return errors::namesake(en, host, *seconds);
    }
    if let Some(Locked::ByAnother { pid, path }) = cause.downcast_ref() {
        return errors::locked(en, pid, &path.display().to_string());
    }
    cause.downcast_ref().map_or_else(|| errors::doing(&en), errors::system)
}

/// What the database's error says.
pub(super) fn of_database(error: &store::Error) -> Words {
    errors::database(error.word(), error.to_string())
}

/// Why there is no key.
fn key(error: &credentials::Error, en: String) -> Words {
    use credentials::Error;
    let shown = |path: &Path| path.display().to_string();
    match error {
        Error::None => keys::none(en),
        Error::Absent { source_word, what } => keys::absent(en, source_word, what),
        Error::Incomplete { place, set, missing } => keys::incomplete(en, &place.to_string(), set, missing),
        Error::Exposed { path, mode } => keys::exposed(en, &shown(path), *mode),
        Error::Foreign { path, uid, remedy } => keys::foreign(en, &shown(path), *uid, remedy),
        Error::Folder { path, folder, remedy, .. } => keys::folder(en, &shown(path), &shown(folder), remedy),
        Error::Odd { place, name, .. } => keys::odd(en, &place.to_string(), name),
        Error::Unusable { path, what } => keys::unusable(en, &shown(path), what),
        Error::NotGiven { place, what } => keys::not_given(en, &place.to_string(), what),
    }
}

/// Who may do what was asked for, and how that is typed.
fn read_only(config: Option<&Path>) -> Option<Words> {
    let args = std::env::args().skip(1).collect::<Vec<_>>();
    let how = load(config).ok().and_then(|(config, path)| {
        let by = Invocation::here(&config, path.as_deref(), None);
        by.as_owner(&by.again(&args))
    });
    how.map(|how| errors::only_the_owner(&how))
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
    fn what_is_closed_to_a_user_is_not_called_missing() {
        let error = store::Error::Denied("/etc/hostname".into());
        assert_eq!(denied(&error), Some(Path::new("/etc/hostname")));
        let said = lines(&error.into(), None, Lang::En).join("\n");
        assert!(said.starts_with("/etc/hostname: permission denied") && !said.contains("no database"), "{said}");
        let source = std::io::Error::from(ErrorKind::PermissionDenied);
        let error = anyhow::Error::from(config::Error::Read { path: "/etc/hostname".into(), source });
        assert_eq!(super::super::code_of(&error), crate::exit::NO_PERMISSION);
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
        for error in [credentials::Error::None, credentials::Error::Exposed { path: "/k".into(), mode: 0o644 }] {
            let told = said(error.into());
            assert!(!told.contains("the ") && told.contains("AccessKey"), "{told}");
        }
        let error = anyhow::Error::from(missing()).context("reading /x");
        assert_eq!(said(error), "读取 /x：没有此文件或目录");
    }
}
