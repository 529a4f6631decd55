//! `ACS3-HMAC-SHA256` (SIBLING-APIS.md, H): the signature is in a header. It covers the query, the headers that it
//! names, and a hash of the body.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret as _;
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};

use super::{HEX, is_unreserved};

/// The name of the method, in the header and in the signed string.
const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// What is signed besides the parameters.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// The value of the header `Host`, with a port that is not the scheme's default.
    pub host: &'a str,
    /// The operation.
    pub action: &'a str,
    /// The product's version.
    pub version: &'a str,
    /// `yyyy-MM-ddTHH:mm:ssZ`
    pub date: &'a str,
    /// The nonce.
    pub nonce: &'a str,
    /// The key's public name.
    pub access_key_id: &'a str,
    /// The key.
    pub access_key_secret: &'a SecretString,
    /// The token of a temporary key.
    pub security_token: Option<&'a SecretString>,
    /// The canonical query, as made by [`query`].
    pub query: &'a str,
    /// The body: a form, or empty.
    pub body: &'a [u8],
}

/// The headers of the call, including `authorization`, sorted by name; without `host`, which the client adds.
pub fn signed_headers(envelope: &Envelope<'_>) -> Vec<(&'static str, String)> {
    let body_sha256 = hex(&Sha256::digest(envelope.body));
    let mut headers = vec![
        ("host", envelope.host.to_owned()),
        ("x-acs-action", envelope.action.to_owned()),
        ("x-acs-content-sha256", body_sha256.clone()),
        ("x-acs-date", envelope.date.to_owned()),
        ("x-acs-signature-nonce", envelope.nonce.to_owned()),
        ("x-acs-version", envelope.version.to_owned()),
    ];
    if !envelope.body.is_empty() {
        headers.push(("content-type", "application/x-www-form-urlencoded".to_owned()));
    }
    if let Some(token) = envelope.security_token {
        headers.push(("x-acs-accesskey-id", envelope.access_key_id.to_owned()));
        headers.push(("x-acs-security-token", token.expose_secret().to_owned()));
    }
    headers.sort_unstable();
    let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    let canonical = format!("POST\n/\n{}\n{lines}\n{names}\n{body_sha256}", envelope.query);
    let to_sign = format!("{ALGORITHM}\n{}", hex(&Sha256::digest(canonical.as_bytes())));
    let secret = envelope.access_key_secret.expose_secret();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(to_sign.as_bytes());
    let signature = hex(&mac.finalize().into_bytes());
    let id = envelope.access_key_id;
    let authorization = format!("{ALGORITHM} Credential={id},SignedHeaders={names},Signature={signature}");
    headers.retain(|(name, _)| *name != "host");
    headers.insert(0, ("authorization", authorization));
    headers
}

/// Parameters as a query: sorted by name, names and values percent-encoded by RFC 3986. What is sent is what is signed.
pub fn query(parameters: &[(&str, &str)]) -> String {
    joined(parameters, |out, text| push(out, text, "%20"))
}

/// Parameters as a form, sorted by name, with a `+` for a space, as the official SDKs write it.
pub fn form(parameters: &[(&str, &str)]) -> Vec<u8> {
    joined(parameters, |out, text| push(out, text, "+")).into_bytes()
}

fn joined(parameters: &[(&str, &str)], push: impl Fn(&mut String, &str)) -> String {
    let mut sorted = parameters.to_vec();
    sorted.sort_unstable();
    let mut out = String::new();
    for (name, value) in sorted {
        if !out.is_empty() {
            out.push('&');
        }
        push(&mut out, name);
        out.push('=');
        push(&mut out, value);
    }
    out
}

fn push(out: &mut String, text: &str, space: &str) {
    for byte in text.bytes() {
        match byte {
            b' ' => out.push_str(space),
            byte if is_unreserved(byte) => out.push(char::from(byte)),
            byte => {
                out.push('%');
                out.push(char::from(HEX[usize::from(byte >> 4)]));
                out.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(serde::Deserialize)]
    struct Vector {
        name: String,
        access_key_id: String,
        access_key_secret: String,
        security_token: Option<String>,
        method: String,
        host: String,
        path: String,
        query: BTreeMap<String, String>,
        canonical_query: String,
        form: Option<BTreeMap<String, String>>,
        body: String,
        headers: BTreeMap<String, String>,
        authorization: String,
    }

    #[derive(serde::Deserialize)]
    struct Vectors {
        vectors: Vec<Vector>,
    }

    fn pairs(map: &BTreeMap<String, String>) -> Vec<(&str, &str)> {
        map.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    #[test]
    fn the_signatures_are_those_of_two_official_libraries() {
        let text = include_str!("../../tests/vectors/signature-v3.json");
        let Vectors { vectors } = serde_json::from_str(text).unwrap();
        let mut checked = 0;
        for vector in &vectors {
            let query = query(&pairs(&vector.query));
            assert_eq!(query, vector.canonical_query, "{}", vector.name);
            if let Some(fields) = &vector.form {
                assert_eq!(String::from_utf8(form(&pairs(fields))).unwrap(), vector.body, "{}", vector.name);
            }
            // This program never sends other methods, paths and headers.
            let ours = ["host", "content-type"];
            let is_ours = |name: &String| ours.contains(&name.as_str()) || name.starts_with("x-acs-");
            if vector.method != "POST" || vector.path != "/" || !vector.headers.keys().all(is_ours) {
                continue;
            }
            let secret = SecretString::from(vector.access_key_secret.clone());
            let token = vector.security_token.clone().map(SecretString::from);
            let header = |name: &str| vector.headers.get(name).map_or("", String::as_str);
            let headers = signed_headers(&Envelope {
                host: &vector.host,
                action: header("x-acs-action"),
                version: header("x-acs-version"),
                date: header("x-acs-date"),
                nonce: header("x-acs-signature-nonce"),
                access_key_id: &vector.access_key_id,
                access_key_secret: &secret,
                security_token: token.as_ref(),
                query: &query,
                body: vector.body.as_bytes(),
            });
            assert_eq!(headers[0], ("authorization", vector.authorization.clone()), "{}", vector.name);
            checked += 1;
        }
        assert!(vectors.len() == 6 && checked >= 4, "{checked} of {}", vectors.len());
    }
}
