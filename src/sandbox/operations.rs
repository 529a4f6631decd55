//! The four operations, behind the gateway's checks.

use std::sync::Arc;

use serde_json::{Value, json};
use url::Url;

use super::account::Account;
use super::scenario::{Change, Domain, Scenario};
use super::signature::Parameters;
use super::tasks::Tasks;
use crate::model::Time;

/// The result of an operation: the answer's own fields, or an error's code and message.
pub(super) type Said = Result<Value, (&'static str, String)>;

/// The service behind the gateway.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) account: Account,
    tasks: Tasks,
    domains: Vec<Domain>,
    urls_per_call: usize,
    queue_urls: usize,
    quota_is_readable: bool,
    tasks_are_readable: bool,
    is_suspended: bool,
}

/// The message for a key without the permission for an operation.
const FORBIDDEN: &str = "User not authorized to operate on the specified resource.";

impl Service {
    pub(super) fn new(scenario: &Scenario, now: Time) -> Self {
        Self {
            account: Account::new(scenario.quota.clone(), now),
            tasks: Tasks::new(scenario),
            domains: scenario.domains.clone(),
            urls_per_call: scenario.limits.urls_per_call,
            queue_urls: scenario.limits.queue_urls,
            quota_is_readable: scenario.quota.readable,
            tasks_are_readable: scenario.tasks.readable,
            is_suspended: scenario.account.suspended,
        }
    }

    /// Applies a change of the account.
    pub(super) fn change(&mut self, change: &Change) {
        self.urls_per_call = change.urls_per_call.unwrap_or(self.urls_per_call);
        self.queue_urls = change.queue_urls.unwrap_or(self.queue_urls);
        self.quota_is_readable = change.quota_readable.unwrap_or(self.quota_is_readable);
        self.tasks_are_readable = change.tasks_readable.unwrap_or(self.tasks_are_readable);
        self.is_suspended = change.suspended.unwrap_or(self.is_suspended);
        self.account.set_quota(change.per_day.unwrap_or(self.account.quota()));
    }

    /// Somebody else prefetches these URLs with this account, at `created`.
    pub(super) fn prefetch_elsewhere(&mut self, urls: &[Arc<str>], created: Time) {
        if !urls.is_empty() {
            self.account.prefetched_elsewhere(urls.len(), created);
            self.tasks.accept(urls, created);
        }
    }

    /// Performs an operation.
    pub(super) fn perform(&mut self, operation: &str, parameters: &Parameters, now: Time) -> Said {
        match operation {
            "PreloadVodObjectCaches" => self.preload(parameters, now),
            "DescribeVodRefreshTasks" if !self.tasks_are_readable => Err(("Forbidden.RAM", FORBIDDEN.to_owned())),
            "DescribeVodRefreshTasks" => self.tasks.describe(parameters, now),
            "DescribeVodRefreshQuota" => self.quota(now),
            "DescribeVodUserDomains" => self.user_domains(parameters),
            _ => Err(("InvalidAction.NotFound", "Specified api is not found.".to_owned())),
        }
    }

    fn preload(&mut self, parameters: &Parameters, now: Time) -> Said {
        let urls = urls_of(parameters);
        match self.check_batch(&urls, parameters, now) {
            Ok(()) => {
                self.account.accepted(&urls, now);
                Ok(json!({ "PreloadTaskId": self.tasks.accept(&urls, now) }))
            }
            Err(error) => {
                self.account.refused(urls.len(), now);
                Err(error)
            }
        }
    }

