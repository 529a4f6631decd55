//! One call, signed: exactly the bytes that go over the wire.

use std::collections::BTreeMap;

use chrono::{SecondsFormat, TimeDelta};
use secrecy::ExposeSecret;
use sha2::{Digest as _, Sha256};

use super::encode::signed_form;
use super::tasks::TaskStatus;
use crate::config::Area;
use crate::credentials::Credentials;
use crate::model::{TaskId, Time};

/// Product version (VOD-API.md, "Operations").
const VERSION: &str = "2017-03-21";

/// The service performs a call whose timestamp is no older than 15 minutes by its own clock (VOD-API.md, "Nonces"); a
/// minute more is taken for granted.
pub const SIGNATURE_VALID: TimeDelta = TimeDelta::minutes(16);

/// Domains a page of `DescribeVodUserDomains` (VOD-API.md: 50 at most).
pub const DOMAINS_A_PAGE: u32 = 50;

/// The operations that are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Submits URLs for prefetching; costs budget.
    PreloadVodObjectCaches,
    /// What is left today; free.
    DescribeVodRefreshQuota,
    /// The tasks of the last three days; free.
    DescribeVodRefreshTasks,
    /// The account's domains; free.
    DescribeVodUserDomains,
}

impl Operation {
    /// The value of the parameter `Action`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PreloadVodObjectCaches => "PreloadVodObjectCaches",
            Self::DescribeVodRefreshQuota => "DescribeVodRefreshQuota",
            Self::DescribeVodRefreshTasks => "DescribeVodRefreshTasks",
            Self::DescribeVodUserDomains => "DescribeVodUserDomains",
        }
    }
}

/// Tasks a page of `DescribeVodRefreshTasks` (VOD-API.md: 50 at most).
pub const TASKS_A_PAGE: u32 = 50;

/// Tasks are listed for three days (VOD-API.md, `DescribeVodRefreshTasks`); what is asked for keeps so far inside of
/// that.
const LISTED_FOR: TimeDelta = TimeDelta::minutes(3 * 24 * 60 - 1);

/// The end of a window lies so far ahead of our clock, which may be behind the service's.
const AHEAD: TimeDelta = TimeDelta::minutes(1);

/// Between which moments of the service's clock a task was made. Both are always sent: one without the other is an
/// error (SIBLING-APIS.md, C).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    from: Time,
    to: Time,
}

impl Window {
    /// All that the service lists at `now`.
    pub fn all(now: Time) -> Self {
        Self { from: now - LISTED_FOR, to: now + AHEAD }
    }

    /// Of that, what was made since `from`.
    pub fn since(from: Time, now: Time) -> Self {
        let all = Self::all(now);
        Self { from: from.clamp(all.from, now), ..all }
    }
}

/// What `DescribeVodRefreshTasks` is asked; what is not given does not restrict.
#[derive(Debug, Clone, Copy)]
pub struct TaskQuery<'a> {
    /// The tasks of exactly this URL.
    pub url: Option<&'a str>,
    /// The rows of this task.
    pub task: Option<&'a TaskId>,
    /// Those in this state.
    pub status: Option<TaskStatus>,
    /// Those that were made then.
    pub made: Window,
    /// The page, from 1.
    pub page: u32,
    /// Rows a page, [`TASKS_A_PAGE`] at most.
    pub page_size: u32,
}

impl TaskQuery<'_> {
    /// The first page of everything that was made within a window.
    pub const fn first(made: Window) -> Self {
        Self { url: None, task: None, status: None, made, page: 1, page_size: TASKS_A_PAGE }
    }
}

/// How URLs are to be prefetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreloadOptions {
    /// Sent explicitly (VOD-API.md).
    pub area: Area,
    /// Only the layer nearest the origin.
    pub l2_preload: bool,
    /// Request headers towards the origin.
    pub with_header: Option<BTreeMap<String, Vec<String>>>,
}

