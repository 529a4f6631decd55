//! Which URLs an operator means: by URL, file, label, domain and state. All the given conditions must hold.

use std::fmt;

use strum::VariantArray as _;

use crate::model::{Lane, ObjectUrl, UrlId, UrlState};
use crate::store::{Conn, Result, query_scalar};

/// All rows of a URL, by its keys: one in each lane.
const SAME_URL: &str = "u.url_id in (
    with recursive same (url_id) as (
        select url_id from url_keys where url_key in (select cast(value as bigint) from json_each(:key))
        union all
        select o.older_id from same join urls as o on o.url_id = same.url_id where o.older_id is not null)
    select url_id from same) and u.url = :url";

/// A choice of URLs. A condition that is not given restricts nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// This URL, however often it was queued.
    pub url: Option<ObjectUrl>,
    /// Of files of this name.
    pub file: Option<String>,
    /// With this label, their own or their file's.
    pub label: Option<String>,
    /// Of this domain.
    pub host: Option<String>,
    /// In this state.
    pub state: Option<UrlState>,
    /// Of files that this user dropped, by uid: who may change only those.
    pub owner: Option<u32>,
    /// Of this lane.
    pub lane: Option<Lane>,
}

impl Selection {
    /// Whether it names something besides whose files are meant.
    pub fn is_anything(&self) -> bool {
        Self { owner: None, ..self.clone() } != Self::default()
    }

