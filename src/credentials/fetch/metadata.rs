//! The metadata service of an ECS instance. It is asked with a token that only a program on the machine can get
//! (IMDSv2), and without one only where that is allowed (SIBLING-APIS.md, G).

use reqwest::{Client, Method, RequestBuilder};

use super::super::way::Metadata;
use super::super::{Credentials, Error, Life};
use super::{Fetcher, NEAR};
use crate::net;

const TOKEN_PATH: &str = "latest/api/token";
const ROLES_PATH: &str = "latest/meta-data/ram/security-credentials/";
const TOKEN_HEADER: &str = "x-aliyun-ecs-metadata-token";
const TTL_HEADER: &str = "x-aliyun-ecs-metadata-token-ttl-seconds";

/// The lifetime to request for a token, in seconds.
const TTL: &str = "21600";

/// A hint for the operator if the answers are not the service's.
const ASK: &str = "is something else in the place of the metadata service?";

impl Fetcher<'_> {
    pub(super) async fn of_the_instance(&self, metadata: &Metadata) -> Result<(Credentials, Option<Life>), Error> {
        let client = self.built(net::http_builder(true), NEAR)?;
        let token = self.token(&client, metadata).await?;
        let role = match &metadata.role {
            Some(role) => role.clone(),
            None => self.role_of_the_instance(&client, metadata, token.as_deref()).await?,
        };
        let got = self.send(request(&client, metadata, &format!("{ROLES_PATH}{role}"), token.as_deref())).await?;
        if got.status == 404 {
            return Err(self
                .wrong(format!("the instance has no role {role}; attach it, or correct ALIBABA_CLOUD_ECS_METADATA")));
        }
        let answer = self.read(&got, ASK)?;
        self.key_of(&answer, &got, None)
    }

    /// None if the service gives no token and may be asked without one.
    async fn token(&self, client: &Client, metadata: &Metadata) -> Result<Option<String>, Error> {
        let url = format!("{}{TOKEN_PATH}", metadata.url);
        let asked = self.send(client.request(Method::PUT, url).header(TTL_HEADER, TTL)).await;
        let why = match asked {
            Ok(got) if got.status == 200 => match one_word(&got.body) {
                Some(token) => return Ok(Some(token)),
                None => self.wrong(format!("its token is none; {ASK}")),
            },
            Ok(got) => self.wrong(format!(
                "it gives no token (HTTP {}); is IMDSv2 switched on? ALIBABA_CLOUD_IMDSV1_DISABLED=false allows IMDSv1",
                got.status
            )),
            Err(error) => error,
        };
        if metadata.without_token { Ok(None) } else { Err(why) }
    }

    async fn role_of_the_instance(
        &self,
        client: &Client,
        metadata: &Metadata,
        token: Option<&str>,
    ) -> Result<String, Error> {
        let got = self.send(request(client, metadata, ROLES_PATH, token)).await?;
        match (got.status, one_word(&got.body)) {
            (200, Some(role)) => Ok(role),
            (404, _) => Err(self.wrong("the instance has no RAM role; attach one in the ECS console".to_owned())),
            (status, _) => Err(self.wrong(format!("it does not name the instance's role (HTTP {status}); {ASK}"))),
        }
    }
}

fn request(client: &Client, metadata: &Metadata, path: &str, token: Option<&str>) -> RequestBuilder {
    let request = client.get(format!("{}{path}", metadata.url));
    match token {
        Some(token) => request.header(TOKEN_HEADER, token),
        None => request,
    }
}

/// The body, if it is one run of printable ASCII like tokens and names of roles; a page of HTML is not.
fn one_word(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?.trim();
    let is_word = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"'".contains(&byte));
    is_word.then(|| text.to_owned())
}
