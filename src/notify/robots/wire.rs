//! What each kind of robot is sent, how a message proves its sender, and what an answer means. Pure: from a message, a
//! secret and the time to bytes.
//!
//! DingTalk and Feishu sign with HMAC-SHA256 in different ways (ANCHORS.md, 3): DingTalk's key is the secret and its
//! message the time and the secret; Feishu's key is both, and its message is empty.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use url::Url;

use crate::config::RobotKind;
use crate::model::Time;

/// Longest text in bytes: `WeCom` takes 2,048, `DingTalk` and Feishu about 20,000.
pub(super) const fn text_bytes_max(kind: RobotKind) -> usize {
    match kind {
        RobotKind::Wecom => 2_048,
        RobotKind::Dingtalk | RobotKind::Feishu | RobotKind::Json => 8_000,
    }
}

/// A message as it is posted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Post {
    pub(super) url: Url,
    pub(super) body: String,
}

/// The message for a robot. Plain text, because nothing in it is interpreted: names and labels are other people's.
pub(super) fn post(
    kind: RobotKind,
    mut url: Url,
    secret: Option<&str>,
    text: &str,
    events: &[Value],
    now: Time,
) -> Post {
    let body = match kind {
        RobotKind::Dingtalk => {
            if let Some(secret) = secret {
                let at = now.timestamp_millis().to_string();
                let sign = hmac(secret, &format!("{at}\n{secret}"));
                url.query_pairs_mut().append_pair("timestamp", &at).append_pair("sign", &sign);
            }
            json!({ "msgtype": "text", "text": { "content": text } })
        }
        RobotKind::Wecom => json!({ "msgtype": "text", "text": { "content": text } }),
        RobotKind::Feishu => {
            let mut body = json!({ "msg_type": "text", "content": { "text": text } });
            if let (Some(secret), Value::Object(body)) = (secret, &mut body) {
                let at = now.timestamp().to_string();
                body.insert("sign".to_owned(), hmac(&format!("{at}\n{secret}"), "").into());
                body.insert("timestamp".to_owned(), at.into());
            }
            body
        }
        RobotKind::Json => json!({ "text": text, "events": events }),
    };
    Post { url, body: body.to_string() }
}

fn hmac(key: &str, message: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(message.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It was taken.
    Taken,
    /// Too many messages were sent.
    TooFast,
    /// It was not taken.
    Refused(String),
}

/// What an answer means. Robots answer 200 and a code in the body; only the code 0 is a yes.
pub(super) fn verdict(kind: RobotKind, status: u16, body: &[u8]) -> Said {
    if status == 429 {
        return Said::TooFast;
    }
    let is_fine = (200..300).contains(&status);
    if kind == RobotKind::Json {
        return if is_fine { Said::Taken } else { Said::Refused(format!("it answered {status}")) };
    }
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let field = |names: &[&str]| names.iter().find_map(|name| answer.get(name));
    let code = field(&["errcode", "code", "StatusCode"]).and_then(Value::as_i64);
    let said = field(&["errmsg", "msg", "StatusMessage"]).and_then(Value::as_str).unwrap_or("no word why");
    match code {
        Some(0) if is_fine => Said::Taken,
        // DingTalk: more than 20 a minute; WeCom: the same; Feishu: more than 100 a minute, or its busy hour.
        Some(130_101 | 45_009 | 9_499 | 11_232) => Said::TooFast,
        Some(code) => Said::Refused(format!("it answered {status} with code {code}: {said}")),
        None => Said::Refused(format!("it answered {status} without a code, so it is no robot of this kind")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::from_millis;

    fn posted(kind: RobotKind, secret: Option<&str>) -> (String, Value) {
        let url = "https://robot.example.com/send?access_token=t".parse().unwrap();
        let post = post(kind, url, secret, "a\nb", &[json!({"event": "resumed"})], from_millis(1_700_000_000_000));
        (post.url.to_string(), serde_json::from_str(&post.body).unwrap())
    }

    /// The signatures were made with Python's `hmac` by the vendors' examples.
    #[test]
    fn each_kind_gets_its_format_and_signature() {
        let plain = "https://robot.example.com/send?access_token=t";
        let text = json!({"msgtype": "text", "text": {"content": "a\nb"}});
        let signed = "&timestamp=1700000000000&sign=ukR4%2BWoOOBTGaOauYqugxVrMSFyr92q4hPxJxuOkiio%3D";
        assert_eq!(posted(RobotKind::Dingtalk, Some("SEC1")), (format!("{plain}{signed}"), text.clone()));
        assert_eq!(posted(RobotKind::Dingtalk, None), (plain.to_owned(), text.clone()));
        assert_eq!(posted(RobotKind::Wecom, None), (plain.to_owned(), text));
        let feishu = json!({
            "msg_type": "text", "content": {"text": "a\nb"}, "timestamp": "1700000000",
            "sign": "s3Va4ru9IQUY6HTJcYx7OEVyXl0V0S/y32v4ZbfOHCI=",
        });
        assert_eq!(posted(RobotKind::Feishu, Some("SEC1")), (plain.to_owned(), feishu));
        let json = json!({"text": "a\nb", "events": [{"event": "resumed"}]});
        assert_eq!(posted(RobotKind::Json, None), (plain.to_owned(), json));
    }

    #[test]
    fn only_the_code_0_is_a_yes() {
        use RobotKind::{Dingtalk, Feishu, Json, Wecom};
        assert_eq!(verdict(Dingtalk, 200, br#"{"errcode":0,"errmsg":"ok"}"#), Said::Taken);
        assert_eq!(verdict(Feishu, 200, br#"{"StatusCode":0,"code":0}"#), Said::Taken);
        assert_eq!(
            verdict(Wecom, 500, br#"{"errcode":0}"#),
            Said::Refused("it answered 500 with code 0: no word why".into())
        );
        let refused = verdict(Dingtalk, 200, br#"{"errcode":310000,"errmsg":"keywords not in content"}"#);
        assert_eq!(refused, Said::Refused("it answered 200 with code 310000: keywords not in content".into()));
        assert!(matches!(verdict(Feishu, 200, b"<html>"), Said::Refused(_)));
        assert_eq!(verdict(Feishu, 200, br#"{"code":11232,"msg":"frequency limited"}"#), Said::TooFast);
        assert_eq!(verdict(Json, 204, b""), Said::Taken);
        assert_eq!(verdict(Json, 429, b""), Said::TooFast);
    }
}
