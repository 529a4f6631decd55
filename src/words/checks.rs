//! Why `prefetchd check` finds that the daemon could not work.

use std::io;

use super::Words;
use super::errors::system;

/// It does not answer like the API.
pub const UNLIKE_THE_API: Words = Words::fixed(
    "it does not answer like the API; is [api] endpoint right?",
    "应答不像视频点播 API；[api] endpoint 是否正确？",
);

/// A folder of the spool lies on another mount.
pub fn apart(folder: &str) -> Words {
    say!(
        "[spool] dir: {folder}: it lies on another mount than work/, so no file can be renamed between them: mount the \
        spool as a whole",
        "[spool] dir：{folder} 与 work/ 不在同一挂载点，文件无法直接移动：请把投递目录挂载为一个整体"
    )
}

/// It is no directory.
pub fn no_directory(key: &str, path: &str) -> Words {
    say!("{key}: {path} is not a directory", "{key}：{path} 不是目录")
}

/// It may not be written.
pub fn not_writable(key: &str, path: &str, error: &io::Error) -> Words {
    let why = system(error);
    let (en, zh) = (&why.en, &why.zh);
    say!(
        "{key}: {path} is not writable for this user: {en}; docs/operate.md says whose it is to be",
        "{key}：当前用户不能写 {path}：{zh}；docs/operate.md 说明其所有者"
    )
}

/// The service does not answer.
pub fn no_answer(url: &str, why: &str) -> Words {
    say!("{url} does not answer: {why}", "{url} 没有应答：{why}")
}

/// The service refuses the account.
pub fn refuses(url: &str, why: &Words) -> Words {
    let (en, zh) = (&why.en, &why.zh);
    say!("{url} refuses the account: {en}", "{url} 拒绝此账号：{zh}")
}