    /// Refuses a batch as a whole if one URL or domain of it is wrong.
    fn check_batch(
        &mut self,
        urls: &[Arc<str>],
        parameters: &Parameters,
        now: Time,
    ) -> Result<(), (&'static str, String)> {
        if self.is_suspended {
            return Err(("OperationDenied.Suspended", "Your account is suspended for overdue payment.".to_owned()));
        }
        if urls.is_empty() {
            return Err(("MissingParameter", "ObjectPath is missing.".to_owned()));
        }
        if let Some(area) = parameters.get("Area").filter(|area| !["domestic", "overseas"].contains(&area.as_str())) {
            return Err(("InvalidParameter", format!("Area {area} is not valid.")));
        }
        if urls.len() > self.urls_per_call {
            let message = format!("The maximum number of urls is exceeded: {}.", self.urls_per_call);
            return Err(("InvalidObjectPath.Size.Malformed", message));
        }
        for url in urls {
            self.check_url(url)?;
        }
        if self.account.cost(urls.len()) > self.account.quota_left(now) {
            return Err(("QuotaExceeded.Preload", "The daily quota is exceeded.".to_owned()));
        }
        if self.queue_urls < usize::MAX && self.tasks.unfinished(now) + urls.len() > self.queue_urls {
            return Err(("PreloadQueueFull", "Too many objects are being prefetched.".to_owned()));
        }
        Ok(())
    }

    fn check_url(&self, url: &str) -> Result<(), (&'static str, String)> {
        let malformed = || ("InvalidObjectPath.Malformed", "The specified ObjectPath is invalid.".to_owned());
        let with_scheme = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let parsed = Url::parse(&with_scheme).map_err(|_| malformed())?;
        if url.chars().any(|c| c.is_whitespace() || c.is_control()) || parsed.path().ends_with('/') {
            return Err(malformed());
        }
        let host = parsed.host_str().unwrap_or_default();
        if host.contains('*') {
            return Err(("InvalidExtensiveDomain.ValueNotSupported", "Wildcard domains are not supported.".to_owned()));
        }
        match self.domains.iter().find(|domain| domain.name == host) {
            None => Err(("InvalidDomain.NotFound", format!("The domain {host} does not belong to you."))),
            Some(domain) => match domain.status.as_str() {
                "online" => Ok(()),
                "configure_failed" => Err(("InvalidDomain.Configure_failed", format!("{host} is not configured."))),
                _ => Err(("InvalidDomain.Offline", format!("The domain {host} is offline."))),
            },
        }
    }

    /// The names are spelled as the service spells them, including the lower-case b.
    fn quota(&mut self, now: Time) -> Said {
        if !self.quota_is_readable {
            return Err(("Forbidden.RAM", FORBIDDEN.to_owned()));
        }
        Ok(json!({
            "PreloadQuota": self.account.quota().to_string(),
            "PreloadRemain": self.account.quota_left(now).to_string(),
            "UrlQuota": "10000", "UrlRemain": "10000",
            "DirQuota": "100", "DirRemain": "100",
            "BlockQuota": "300", "blockRemain": "300",
        }))
    }

    fn user_domains(&self, parameters: &Parameters) -> Said {
        let number = |name: &str, default: usize| {
            parameters.get(name).and_then(|text| text.parse().ok()).filter(|n| *n > 0).unwrap_or(default)
        };
        let (page, size) = (number("PageNumber", 1), number("PageSize", 20));
        if size > 50 {
            return Err(("InvalidParameter", "PageSize is at most 50.".to_owned()));
        }
        let fits = |domain: &&Domain| parameters.get("DomainStatus").is_none_or(|status| *status == domain.status);
        let all: Vec<&Domain> = self.domains.iter().filter(fits).collect();
        let shown = all.iter().skip((page - 1).saturating_mul(size)).take(size);
        let shown: Vec<Value> =
            shown.map(|domain| json!({ "DomainName": domain.name, "DomainStatus": domain.status })).collect();
        Ok(json!({
            "TotalCount": all.len(), "PageNumber": page, "PageSize": size,
            "Domains": { "PageData": shown },
        }))
    }
}

/// The URLs of `ObjectPath`, separated by `\n` or `\r\n`.
pub(super) fn urls_of(parameters: &Parameters) -> Vec<Arc<str>> {
    let paths = parameters.get("ObjectPath").map_or("", String::as_str);
    paths
        .split('\n')
        .map(|url| url.strip_suffix('\r').unwrap_or(url))
        .filter(|url| !url.is_empty())
        .map(Arc::from)
        .collect()
}

/// The host of a URL with or without a scheme.
pub(super) fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', ':']).next().unwrap_or_default()
}
