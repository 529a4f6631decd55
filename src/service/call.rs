//! One signed call: exactly the bytes that are sent.

use std::collections::BTreeMap;

use chrono::{SecondsFormat, TimeDelta};
use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret;
use sha2::{Digest as _, Sha256};
use strum::VariantArray as _;

use super::limits::{Product, TASKS_LISTED_FOR};
use super::tasks::TaskStatus;
use crate::config::{Api, Area, Signature};
use crate::credentials::Credentials;
use crate::model::{Lane, TaskId, Time};
use crate::signature::{Envelope, form, query, signed_form, signed_headers};

/// The service performs a call whose timestamp is at most 15 minutes old by its own clock (VOD-API.md, "Nonces"); one
/// more minute is added for safety.
pub const SIGNATURE_VALID: TimeDelta = TimeDelta::minutes(16);

/// Questions stay this far inside the time for which tasks are listed.
const INSIDE: TimeDelta = TimeDelta::minutes(1);

/// The end of a window is this far ahead of our clock, which may be behind the service's.
const AHEAD: TimeDelta = TimeDelta::minutes(1);

/// The period in which a task was made, by the service's clock. Both ends are always sent, because one without the
/// other is an error (SIBLING-APIS.md, C).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    from: Time,
    to: Time,
}

impl Window {
    /// Everything that the service lists at `now`.
    pub fn all(now: Time) -> Self {
        Self { from: now - TASKS_LISTED_FOR + INSIDE, to: now + AHEAD }
    }

    /// The part of it that was made since `from`.
    pub fn since(from: Time, now: Time) -> Self {
        let all = Self::all(now);
        Self { from: from.clamp(all.from, now), ..all }
    }
}

/// A question for tasks. A condition that is not given restricts nothing.
#[derive(Debug, Clone, Copy)]
pub struct TaskQuery<'a> {
    /// Tasks of this lane.
    pub lane: Lane,
    /// Tasks of exactly this URL.
    pub url: Option<&'a str>,
    /// Rows of this task.
    pub task: Option<&'a TaskId>,
    /// Tasks in this state.
    pub status: Option<TaskStatus>,
    /// Tasks made in this period.
    pub made: Window,
    /// The page, counted from 1.
    pub page: u32,
    /// Rows per page; more than the product allows stands for as many as it allows.
    pub page_size: u32,
}

impl TaskQuery<'_> {
    /// The first page of everything made in a period.
    pub const fn first(lane: Lane, made: Window) -> Self {
        Self { lane, url: None, task: None, status: None, made, page: 1, page_size: u32::MAX }
    }
}

/// What a batch asks for, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchOptions {
    /// Prefetches URLs.
    Prefetch(PrefetchOptions),
    /// Purges URLs, which are always deleted.
    Purge,
    /// Purges directories.
    PurgeDirectory {
        /// Deletes everything, and not only what has changed at the origin.
        force: bool,
    },
}

impl BatchOptions {
    /// The lane of such a batch.
    pub const fn lane(&self) -> Lane {
        match self {
            Self::Prefetch(_) => Lane::Prefetch,
            Self::Purge => Lane::Purge,
            Self::PurgeDirectory { .. } => Lane::PurgeDirectory,
        }
    }
}

/// The options of a prefetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrefetchOptions {
    /// Sent explicitly unless it is unset (VOD-API.md).
    pub area: Area,
    /// Warm only the cache layer nearest to the origin.
    pub l2_preload: bool,
    /// Derive the cache key from the domain's rules; not sent unless given.
    pub query_hashkey: Option<bool>,
    /// For domains whose origins are chosen by a hash; not sent unless given.
    pub consistency_hash: Option<bool>,
    /// Request headers that the CDN sends to the origin.
    pub with_header: Option<BTreeMap<String, Vec<String>>>,
}

/// What signs a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamp<'a> {
    pub(super) manner: &'a Manner,
    pub(super) key: &'a Credentials,
    pub(super) nonce: &'a str,
    pub(super) at: Time,
}

