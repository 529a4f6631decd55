//! What is wrong with a database on a server, in Chinese.

/// By its word; `detail` is what the server said, or which.
pub(super) fn trouble(word: &str, detail: &str) -> Option<String> {
    Some(match word {
        "away" => format!("数据库服务器目前不可用（{detail}）"),
        "read_only" => {
            format!("数据库服务器只读（{detail}）：它是备库或只读地址；[database] url 须为主库的地址")
        }
        "not_let_in" => {
            format!("数据库服务器拒绝此角色登录（{detail}）；请检查 [database] url 中的用户和密码（docs/operate.md）")
        }
        "no_database" => format!("服务器上没有此数据库（{detail}）；用 `create database` 创建"),
        "rights" => format!("角色在数据库中缺少权限（{detail}）；需授予的权限见 docs/operate.md"),
        "tls" => format!("与数据库服务器的连接不安全（{detail}）；请检查 [database] url 中的 sslmode 和 sslrootcert"),
        "damaged" => format!("数据库服务器报告数据损坏（{detail}）；请从备份恢复"),
        _ => return None,
    })
}

/// An error with other parts than what the server said; `en` is its English text.
pub(super) fn error(word: &str, en: &str) -> Option<String> {
    let part = |start: &str, end: &str| {
        let rest = en.split_once(start).map(|(_, rest)| rest);
        rest.and_then(|rest| rest.split_once(end)).map(|(part, _)| part.to_owned()).unwrap_or_default()
    };
    Some(match word {
        "old_server" => format!("数据库服务器是 PostgreSQL {}；需要 14 或更新版本", part("PostgreSQL ", ";")),
        "foreign" => format!(
            "{} 的 {} 模式中有不属于 prefetchd 的表（{}）；请为 prefetchd 提供单独的数据库或模式",
            part(" in ", " holds "),
            part("the schema ", " in "),
            part("prefetchd's (", ");")
        ),
        "no_schema" => {
            format!("{} 中还没有 prefetchd 的表；`prefetchd run` 会创建", part("of prefetchd in ", " yet;"))
        }
        "reader" => "角色只能读取数据库".to_owned(),
        "password" => format!("数据库的密码：{}", en.strip_prefix("the password for the database: ").unwrap_or(en)),
        _ => return None,
    })
}
