//! Checks what stands behind the values of a query: remarks that a person wrote behind a URL.

use super::second;
use super::signs::{BRACKETS, around};
use crate::model::line_fault::{Fault, LineFault};

/// Parameters by which CDNs and object stores sign a URL, in lower case. Their values are ASCII letters, digits and a
/// few signs: Aliyun CDN and OSS, Tencent Cloud, Wangsu, Huawei Cloud, Upyun, AWS, Google Cloud, Akamai.
const SIGNING: [&str; 38] = [
    "_upt",
    "access_token",
    "accesskeyid",
    "auth_key",
    "authkey",
    "awsaccesskeyid",
    "expires",
    "googleaccessid",
    "hdnea",
    "hdntl",
    "hdnts",
    "hwexp",
    "hwsecret",
    "hwtime",
    "key-pair-id",
    "md5",
    "ossaccesskeyid",
    "policy",
    "q-ak",
    "q-signature",
    "security-token",
    "sig",
    "sign",
    "signature",
    "token",
    "txsecret",
    "txtime",
    "wssecret",
    "wstime",
    "x-amz-credential",
    "x-amz-security-token",
    "x-amz-signature",
    "x-cos-security-token",
    "x-goog-signature",
    "x-oss-credential",
    "x-oss-security-token",
    "x-oss-signature",
    "x-oss-signature-version",
];

/// Punctuation of Chinese texts. Dashes are not among it: they also stand inside titles.
const PUNCTUATION: [char; 12] = ['，', '；', '：', '。', '．', '？', '！', '、', '…', '｜', '､', '｡'];

/// Refuses a remark or a second `host/path` behind a value.
pub(super) fn check(tail: &str) -> Result<(), Fault> {
    let Some((_, query)) = tail.split_once('?') else { return Ok(()) };
    second::check_listed(query)?;
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or(("", pair));
        let remark = if signs(key) { behind_signature(value) } else { None };
        if let Some(at) = remark.or_else(|| punctuation_behind_ascii(value)) {
            return Err(LineFault::AfterValue.at(around(value, at)));
        }
    }
    Ok(())
}

fn signs(key: &str) -> bool {
    SIGNING.iter().any(|known| known.eq_ignore_ascii_case(key))
}

/// Where something stands in the value of a signing parameter that no signature has.
fn behind_signature(value: &str) -> Option<usize> {
    let begins_pair = |text: &str| text.split_once('=').is_some_and(|(key, _)| is_key(key));
    let is_odd = |(at, c): (usize, char)| match c {
        // `;` also separates parameters.
        ';' => !begins_pair(&value[at + 1..]),
        c => c == '|' || !c.is_ascii(),
    };
    let ends = value.match_indices(';').map(|(at, _)| at).find(|at| begins_pair(&value[at + 1..]));
    value[..ends.unwrap_or(value.len())].char_indices().find(|found| is_odd(*found)).map(|(at, _)| at)
}

fn is_key(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

/// Where a value that is ASCII so far goes on with punctuation or a bracket as Chinese texts have them.
fn punctuation_behind_ascii(value: &str) -> Option<usize> {
    let (at, first) = value.char_indices().find(|(_, c)| !c.is_ascii())?;
    let is_bracket = BRACKETS.iter().any(|(open, close)| first == *open || first == *close);
    (at > 0 && (is_bracket || PUNCTUATION.contains(&first))).then_some(at)
}