/// How calls are written and signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manner {
    pub(super) product: &'static Product,
    signature: Signature,
    /// Of the endpoint, as it stands in the header `Host`.
    host: String,
    /// Whether the URLs of a batch that is signed by V3 go in the query; if not, in the body.
    pub(super) urls_in_query: bool,
}

impl Manner {
    /// Whether the service may look for URLs elsewhere than where they go.
    pub(super) fn may_be_misplaced(&self) -> bool {
        self.signature == Signature::V3 && !self.urls_in_query
    }

    pub(super) fn of(api: &Api) -> Self {
        Self {
            product: Product::of(api.product),
            signature: api.signature,
            host: api.endpoint.host(),
            urls_in_query: false,
        }
    }
}

/// A signed call. The same bytes may be sent again while their timestamp is fresh.
#[derive(Clone)]
pub(super) struct SignedCall {
    pub(super) action: &'static str,
    /// Headers besides those of every call; a signature in headers would be here.
    pub(super) headers: HeaderMap,
    /// Percent-encoded; empty where all parameters are in the body.
    pub(super) query: String,
    pub(super) body: Vec<u8>,
}

impl SignedCall {
    /// Submits these URLs.
    pub(super) fn batch(urls: &[&str], options: &BatchOptions, stamp: Stamp<'_>) -> Self {
        let submission = stamp.manner.product.submission(options.lane());
        let object_path = urls.join("\n");
        let mut own = vec![("ObjectPath", object_path.as_str())];
        own.extend(submission.object_type.map(|object_type| ("ObjectType", object_type)));
        let with_header = match options {
            BatchOptions::Prefetch(options) => {
                let flag = |is_set: bool| if is_set { "true" } else { "false" };
                own.extend(options.area.value().map(|area| ("Area", area)));
                own.extend(options.l2_preload.then_some(("L2Preload", "true")));
                own.extend(options.query_hashkey.map(|derived| ("QueryHashkey", flag(derived))));
                own.extend(options.consistency_hash.map(|hashed| ("ConsistencyHash", flag(hashed))));
                options.with_header.as_ref().map(|headers| serde_json::json!(headers).to_string())
            }
            BatchOptions::Purge => None,
            BatchOptions::PurgeDirectory { force } => {
                own.extend(force.then_some(("Force", "true")));
                None
            }
        };
        own.extend(with_header.as_deref().map(|header| ("WithHeader", header)));
        Self::sign(submission.action, &own, stamp)
    }

    /// Asks what is left of the day.
    pub(super) fn quota(stamp: Stamp<'_>) -> Self {
        Self::sign(stamp.manner.product.actions.quota, &[], stamp)
    }

    /// Asks for tasks.
    pub(super) fn tasks(query: &TaskQuery<'_>, stamp: Stamp<'_>) -> Self {
        let product = stamp.manner.product;
        let time = |time: Time| time.to_rfc3339_opts(SecondsFormat::Secs, true);
        let (start, end) = (time(query.made.from), time(query.made.to));
        let (page, size) = (query.page.to_string(), query.page_size.min(product.tasks_a_page).to_string());
        let object_type = product.submission(query.lane).listed_as;
        let mut own = vec![("ObjectType", object_type), ("PageNumber", page.as_str()), ("PageSize", size.as_str())];
        own.extend(query.url.map(|url| ("ObjectPath", url)));
        own.extend(query.task.map(|task| ("TaskId", task.as_str())));
        own.extend(query.status.map(|status| ("Status", status.word())));
        own.extend([("StartTime", start.as_str()), ("EndTime", end.as_str())]);
        Self::sign(product.actions.tasks, &own, stamp)
    }

    /// Asks for all rows of these tasks by `action`, at most ten tasks.
    pub(super) fn tasks_by_id(action: &'static str, tasks: &[TaskId], stamp: Stamp<'_>) -> Self {
        let ids = tasks.iter().map(TaskId::as_str).collect::<Vec<_>>().join(",");
        Self::sign(action, &[("TaskId", &ids)], stamp)
    }

