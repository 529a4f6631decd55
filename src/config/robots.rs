//! `[[notify.robot]]`: chat robots that are told of events.

use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use super::values::from_text;
use crate::model::{EventName, Lang};

/// `[[notify.robot]]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Robot {
    /// Which one it is, in messages and tables; its kind if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it understands.
    pub kind: RobotKind,
    /// A file with its URL, which is a secret: readable by the service's user alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_file: Option<PathBuf>,
    /// The name of a credential of the unit (`LoadCredential=`) with its URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_credential: Option<String>,
    /// A file with the secret that signs messages, for `dingtalk` and `feishu`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// The name of a credential of the unit with that secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_credential: Option<String>,
    /// The language of its messages; that of `[ui]` if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Lang>,
    /// What it is told of; of everything if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<EventName>>,
    /// What a message looks like.
    #[serde(default)]
    pub template: Template,
}

/// `kind`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum RobotKind {
    /// `DingTalk`.
    Dingtalk,
    /// Feishu.
    Feishu,
    /// `WeCom`.
    Wecom,
    /// Any program that takes a JSON object with `text` and `events`.
    Json,
}

impl Robot {
    /// Its name.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| self.kind.into())
    }

    /// Whether it is told of this event.
    pub fn hears(&self, event: EventName) -> bool {
        self.events.as_ref().is_none_or(|events| events.contains(&event))
    }

    /// The key that is wrong, and why.
    fn wrong(&self) -> Option<(&'static str, String)> {
        let one_of = |a: bool, b: bool| usize::from(a) + usize::from(b);
        let urls = one_of(self.url_file.is_some(), self.url_credential.is_some());
        let secrets = one_of(self.secret_file.is_some(), self.secret_credential.is_some());
        let signs = matches!(self.kind, RobotKind::Dingtalk | RobotKind::Feishu);
        let credentials = [("url_credential", &self.url_credential), ("secret_credential", &self.secret_credential)];
        let is_bad = |name: &String| name.is_empty() || name.contains(['/', '\0']) || name.starts_with('.');
        let bad = credentials.into_iter().find(|(_, name)| name.as_ref().is_some_and(is_bad));
        let files = [("url_file", &self.url_file), ("secret_file", &self.secret_file)];
        let relative = files.into_iter().find(|(_, path)| path.as_ref().is_some_and(|path| !path.is_absolute()));
        let needs_one = "the robot needs its URL, which is a secret: either `url_file` or `url_credential`";
        match () {
            () if urls != 1 => Some(("url_file", needs_one.to_owned())),
            () if secrets > 1 => {
                Some(("secret_file", "either `secret_file` or `secret_credential`, not both".to_owned()))
            }
            () if secrets == 1 && !signs => {
                let kind: &str = self.kind.into();
                Some(("secret_file", format!("messages to `{kind}` are not signed; leave the secret out")))
            }
            () if self.events.as_ref().is_some_and(Vec::is_empty) => {
                Some(("events", "must name events, or be left out for all of them".to_owned()))
            }
            () if let Some((key, _)) = relative => Some((key, "must be an absolute path".to_owned())),
            () if let Some((key, _)) = bad => Some((key, "must be the name of a credential, not a path".to_owned())),
            () => None,
        }
    }
}

/// What is wrong with these robots: which key, and why.
pub(super) fn wrong(robots: &[Robot]) -> Option<(&'static str, String)> {
    for (at, robot) in robots.iter().enumerate() {
        if let Some((key, what)) = robot.wrong() {
            return Some(("robot", format!("robot {}: {key}: {what}", at + 1)));
        }
        if let Some(first) = robots[..at].iter().position(|other| other.name() == robot.name()) {
            let what = format!(
                "robots {} and {} have one name, which is their kind if not given: give each a `name` of its own",
                first + 1,
                at + 1
            );
            return Some(("robot", what));
        }
    }
    None
}

/// What a message looks like: text with `{title}`, `{lines}` and `{host}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(String);

/// The places of a template.
const PLACES: [&str; 3] = ["{title}", "{lines}", "{host}"];

impl Template {
    /// The text with its places filled in.
    pub fn fill(&self, title: &str, lines: &str, host: &str) -> String {
        let mut text = String::new();
        let mut rest = self.0.as_str();
        while let Some(at) = rest.find('{') {
            let (before, from) = rest.split_at(at);
            let place = PLACES.into_iter().zip([title, lines, host]).find(|(place, _)| from.starts_with(place));
            let (len, value) = place.map_or((1, "{"), |(place, value)| (place.len(), value));
            text.push_str(before);
            text.push_str(value);
            rest = &from[len..];
        }
        text + rest
    }
}

impl Default for Template {
    fn default() -> Self {
        Self("{title}\n{lines}".to_owned())
    }
}

impl FromStr for Template {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !text.contains("{lines}") {
            return Err("a template needs `{lines}` where the events go, and may have `{title}` and `{host}`");
        }
        let unknown = text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name);
        if unknown.map(|name| format!("{{{name}}}")).any(|place| !PLACES.contains(&place.as_str())) {
            return Err("a template knows `{title}`, `{lines}` and `{host}`, and no other name in braces");
        }
        Ok(Self(text.to_owned()))
    }
}

impl std::fmt::Display for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

from_text!(Template);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_template_is_filled_once() {
        let template: Template = "[{host}] {title}: {lines} {".parse().unwrap();
        assert_eq!(template.fill("{lines}", "a {host}", "h"), "[h] {lines}: a {host} {");
        assert!("{title}".parse::<Template>().unwrap_err().contains("{lines}"));
        assert!("{lines} {user}".parse::<Template>().unwrap_err().contains("no other name"));
    }

    #[test]
    fn a_robot_names_its_url_once_and_never_in_the_configuration() {
        let read = |rest: &str| Config::from_toml(&format!("[[notify.robot]]\nkind = \"wecom\"\n{rest}"));
        let robot = &read("url_file = \"/etc/r\"\nevents = [\"paused\"]").unwrap().notify.robot[0];
        assert!(robot.name() == "wecom" && robot.hears(EventName::Paused) && !robot.hears(EventName::Resumed));
        for (rest, part) in [
            ("", "needs its URL"),
            ("url_file = \"/a\"\nurl_credential = \"b\"", "either `url_file`"),
            ("url_file = \"a\"", "absolute"),
            ("url_credential = \"../b\"", "not a path"),
            ("url_file = \"/a\"\nsecret_file = \"/b\"", "not signed"),
            ("url = \"https://x\"", "url_file"),
            ("url_file = \"/a\"\nevents = [\"done\"]", "file_finished"),
            (
                "url_file = \"/a\"\n[[notify.robot]]\nkind = \"wecom\"\nurl_file = \"/b\"",
                "robots 1 and 2 have one name",
            ),
        ] {
            let error = read(rest).unwrap_err();
            assert!(error.contains(part), "{rest}: {error}");
        }
    }
}
