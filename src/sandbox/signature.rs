//! The sandbox's own check of a signature. It is written after the five steps of VOD-API.md, simple rather than fast:
//! decode, sort, encode, join, sign.

use std::collections::BTreeMap;

use base64::Engine as _;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Digest as _;

/// The parameters of query and form together.
pub(super) type Parameters = BTreeMap<String, String>;

/// What the signature of a call with these parameters is made of; `Signature` itself is left out.
pub(super) fn string_to_sign(method: &str, parameters: &Parameters) -> String {
    let mut pairs: Vec<String> = parameters
        .iter()
        .filter(|(name, _)| *name != "Signature")
        .map(|(name, value)| format!("{}={}", percent(name), percent(value)))
        .collect();
    pairs.sort();
    format!("{method}&{}&{}", percent("/"), percent(&pairs.join("&")))
}

/// The signature that a call with these parameters must carry; `Signature` itself is left out.
pub(super) fn expected(method: &str, parameters: &Parameters, secret: &str) -> String {
    let string_to_sign = string_to_sign(method, parameters);
    let mut mac =
        Hmac::<sha1::Sha1>::new_from_slice(format!("{secret}&").as_bytes()).expect("HMAC takes a key of any length");
    mac.update(string_to_sign.as_bytes());
    base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
}

/// What a call says that is signed by `ACS3-HMAC-SHA256`.
#[derive(Debug, Clone)]
pub(super) struct SignedHeaders {
    path: String,
    /// Names and values, decoded.
    query: Vec<(String, String)>,
    /// By lower-case name.
    headers: BTreeMap<String, String>,
    key: String,
    /// The names of the headers that are signed.
    names: Vec<String>,
    pub(super) signature: String,
}

impl SignedHeaders {
    /// Of a request with such a header `Authorization`; none of another.
    pub(super) fn of(uri: &hyper::Uri, headers: &hyper::HeaderMap) -> Option<Self> {
        let authorization = headers.get("authorization")?.to_str().ok()?.strip_prefix("ACS3-HMAC-SHA256 ")?;
        let part =
            |name: &str| authorization.split(',').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
        let text = |value: &hyper::header::HeaderValue| value.to_str().unwrap_or_default().trim().to_owned();
        Some(Self {
            path: uri.path().to_owned(),
            query: url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect(),
            headers: headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
            key: part("Credential")?.to_owned(),
            names: part("SignedHeaders")?.split(';').map(str::to_owned).collect(),
            signature: part("Signature")?.to_owned(),
        })
    }

    /// What stands in headers here and in parameters elsewhere.
    pub(super) fn parameters(&self) -> Parameters {
        let named = [
            ("Action", "x-acs-action"),
            ("Version", "x-acs-version"),
            ("Timestamp", "x-acs-date"),
            ("SignatureNonce", "x-acs-signature-nonce"),
            ("SecurityToken", "x-acs-security-token"),
        ];
        let header = |name: &str| self.headers.get(name).cloned();
        let named = named.into_iter().filter_map(|(name, of)| Some((name.to_owned(), header(of)?)));
        named.chain([("AccessKeyId".to_owned(), self.key.clone())]).collect()
    }
}

/// The signature that such a call must carry; none if it does not sign what it has to, or not the body that came.
pub(super) fn expected_v3(method: &str, signed: &SignedHeaders, body_sha256: &str, secret: &str) -> Option<String> {
    let is_needed = |name: &String| name == "host" || name.starts_with("x-acs-");
    let is_complete = signed.headers.keys().filter(|name| is_needed(name)).all(|name| signed.names.contains(name));
    if !is_complete || signed.headers.get("x-acs-content-sha256").map(String::as_str) != Some(body_sha256) {
        return None;
    }
    let mut query = signed.query.clone();
    query.sort();
    let query: Vec<String> =
        query.iter().map(|(name, value)| format!("{}={}", percent(name), percent(value))).collect();
    let mut names = signed.names.clone();
    names.sort();
    let lines: Option<String> =
        names.iter().map(|name| Some(format!("{name}:{}\n", signed.headers.get(name)?))).collect();
    let canonical = [method, &signed.path, &query.join("&"), &lines?, &names.join(";"), body_sha256].join("\n");
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let string_to_sign = format!("ACS3-HMAC-SHA256\n{}", hex(&sha2::Sha256::digest(canonical)));
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(string_to_sign.as_bytes());
    Some(hex(&mac.finalize().into_bytes()))
}

/// RFC 3986: encodes everything but the unreserved characters as `%XX`.
fn percent(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Vector {
        name: String,
        method: String,
        params: Parameters,
        access_key_secret: String,
        signature: String,
    }

    #[test]
    fn the_check_agrees_with_an_official_sdk() {
        let vectors: Vec<Vector> = serde_json::from_str(include_str!("../../tests/vectors/signature-v1.json")).unwrap();
        assert_eq!(vectors.len(), 8);
        for vector in vectors {
            let signature = expected(&vector.method, &vector.params, &vector.access_key_secret);
            assert_eq!(signature, vector.signature, "{}", vector.name);
        }
    }

    #[test]
    fn the_check_of_v3_agrees_with_two_official_libraries_and_misses_nothing_that_is_changed() {
        let text = include_str!("../../tests/vectors/signature-v3.json");
        let vectors: serde_json::Value = serde_json::from_str(text).unwrap();
        let vectors = vectors["vectors"].as_array().unwrap();
        assert_eq!(vectors.len(), 6);
        for vector in vectors {
            let (text, name) = (|key: &str| vector[key].as_str().unwrap().to_owned(), &vector["name"]);
            let target = format!("{}?{}", text("path"), text("canonical_query"));
            let mut headers = hyper::HeaderMap::new();
            for (name, value) in vector["headers"].as_object().unwrap() {
                let name = hyper::header::HeaderName::from_bytes(name.as_bytes()).unwrap();
                headers.insert(name, value.as_str().unwrap().parse().unwrap());
            }
            headers.insert("authorization", text("authorization").parse().unwrap());
            let signed = SignedHeaders::of(&target.parse().unwrap(), &headers).unwrap();
            let secret = text("access_key_secret");
            let check = |signed: &SignedHeaders, body: &str| expected_v3(&text("method"), signed, body, &secret);
            assert_eq!(check(&signed, &text("body_sha256")), Some(text("signature")), "{name}");
            assert_eq!(signed.signature, text("signature"), "{name}");
            assert_eq!(check(&signed, "another body"), None, "{name}");
            let mut other = signed.clone();
            other.headers.insert("x-acs-action".to_owned(), "Another".to_owned());
            assert_ne!(check(&other, &text("body_sha256")), Some(text("signature")), "{name}");
            let mut unsigned = signed.clone();
            unsigned.names.retain(|name| name != "x-acs-signature-nonce");
            assert_eq!(check(&unsigned, &text("body_sha256")), None, "{name}");
        }
    }

    /// The worked example of a document (VOD-API.md, "Signature").
    #[test]
    fn the_check_agrees_with_the_documents_example() {
        let parameters = [
            ("Action", "DescribeRegions"),
            ("Version", "2014-05-26"),
            ("Format", "XML"),
            ("AccessKeyId", "testid"),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
            ("SignatureNonce", "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf"),
            ("Timestamp", "2016-02-23T12:46:24Z"),
        ];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(expected("GET", &parameters, "testsecret"), "OLeaidS1JvxuMvnyHOwuJ+uX5qY=");
    }
}
