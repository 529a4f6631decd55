//! Why entries of `incoming/` are left alone, and problems that limit the daemon.

use super::Words;
use crate::model::{ConfigProblem, LeftWhy, SpoolProblem};

/// Why an entry of `incoming/` is left alone.
pub const fn left_alone(why: LeftWhy) -> Words {
    match why {
        LeftWhy::Hidden => Words::fixed(
            "its name begins with `.` or `~`: rename it when it is finished",
            "文件名以 `.` 或 `~` 开头：完成后请改名",
        ),
        LeftWhy::Unfinished => Words::fixed(
            "its name ends like an unfinished upload: rename it when it is finished",
            "文件名后缀表示上传未完成：完成后请改名",
        ),
        LeftWhy::Open => {
            Words::fixed("some process seems to have it open for writing", "据观察有进程正以写方式打开此文件")
        }
        LeftWhy::HardLink => Words::fixed("a file with a second hard link", "有其他硬链接的文件"),
        LeftWhy::Directory => Words::fixed("a directory", "目录"),
        LeftWhy::SymbolicLink => Words::fixed("a symbolic link", "符号链接"),
        LeftWhy::Fifo => Words::fixed("a FIFO", "命名管道"),
        LeftWhy::Socket => Words::fixed("a socket", "套接字"),
        LeftWhy::Device => Words::fixed("a device", "设备"),
    }
}

/// What keeps files from being taken or removed.
pub fn spool_problem(problem: &SpoolProblem) -> Words {
    match problem {
        SpoolProblem::OtherMount { said } => {
            Words::made(format!("the spool: {said}"), format!("投递目录跨挂载点，无法一步移动文件：{said}"))
        }
        SpoolProblem::Unusable { said } => {
            Words::made(format!("the spool: {said}"), format!("投递目录无法使用：{said}"))
        }
        SpoolProblem::NotRemoved { said } => Words::made(
            format!("what was kept long enough cannot be removed: {said}"),
            format!("保留期已满的文件无法删除：{said}"),
        ),
    }
}

/// Which part of a reloaded configuration is not in force.
pub fn config_problem(problem: &ConfigProblem) -> Words {
    match problem {
        ConfigProblem::ReloadRefused { said } => Words::made(
            format!("the last reload was refused, and the previous configuration stays in force: {said}"),
            format!("上次重新加载被拒绝，原配置继续生效：{said}"),
        ),
        ConfigProblem::AfterRestart { keys } => {
            let keys = keys.join(", ");
            Words::made(
                format!("changed, and in force only after a restart: {keys}"),
                format!("已修改，重启后才生效：{keys}"),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use strum::VariantArray as _;

    use super::*;

    #[test]
    fn whatever_is_left_alone_has_a_word_and_sentences_of_its_own_in_both_languages() {
        let mut seen = BTreeSet::new();
        for why in LeftWhy::VARIANTS {
            let words = left_alone(*why);
            assert!(!words.zh.is_ascii() && seen.insert(words.en) && seen.insert(words.zh), "{why:?}");
            assert_eq!(why.code().parse(), Ok(*why));
        }
    }

    #[test]
    fn a_problem_is_stored_as_its_word_and_parameters() {
        let refused = ConfigProblem::ReloadRefused { said: "line 3".to_owned() };
        assert_eq!(refused.stored(), ("reload_refused".to_owned(), Some(r#"{"said":"line 3"}"#.to_owned())));
        let later = ConfigProblem::AfterRestart { keys: vec!["[spool] dir"] };
        assert_eq!(later.stored(), ("after_restart".to_owned(), Some(r#"{"keys":["[spool] dir"]}"#.to_owned())));
        assert_eq!(config_problem(&later).en, "changed, and in force only after a restart: [spool] dir");
        let full = SpoolProblem::Unusable { said: "disk full".to_owned() };
        assert_eq!(full.stored().0, "unusable");
        assert_eq!(spool_problem(&full).en, "the spool: disk full");
    }
}
