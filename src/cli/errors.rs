//! What is printed of an error: each cause once, and what to do where only somebody else may do it.

use std::path::Path;

use super::load;
use crate::status::Invocation;

/// What SQLite says to whoever may read the database and not write it.
const READ_ONLY: &str = "attempt to write a readonly database";

/// The lines to print. Several messages of an error's chain say what their cause says, too: that is left out.
pub(super) fn lines(error: &anyhow::Error, config: Option<&Path>) -> Vec<String> {
    if error.chain().any(|cause| cause.to_string().contains(READ_ONLY)) {
        return vec![read_only(config)];
    }
    joined(error.chain().map(ToString::to_string)).lines().map(str::to_owned).collect()
}

fn joined(causes: impl Iterator<Item = String>) -> String {
    causes.fold(String::new(), |text, cause| match () {
        () if text.is_empty() => cause,
        () if text.contains(&cause) => text,
        () => format!("{text}: {cause}"),
    })
}

/// Who may do what was asked for, and how that is typed.
fn read_only(config: Option<&Path>) -> String {
    let args = std::env::args().skip(1).map(|arg| crate::status::quoted(&arg)).collect::<Vec<_>>().join(" ");
    let how = load(config).ok().and_then(|(config, path)| {
        Invocation::here(&config, path.as_deref(), None).as_owner(&format!("prefetchd {args}"))
    });
    match how {
        Some(how) => format!("only the owner of the database may change it: {how}"),
        None => "the database may not be written: see the mode of its file and its folder, and whether the disk is \
                 mounted read-only"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let causes = ["reading /x: no such file", "no such file", "for a reason"].map(str::to_owned);
        assert_eq!(joined(causes.into_iter()), "reading /x: no such file: for a reason");
        let error = anyhow::anyhow!("error returned from database: (code: 8) attempt to write a readonly database");
        assert!(!lines(&error, Some(Path::new("/nowhere.toml")))[0].contains("attempt"));
    }
}