/// A signed call. The same bytes may be sent again while their timestamp is fresh.
#[derive(Clone)]
pub struct SignedCall {
    pub(super) operation: Operation,
    pub(super) body: Vec<u8>,
}

impl SignedCall {
    /// Signs `PreloadVodObjectCaches` for these URLs.
    pub fn preload(urls: &[&str], options: &PreloadOptions, credentials: &Credentials, nonce: &str, now: Time) -> Self {
        let object_path = urls.join("\n");
        let with_header = options.with_header.as_ref().map(|headers| serde_json::json!(headers).to_string());
        let mut own = vec![("ObjectPath", object_path.as_str()), ("Area", options.area.as_str())];
        if options.l2_preload {
            own.push(("L2Preload", "true"));
        }
        if let Some(header) = &with_header {
            own.push(("WithHeader", header));
        }
        Self::sign(Operation::PreloadVodObjectCaches, &own, credentials, nonce, now)
    }

    /// Signs `DescribeVodRefreshQuota`.
    pub fn quota(credentials: &Credentials, nonce: &str, now: Time) -> Self {
        Self::sign(Operation::DescribeVodRefreshQuota, &[], credentials, nonce, now)
    }

    /// Signs `DescribeVodRefreshTasks`.
    pub fn tasks(query: &TaskQuery<'_>, credentials: &Credentials, nonce: &str, now: Time) -> Self {
        let time = |time: Time| time.to_rfc3339_opts(SecondsFormat::Secs, true);
        let (start, end) = (time(query.made.from), time(query.made.to));
        let (page, size) = (query.page.to_string(), query.page_size.min(TASKS_A_PAGE).to_string());
        let mut own = vec![("ObjectType", "preload"), ("PageNumber", page.as_str()), ("PageSize", size.as_str())];
        own.extend(query.url.map(|url| ("ObjectPath", url)));
        own.extend(query.task.map(|task| ("TaskId", task.as_str())));
        own.extend(query.status.map(|status| ("Status", status.word())));
        own.extend([("StartTime", start.as_str()), ("EndTime", end.as_str())]);
        Self::sign(Operation::DescribeVodRefreshTasks, &own, credentials, nonce, now)
    }

    /// Signs `DescribeVodUserDomains` for one page of [`DOMAINS_A_PAGE`], counted from 1.
    pub fn domains(page: u32, credentials: &Credentials, nonce: &str, now: Time) -> Self {
        let (page, size) = (page.to_string(), DOMAINS_A_PAGE.to_string());
        let own = [("PageNumber", page.as_str()), ("PageSize", size.as_str())];
        Self::sign(Operation::DescribeVodUserDomains, &own, credentials, nonce, now)
    }

    /// SHA-256 of the bytes that go over the wire, in lower-case hex: what a copy has to match. It tells nothing of
    /// the key.
    pub fn sha256(&self) -> String {
        let digest = Sha256::digest(&self.body);
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn sign(operation: Operation, own: &[(&str, &str)], credentials: &Credentials, nonce: &str, now: Time) -> Self {
        let timestamp = now.to_rfc3339_opts(SecondsFormat::Secs, true);
        let mut parameters = vec![
            ("Action", operation.as_str()),
            ("Version", VERSION),
            ("Format", "JSON"),
            ("AccessKeyId", &credentials.access_key_id),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
            ("SignatureNonce", nonce),
            ("Timestamp", &timestamp),
        ];
        let token = credentials.security_token.as_ref().map(ExposeSecret::expose_secret);
        parameters.extend(token.map(|token| ("SecurityToken", token)));
        parameters.extend_from_slice(own);
        Self { operation, body: signed_form(&mut parameters, credentials.access_key_secret.expose_secret()) }
    }
}

/// The bytes hold a key's name and a signature: never printed.
impl std::fmt::Debug for SignedCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SignedCall({} bytes)", self.body.len())
    }
}