    /// The chosen URLs in one of these states, in order of arrival. Read without a lock: whoever changes them checks
    /// their state again.
    pub async fn ids(&self, conn: &mut Conn, states: &[UrlState]) -> Result<Vec<UrlId>> {
        let mut ids = Vec::new();
        for state in states.iter().filter(|state| self.state.is_none_or(|wanted| wanted == **state)) {
            for (statement, values) in self.statements(*state) {
                let mut query = query_scalar::<i64>(statement);
                for value in values {
                    query = query.bind(value);
                }
                ids.extend(query.fetch_all(&mut *conn).await?.into_iter().map(UrlId));
            }
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    /// The statements that find the chosen URLs in one state, each with its parameters: a walk over candidate rows, and
    /// the conditions on them. Every walk uses an index or is by state.
    pub(super) fn statements(&self, state: UrlState) -> Vec<(String, Vec<String>)> {
        let of_file =
            "files as f join urls as u on u.file_id = f.file_id and u.url_id >= f.url_from and u.url_id <= f.url_to";
        let with_file = "urls as u join files as f on f.file_id = u.file_id";
        let plain = if self.owner.is_some() { with_file } else { "urls as u" };
        let walks: &[(&str, &str)] = match (&self.url, &self.file, &self.label) {
            (Some(_), None, None) => &[(plain, SAME_URL)],
            (Some(_), ..) => &[(with_file, SAME_URL)],
            (None, Some(_), _) => &[(of_file, "true")],
            (None, None, Some(_)) => {
                &[(of_file, "f.label = :label and u.label is null"), (with_file, "u.label = :label")]
            }
            (None, None, None) => &[(plain, "true")],
        };
        let ways = conditions(state).iter();
        let rows = ways.flat_map(|is| walks.iter().map(|(from, of)| self.statement(from, of, is, "u.label")));
        rows.chain(self.statements_of_wishes(state)).collect()
    }

    /// The statements that find URLs into which a line of the chosen file, or one with the label, was merged, by what
    /// became of that line's wish.
    fn statements_of_wishes(&self, state: UrlState) -> Vec<(String, Vec<String>)> {
        let of_file = "files as f join wishes as w on w.file_id = f.file_id join urls as u on u.url_id = w.url_id";
        let of_wish = "wishes as w join files as f on f.file_id = w.file_id join urls as u on u.url_id = w.url_id";
        let of_url = "urls as u join wishes as w on w.url_id = u.url_id join files as f on f.file_id = w.file_id";
        let walks: &[(&str, &str)] = match (&self.url, &self.file, &self.label) {
            (Some(_), None, None) if self.owner.is_some() => &[(of_url, SAME_URL)],
            (None, None, None) if self.owner.is_some() => &[(of_url, "true")],
            (_, None, None) => &[],
            (Some(_), ..) => &[(of_url, SAME_URL)],
            (None, Some(_), _) => &[(of_file, "true")],
            (None, None, Some(_)) => {
                &[(of_file, "f.label = :label and w.label is null"), (of_wish, "w.label = :label")]
            }
        };
        let alive = conditions(state).iter().map(|is| format!("w.kind < 2 and w.state = 0 and {is}"));
        let ended = match state {
            UrlState::Expired => Some("w.state = 4".to_owned()),
            UrlState::Cancelled => Some("w.state = 5".to_owned()),
            _ => None,
        };
        let ways = alive.chain(ended);
        ways.flat_map(|is| walks.iter().map(move |(from, of)| self.statement(from, of, &is, "w.label"))).collect()
    }

    fn statement(&self, from: &str, of: &str, is: &str, label: &str) -> (String, Vec<String>) {
        let mut text = format!("select u.url_id from {from} where {is} and {of}");
        if self.file.is_some() {
            text.push_str(" and f.name = :file");
        }
        if self.owner.is_some() {
            text.push_str(" and f.owner_uid = cast(:owner as bigint)");
        }
        if self.label.is_some() {
            text.push_str(&format!(" and coalesce({label}, f.label) = :label"));
        }
        if self.host.is_some() {
            text.push_str(" and u.host_id = (select host_id from hosts where host = :host)");
        }
        if let Some(lane) = self.lane {
            text.push_str(&format!(" and u.lane = {}", lane.number()));
        }
        let keys = |url: &ObjectUrl| Lane::VARIANTS.iter().map(|lane| url.key(*lane)).collect::<Vec<i64>>();
        let key = self.url.as_ref().map(|url| serde_json::json!(keys(url)).to_string());
        let url = self.url.as_ref().map(ToString::to_string);
        let owner = self.owner.map(|uid| uid.to_string());
        let mut values = Vec::new();
        let parameters = [
            (":key", &key),
            (":url", &url),
            (":file", &self.file),
            (":label", &self.label),
            (":host", &self.host),
            (":owner", &owner),
        ];
        for (name, value) in parameters {
            if let Some(value) = value.as_ref().filter(|_| text.contains(name)) {
                values.push(value.clone());
                text = text.replace(name, &format!("?{}", values.len()));
            }
        }
        (text, values)
    }
}

/// The conditions for a row in this state; one of them must hold.
fn conditions(state: UrlState) -> &'static [&'static str] {
    match state {
        UrlState::Pending => &["u.state = 0 and u.suspect <> 2"],
        UrlState::Leased => {
            &["u.state = 1 and u.submission_id in (select submission_id from submissions where state = 0)"]
        }
        UrlState::Submitted => &[
            "u.state = 1 and u.submission_id in (select submission_id from submissions where state = 1 and ended_at is \
            null)",
        ],
        UrlState::Complete => &[
            "u.state = 1 and u.submission_id in (select submission_id from submissions where state = 1 and ended_at is \
            not null)",
            "u.state = 2",
        ],
        UrlState::Failed => &["u.state = 3"],
        UrlState::Expired => &["u.state = 4"],
        UrlState::Cancelled => &["u.state = 5"],
        UrlState::Unconfirmed => &["u.state = 7"],
        // Held by the operator, or as a suspect until the next day.
        UrlState::Held => &["u.state = 6", "u.state = 0 and u.suspect > 0 and u.suspect = 2"],
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url.as_ref().map(ToString::to_string);
        let state = self.state.map(|state| state.to_string());
        let action = self.lane.map(|lane| lane.word().to_owned());
        let parts = [
            ("url", &url),
            ("file", &self.file),
            ("label", &self.label),
            ("host", &self.host),
            ("state", &state),
            ("action", &action),
        ];
        let parts: Vec<String> =
            parts.iter().filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?))).collect();
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::UrlRules;
    use crate::store::Store;

    #[tokio::test]
    async fn every_choice_fits_the_schema_and_what_names_something_walks_its_index() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("a.db")).await.unwrap();
        let mut conn = store.read().acquire().await.unwrap();
        let rules = UrlRules { url_bytes_max: 1024, domains: vec![] };
        let text = |given: bool| given.then(|| "x".to_owned());
        for which in 0..32_u8 {
            let bit = |n: u8| which & (1 << n) != 0;
            let selection = Selection {
                url: bit(0).then(|| ObjectUrl::parse("vod.example.com/a", &rules).unwrap()),
                file: text(bit(1)),
                label: text(bit(2)),
                host: text(bit(3)),
                state: None,
                owner: bit(4).then_some(1_000),
                lane: bit(0).then_some(Lane::Purge),
            };
            assert_eq!(selection.ids(&mut conn, &UrlState::ALL).await.unwrap(), []);
            for (statement, values) in UrlState::ALL.into_iter().flat_map(|state| selection.statements(state)) {
                let mut query = crate::store::query(format!("explain query plan {statement}"));
                for value in &values {
                    query = query.bind(value);
                }
                let plan = query.fetch_all(&mut conn).await.unwrap();
                let plan: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
                let by_name = bit(0) || bit(1) || bit(2);
                assert!(!by_name || !plan.iter().any(|step| step == "SCAN u"), "{statement}\n{plan:?}");
            }
        }
    }
}