    /// Asks for a page of the account's domains, counted from 1.
    pub(super) fn domains(page: u32, stamp: Stamp<'_>) -> Self {
        let product = stamp.manner.product;
        let (page, size) = (page.to_string(), product.domains_a_page.to_string());
        let mut own = vec![("PageNumber", page.as_str()), ("PageSize", size.as_str())];
        own.extend(product.hides_domains.then_some(("CheckDomainShow", "true")));
        Self::sign(product.actions.domains, &own, stamp)
    }

    /// SHA-256 of the call's distinguishing content, in lower-case hex, which a copy must match. It reveals nothing of
    /// the key.
    pub(super) fn sha256(&self) -> String {
        let mut digest = Sha256::new();
        for (name, value) in &self.headers {
            digest.update(name.as_str());
            digest.update(value.as_bytes());
        }
        digest.update(&self.query);
        digest.update(&self.body);
        digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The one place that knows how a call proves who makes it.
    fn sign(action: &'static str, own: &[(&str, &str)], stamp: Stamp<'_>) -> Self {
        match stamp.manner.signature {
            Signature::V1 => Self::in_the_form(action, own, stamp),
            Signature::V3 => Self::in_headers(action, own, stamp),
        }
    }

    /// `ACS3-HMAC-SHA256`, in headers (SIBLING-APIS.md, H). URLs go in a form, since a query cannot hold many; what is
    /// asked goes in the query, as the official SDKs send it.
    fn in_headers(action: &'static str, own: &[(&str, &str)], Stamp { manner, key, nonce, at }: Stamp<'_>) -> Self {
        let date = at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let has_urls = Lane::VARIANTS.iter().any(|lane| manner.product.submission(*lane).action == action);
        let in_form = has_urls && !manner.urls_in_query;
        let (body, query) = if in_form { (form(own), String::new()) } else { (Vec::new(), query(own)) };
        let signed = signed_headers(&Envelope {
            host: &manner.host,
            action,
            version: manner.product.version,
            date: &date,
            nonce,
            access_key_id: &key.access_key_id,
            access_key_secret: &key.access_key_secret,
            security_token: key.security_token.as_ref(),
            query: &query,
            body: &body,
        });
        let mut headers = HeaderMap::new();
        for (name, value) in signed {
            let mut value = HeaderValue::try_from(value).expect("keys and tokens are printable ASCII, as is the rest");
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static(name), value);
        }
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        Self { action, headers, query, body }
    }

    /// `SignatureVersion=1.0`, in the form beside the parameters (VOD-API.md, "Signature").
    fn in_the_form(action: &'static str, own: &[(&str, &str)], Stamp { manner, key, nonce, at }: Stamp<'_>) -> Self {
        let timestamp = at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let mut parameters = vec![
            ("Action", action),
            ("Version", manner.product.version),
            ("Format", "JSON"),
            ("AccessKeyId", &key.access_key_id),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
            ("SignatureNonce", nonce),
            ("Timestamp", &timestamp),
        ];
        let token = key.security_token.as_ref().map(ExposeSecret::expose_secret);
        parameters.extend(token.map(|token| ("SecurityToken", token)));
        parameters.extend_from_slice(own);
        let body = signed_form(&mut parameters, key.access_key_secret.expose_secret());
        Self { action, headers: HeaderMap::new(), query: String::new(), body }
    }
}

/// Longest query that every gateway passes on, with all that stands around the URLs, in bytes (VOD-API.md: an over-long
/// one gets a 414).
const QUERY_BYTES_MAX: usize = 6_000;

/// How many URLs like these a query holds; at least one.
pub(super) fn urls_a_query(urls: &[&str]) -> u32 {
    let bytes = query(&[("ObjectPath", &urls.join("\n"))]).len();
    let each = bytes.div_ceil(urls.len().max(1)).max(1);
    u32::try_from(QUERY_BYTES_MAX / each).unwrap_or(u32::MAX).max(1)
}

/// The bytes contain a key's name and a signature, so they are never printed.
impl std::fmt::Debug for SignedCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SignedCall({} bytes)", self.body.len())
    }
}
