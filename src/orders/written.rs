//! An order as it is written in a file.

use serde::{Deserialize, Serialize};

use strum::VariantArray as _;

use crate::model::{Lane, ObjectUrl, OrderFault, Priority, UrlRules, UrlState};
use crate::queue::{Order, Selection};

/// Longest order, in bytes.
pub(super) const BYTES_MAX: usize = 16 * 1024;

/// An order as its JSON object. What is given must all hold for a URL, as with the options of the commands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    order: Command,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    /// `prefetch`, `purge` or `purge-directory`; all of them if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    action: Option<String>,
    /// For `prioritize`; urgent if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    priority: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Command {
    Cancel,
    Prioritize,
    Retry,
}

impl Written {
    /// An order to be dropped.
    pub fn new(order: Order, which: &Selection) -> Self {
        let (order, priority) = match order {
            Order::Retry | Order::RetryUnconfirmed => (Command::Retry, None),
            Order::Cancel => (Command::Cancel, None),
            Order::Prioritize(priority) => (Command::Prioritize, Some(priority.to_string())),
        };
        Self {
            order,
            file: which.file.clone(),
            label: which.label.clone(),
            host: which.host.clone(),
            url: which.url.as_ref().map(ToString::to_string),
            state: which.state.map(|state| state.to_string()),
            action: which.lane.map(|lane| lane.word().to_owned()),
            priority,
        }
    }

    /// Reads an order.
    ///
    /// # Errors
    ///
    /// It is too long, or no JSON object with these keys.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, OrderFault> {
        if bytes.len() > BYTES_MAX {
            return Err(OrderFault::TooLong { bytes_max: BYTES_MAX });
        }
        serde_json::from_slice(bytes).map_err(|error| OrderFault::Unreadable { said: error.to_string() })
    }

    /// What is asked for, restricted to files of this user.
    ///
    /// # Errors
    ///
    /// A value is wrong, or no URLs are named.
    pub(super) fn meant(self, owner: u32) -> Result<(Order, Selection), OrderFault> {
        let wrong = |said: String| OrderFault::Unreadable { said };
        let state = self.state.map(|state| state.parse::<UrlState>().map_err(wrong));
        let state = state.transpose()?;
        let order = match self.order {
            Command::Cancel => Order::Cancel,
            Command::Retry if state == Some(UrlState::Unconfirmed) => Order::RetryUnconfirmed,
            Command::Retry => Order::Retry,
            Command::Prioritize => {
                let priority = self.priority.as_deref().map_or(Ok(Priority::Urgent), str::parse);
                Order::Prioritize(priority.map_err(wrong)?)
            }
        };
        if let Some(state) = state.filter(|state| !order.takes().contains(state)) {
            return Err(OrderFault::State { order: order.command().to_owned(), state: state.to_string() });
        }
        let rules = UrlRules { url_bytes_max: usize::MAX, domains: Vec::new() };
        let url = match self.url {
            Some(url) => Some(ObjectUrl::parse(&url, &rules).map_err(|_| OrderFault::BadUrl { url })?),
            None => None,
        };
        let host = self.host.map(|host| host.to_ascii_lowercase());
        let lane = self.action.map(|action| {
            let known = Lane::VARIANTS.iter().map(|lane| lane.word()).collect::<Vec<_>>().join(", ");
            action.parse::<Lane>().map_err(|_| wrong(format!("no action `{action}`; there are {known}")))
        });
        let lane = lane.transpose()?;
        let which = Selection { url, file: self.file, label: self.label, host, state, owner: Some(owner), lane };
        if which.is_anything() { Ok((order, which)) } else { Err(OrderFault::NamesNothing) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_as_it_was_written_and_restricted_to_its_owner() {
        let (state, lane) = (Some(UrlState::Held), Some(Lane::Purge));
        let which = Selection { file: Some("a.txt".into()), state, lane, ..Selection::default() };
        for order in [Order::Cancel, Order::Retry, Order::Prioritize(Priority::Low)] {
            let written = serde_json::to_vec(&Written::new(order, &which)).unwrap();
            let read = Written::read(&written).unwrap().meant(1_000).unwrap();
            assert_eq!(read, (order, Selection { owner: Some(1_000), ..which.clone() }));
        }
    }

    #[test]
    fn a_wrong_order_is_refused_with_what_is_wrong() {
        let refused = |text: &str| Written::read(text.as_bytes()).and_then(|order| order.meant(1)).unwrap_err();
        let said = |text: &str| match refused(text) {
            OrderFault::Unreadable { said } => said,
            other => panic!("{other:?}"),
        };
        assert!(said("cancel a.txt").contains("line 1"));
        assert!(said(r#"{"order": "pause"}"#).contains("pause"));
        assert!(said(r#"{"order": "cancel", "files": "a"}"#).contains("files"));
        assert!(said(r#"{"order": "cancel", "file": "a", "state": "gone"}"#).contains("gone"));
        assert!(said(r#"{"order": "prioritize", "file": "a", "priority": "now"}"#).contains("now"));
        assert!(said(r#"{"order": "cancel", "file": "a", "action": "warm"}"#).contains("purge-directory"));
        assert_eq!(refused(r#"{"order": "cancel"}"#), OrderFault::NamesNothing);
        let state = OrderFault::State { order: "cancel".to_owned(), state: "failed".to_owned() };
        assert_eq!(refused(r#"{"order": "cancel", "file": "a", "state": "failed"}"#), state);
        assert!(matches!(refused(r#"{"order": "cancel", "url": "no url"}"#), OrderFault::BadUrl { .. }));
        assert_eq!(refused(&" ".repeat(BYTES_MAX + 1)), OrderFault::TooLong { bytes_max: BYTES_MAX });
    }
}
