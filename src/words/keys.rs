//! Why there is no key, in Chinese; the English text is the error's own. What the system or another program says stays
//! as it is.

use super::{Words, key_source};

/// No source has one.
pub fn none(en: String) -> Words {
    let zh = "没有 AccessKey：已查找 systemd 凭证 access-key-id 和 access-key-secret、[credentials] file、环境变量、OIDC 角色、\
        ~/.aliyun/config.json、~/.alibabacloud/credentials、ECS 实例角色和 ALIBABA_CLOUD_CREDENTIALS_URI；\
        配置方法见 docs/credentials.md";
    Words::made(en, zh.to_owned())
}

/// The configured source is not there.
pub fn absent(en: String, source: &str, what: &str) -> Words {
    Words::made(en, format!("[credentials] source = \"{source}\" 不可用：{what}"))
}

/// One of two is set.
pub fn incomplete(en: String, place: &str, set: &str, missing: &str) -> Words {
    let place = key_source(place).zh;
    Words::made(en, format!("AccessKey 不完整：{place}中有 {set}，没有 {missing}；两者都要设置"))
}

/// Others may read the file.
pub fn exposed(en: String, path: &str, mode: u32) -> Words {
    Words::made(
        en,
        format!("密钥文件 {path} 的权限为 {mode:04o}，其他用户可以读取：请执行 `chmod 600 {path}`，并更换 AccessKey"),
    )
}

/// Somebody else owns it.
pub fn foreign(en: String, path: &str, uid: u32, remedy: &str) -> Words {
    Words::made(en, format!("密钥文件 {path} 属于 uid {uid}，该用户可以更改它：`{remedy}`"))
}

/// Others may put another file in its place.
pub fn folder(en: String, path: &str, folder: &str, remedy: &str) -> Words {
    Words::made(en, format!("密钥文件 {path} 所在的目录 {folder} 可被其他用户更改：`{remedy}`"))
}

/// The text cannot be a key.
pub fn odd(en: String, place: &str, name: &str) -> Words {
    let place = key_source(place).zh;
    Words::made(en, format!("{place}中的 {name} 不是有效的 AccessKey：请重新填写"))
}

/// The file cannot be used.
pub fn unusable(en: String, path: &str, what: &str) -> Words {
    Words::made(en, format!("密钥文件 {path} 无法使用：{what}"))
}

/// A source gives none now.
pub fn not_given(en: String, place: &str, what: &str) -> Words {
    let place = key_source(place).zh;
    Words::made(en, format!("{place}没有给出 AccessKey：{what}"))
}
