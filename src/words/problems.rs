//! Why entries of `incoming/` are left alone, and problems that limit the daemon.

use super::Words;
use crate::model::{ConfigProblem, LeadProblem, LeftWhy, SpoolProblem};

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

/// Why metrics and health are not served; `said` is the address and what the system says.
pub fn http_problem(said: &str) -> Words {
    say!("{said}{HTTP_REMEDY}", "{said}；请修改 [http] listen，或释放该地址")
}

/// The same, from the English text that is stored.
pub fn http_problem_of(text: &str) -> Words {
    text.strip_suffix(HTTP_REMEDY).map_or_else(|| Words::same(text), http_problem)
}

/// What to do about it.
const HTTP_REMEDY: &str = "; change [http] listen, or free the address";

/// Where the access key comes from, from the English text that is stored.
pub fn key_source(text: &str) -> Words {
    let (source, until) = match text.split_once(" (valid until ") {
        Some((source, until)) => (source, format!("（有效期至 {}", until.replace(')', "）"))),
        None => (text, String::new()),
    };
    let named = |start: &str, kind: &str| source.strip_prefix(start).map(|name| format!("{kind} {name}"));
    let zh = match source {
        "the environment" => "环境变量".to_owned(),
        "systemd's credentials" => " systemd 凭证".to_owned(),
        "the ECS instance's role" => " ECS 实例角色".to_owned(),
        _ => named("the key file ", "密钥文件")
            .or_else(|| named("the OIDC role ", " OIDC 角色"))
            .or_else(|| named("the profile ", "配置 profile"))
            .or_else(|| named("the section ", " ini 文件的段"))
            .or_else(|| named("the ECS role ", " ECS 角色"))
            .or_else(|| named("the role ", "角色"))
            .unwrap_or_else(|| format!(" {source}")),
    };
    Words::made(text.to_owned(), format!("{zh}{until}"))
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

/// Why a host does not lead, or would not.
pub fn lead_problem(problem: &LeadProblem) -> Words {
    match problem {
        LeadProblem::LeadOff => {
            Words::fixed("it does not lead: [database] lead is false", "本机不主导：[database] lead 为 false")
        }
        LeadProblem::PolicyDiffers { host } => Words::made(
            format!(
                "it would not lead: its [budget], [schedule] or [retry] is not that of {host}; make them alike on all \
                 hosts and reload"
            ),
            format!("本机不会主导：[budget]、[schedule] 或 [retry] 与 {host} 不同；请在所有主机上改为一致并重新加载"),
        ),
        LeadProblem::MarkerUnwritten { said } => Words::made(
            format!("it would not lead: the marker in its spool cannot be written: {said}"),
            format!("本机不会主导：投递目录中的标记无法写入：{said}"),
        ),
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
    fn what_is_stored_as_text_alone_is_told_in_both_languages() {
        let problem = http_problem("127.0.0.1:9464: address in use");
        assert_eq!(problem.en, "127.0.0.1:9464: address in use; change [http] listen, or free the address");
        assert_eq!(http_problem_of(&problem.en), problem);
        for (text, zh) in [
            ("the environment", "环境变量"),
            ("the key file /etc/k", "密钥文件 /etc/k"),
            ("the ECS role r (valid until 2026-11-29T00:00:00Z)", " ECS 角色 r（有效期至 2026-11-29T00:00:00Z）"),
            ("of tomorrow", " of tomorrow"),
        ] {
            assert_eq!(key_source(text), Words { en: text.into(), zh: zh.into() });
        }
    }

    #[test]
    fn a_problem_is_stored_as_its_word_and_parameters() {
        let refused = ConfigProblem::ReloadRefused { said: "line 3".to_owned() };
        assert_eq!(refused.stored(), ("reload_refused".to_owned(), Some(r#"{"said":"line 3"}"#.to_owned())));
        let later = ConfigProblem::AfterRestart { keys: vec!["[spool] dir".to_owned()] };
        assert_eq!(later.stored(), ("after_restart".to_owned(), Some(r#"{"keys":["[spool] dir"]}"#.to_owned())));
        let (code, with) = later.stored();
        assert_eq!(ConfigProblem::of_stored(Some(&code), with.as_deref()), Some(later.clone()));
        assert_eq!(SpoolProblem::of_stored(Some("of_tomorrow"), None), None);
        assert_eq!(config_problem(&later).en, "changed, and in force only after a restart: [spool] dir");
        let full = SpoolProblem::Unusable { said: "disk full".to_owned() };
        assert_eq!(full.stored().0, "unusable");
        assert_eq!(spool_problem(&full).en, "the spool: disk full");
    }
}
