//! STS: `AssumeRole`, signed with another key, and `AssumeRoleWithOIDC`, with a token (SIBLING-APIS.md, G). Both are
//! sent as a form, because a token may be too long for a query.

use std::time::Duration;

use chrono::SecondsFormat;
use reqwest::header::CONTENT_TYPE;
use secrecy::ExposeSecret as _;

use super::super::files;
use super::super::way::{OidcRole, Role};
use super::super::{Credentials, Error, Life};
use super::{Fetcher, Got};
use crate::model::Time;
use crate::signature::{form, signed_form};

const VERSION: &str = "2015-04-01";

/// Longest token that STS accepts, in characters.
const TOKEN_CHARS_MAX: usize = 20_000;

const ASK: &str = "is [credentials] sts_endpoint right?";

/// Assumes a role with a token. The token is read each time, because whoever provides it renews it.
pub(super) async fn with_a_token(fetcher: &Fetcher<'_>, oidc: &OidcRole) -> Result<(Credentials, Option<Life>), Error> {
    let (path, owners) = (oidc.token_file.clone(), fetcher.places.owners.clone());
    let read = tokio::task::spawn_blocking(move || files::readable(&path, &owners)).await;
    let shown = oidc.token_file.display();
    let text = match read {
        Ok(Ok(text)) => text,
        Ok(Err(error)) => return Err(fetcher.wrong(format!("its token: {error}"))),
        Err(_) => return Err(fetcher.wrong(format!("its token in {shown} could not be read"))),
    };
    let token = text.trim();
    if token.len() > TOKEN_CHARS_MAX {
        let what = format!(
            "the token in {shown} has more than {TOKEN_CHARS_MAX} characters, which STS does not take; \
             is it the right file?"
        );
        return Err(fetcher.wrong(what));
    }
    let now = timestamp(chrono::Utc::now());
    let nonce = uuid::Uuid::new_v4().to_string();
    let seconds = oidc.role.seconds.to_string();
    let mut parameters = vec![
        ("Action", "AssumeRoleWithOIDC"),
        ("Version", VERSION),
        ("Format", "JSON"),
        ("Timestamp", now.as_str()),
        ("SignatureNonce", nonce.as_str()),
        ("RoleArn", oidc.role.arn.as_str()),
        ("OIDCProviderArn", oidc.provider.as_str()),
        ("OIDCToken", token),
        ("RoleSessionName", oidc.role.session.as_str()),
        ("DurationSeconds", seconds.as_str()),
    ];
    parameters.extend(oidc.role.policy.as_deref().map(|policy| ("Policy", policy)));
    let got = post(fetcher, &oidc.role, form(&parameters)).await?;
    let answer = fetcher.read(&got, ASK)?;
    if let Some(code) = answer.failure() {
        let remedy = match code.as_str() {
            code if code.starts_with("AuthenticationFail") => {
                format!("is the token in {shown} renewed, and is its audience the provider's client ID?")
            }
            code => remedy(code).to_owned(),
        };
        return Err(refused(fetcher, &oidc.role, &code, &remedy));
    }
    fetcher.key_of(&answer, &got, longest(&oidc.role))
}

/// Assumes a role with a key. If STS refuses the timestamp, the call is repeated once by STS's own clock.
pub(super) async fn with_a_key(
    fetcher: &Fetcher<'_>,
    role: &Role,
    key: &Credentials,
) -> Result<(Credentials, Option<Life>), Error> {
    let mut got = post(fetcher, role, signed(role, key, chrono::Utc::now())).await?;
    let mut answer = fetcher.read(&got, ASK)?;
    if let (true, Some(date)) = (answer.failure().is_some_and(|code| is_about_time(&code)), got.date) {
        got = post(fetcher, role, signed(role, key, date)).await?;
        answer = fetcher.read(&got, ASK)?;
    }
    if let Some(code) = answer.failure() {
        return Err(refused(fetcher, role, &code, remedy(&code)));
    }
    fetcher.key_of(&answer, &got, longest(role))
}

fn signed(role: &Role, key: &Credentials, at: Time) -> Vec<u8> {
    let (now, nonce, seconds) = (timestamp(at), uuid::Uuid::new_v4().to_string(), role.seconds.to_string());
    let mut parameters = vec![
        ("Action", "AssumeRole"),
        ("Version", VERSION),
        ("Format", "JSON"),
        ("AccessKeyId", key.access_key_id.as_str()),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureVersion", "1.0"),
        ("Timestamp", now.as_str()),
        ("SignatureNonce", nonce.as_str()),
        ("RoleArn", role.arn.as_str()),
        ("RoleSessionName", role.session.as_str()),
        ("DurationSeconds", seconds.as_str()),
    ];
    parameters.extend(role.external_id.as_deref().map(|id| ("ExternalId", id)));
    parameters.extend(role.policy.as_deref().map(|policy| ("Policy", policy)));
    parameters.extend(key.security_token.as_ref().map(|token| ("SecurityToken", token.expose_secret())));
    signed_form(&mut parameters, key.access_key_secret.expose_secret())
}

async fn post(fetcher: &Fetcher<'_>, role: &Role, body: Vec<u8>) -> Result<Got, Error> {
    let client = fetcher.client_for(&role.sts)?;
    let request = client.post(role.sts.url().clone());
    fetcher.send(request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body)).await
}

fn refused(fetcher: &Fetcher<'_>, role: &Role, code: &str, remedy: &str) -> Error {
    fetcher.wrong(format!("{} answered {code} for the role {}; {remedy}", role.sts, role.arn))
}

fn remedy(code: &str) -> &'static str {
    match code {
        "NoPermission" | "Forbidden.RAM" | "Forbidden" => {
            "allow the key sts:AssumeRole on the role, and name its owner in the role's trust policy"
        }
        code if code.starts_with("EntityNotExist") || code.starts_with("InvalidParameter") => {
            "does the role exist? correct role_arn, or make it in the RAM console"
        }
        code if code.starts_with("InvalidAccessKeyId") || code.starts_with("SignatureDoesNotMatch") => {
            "the key that is to assume it is wrong or disabled; set another one"
        }
        code if is_about_time(code) => "set this machine's clock right (NTP)",
        _ => "it is asked again",
    }
}

fn is_about_time(code: &str) -> bool {
    code.starts_with("InvalidTimeStamp") || code.starts_with("IllegalTimestamp")
}

fn longest(role: &Role) -> Option<Duration> {
    Some(Duration::from_secs(role.seconds.into()))
}

fn timestamp(at: Time) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
