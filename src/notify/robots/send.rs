//! Posts a message to a robot. Its URL is a secret: it is read from where it is kept each time, and never told.

use std::time::Duration;

use reqwest::redirect::Policy;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::Url;

use super::wire::{Said, post, verdict};
use crate::config::{Config, Endpoint, Robot, RobotKind};
use crate::credentials::{credential, secret_file};
use crate::model::Time;
use crate::net::{builder_for, in_words};

/// The time limit of a call.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Longest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Why a robot could not be told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failed {
    /// Without the URL.
    pub(super) why: String,
    /// It was told too much lately.
    pub(super) too_fast: bool,
}

impl From<String> for Failed {
    fn from(why: String) -> Self {
        Self { why, too_fast: false }
    }
}

/// Sends the text to the robot.
pub(super) async fn send(
    config: &Config,
    robot: &Robot,
    text: &str,
    events: &[Value],
    now: Time,
) -> Result<(), Failed> {
    let (url, secret) = secrets(config, robot).await?;
    let endpoint = origin(&url, robot.kind)?;
    let builder = builder_for(&endpoint, &config.api).map_err(|error| error.to_string())?;
    let client =
        builder.timeout(TIMEOUT).redirect(Policy::none()).build().map_err(|error| in_words(&error.without_url()))?;
    let secret = secret.as_ref().map(|secret| secret.expose_secret());
    let post = post(robot.kind, url, secret, text, events, now);
    let request = client.post(post.url).header("content-type", "application/json; charset=utf-8").body(post.body);
    let mut answer = request.send().await.map_err(|error| in_words(&error.without_url()))?;
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| in_words(&error.without_url()))? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_BYTES_MAX {
            return Err("its answer is too long".to_owned().into());
        }
    }
    match verdict(robot.kind, answer.status().as_u16(), &body) {
        Said::Taken => Ok(()),
        Said::TooFast => Err(Failed { why: "it takes no more messages for now".to_owned(), too_fast: true }),
        Said::Refused(why) => Err(why.into()),
    }
}

/// The robot's URL, and the secret that signs.
async fn secrets(config: &Config, robot: &Robot) -> Result<(Url, Option<SecretString>), Failed> {
    let (config, robot) = (config.clone(), robot.clone());
    let read = move || {
        let one = |file: &Option<std::path::PathBuf>, name: &Option<String>| match (file, name) {
            (Some(path), _) => secret_file(path, &config).map(Some),
            (None, Some(name)) => credential(name).map(Some),
            (None, None) => Ok(None),
        };
        let url = one(&robot.url_file, &robot.url_credential)?;
        Ok::<_, crate::credentials::Error>((url, one(&robot.secret_file, &robot.secret_credential)?))
    };
    // A file may be on a file system that hangs.
    let read = tokio::task::spawn_blocking(read).await.map_err(|error| error.to_string())?;
    let (url, secret) = read.map_err(|error| error.to_string())?;
    let url = url.ok_or_else(|| "it has no URL".to_owned())?;
    let url = Url::parse(url.expose_secret().trim())
        .map_err(|error| format!("what its URL's file holds is no URL: {error}"))?;
    let secret = secret.map(|secret| SecretString::from(secret.expose_secret().trim().to_owned()));
    Ok((url, secret))
}

/// Scheme, host and port, by which the client is chosen.
fn origin(url: &Url, kind: RobotKind) -> Result<Endpoint, Failed> {
    let endpoint: Endpoint =
        url.origin().ascii_serialization().parse().map_err(|_| "its URL is neither https nor http".to_owned())?;
    if endpoint.is_open() && kind != RobotKind::Json {
        return Err("its URL is plain http, by which everybody on the way could read it".to_owned().into());
    }
    Ok(endpoint)
}
