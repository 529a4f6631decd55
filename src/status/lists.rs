//! Lists: rows of a public view, filtered. A filter is a condition with one value.

use serde_json::{Map, Value};

use crate::model::{Action, Lane, Time, UrlState};
use crate::store::{self, Conn, Result, Row, Sql, query, query_scalar};

const COLUMNS: Sql = Sql::two(
    "select name from pragma_table_info(?1)",
    "select cast(column_name as text) from information_schema.columns
     where table_schema = current_schema() and table_name = ?1 order by ordinal_position",
);

/// URLs that lines with this label want, their own label or their file's.
const WISHED_WITH_LABEL: &str = "url_id in (select url_id from wishes where label = ?
                 union select w.url_id from files as f join wishes as w using (file_id)
                 where f.label = ? and w.label is null)";

/// Rows as they are printed, with the names of their columns.
pub type Rows = Vec<Map<String, Value>>;

/// A list to be read.
#[derive(Debug, Clone)]
pub struct List {
    /// The public view.
    pub view: &'static str,
    /// Columns that fit on a terminal, in their order; programs get all columns.
    pub shown: &'static [&'static str],
    /// The order of the rows, as SQL; none for the order of the view.
    pub order: Option<&'static str>,
    /// Conditions such as `host = ?`, each with the value for its question mark.
    pub filters: Vec<(&'static str, String)>,
    /// Most rows.
    pub limit: u32,
    /// Another list that fills the remaining room.
    pub then: Option<Box<List>>,
}

/// Which URLs are listed.
#[derive(Debug, Clone, Default)]
pub struct UrlFilter {
    /// In this state.
    pub state: Option<UrlState>,
    /// Of files of this name.
    pub file: Option<String>,
    /// With this label, their own or their file's.
    pub label: Option<String>,
    /// Of this domain.
    pub host: Option<String>,
    /// Of files dropped since.
    pub since: Option<Time>,
    /// Of this action.
    pub action: Option<Lane>,
}

/// Which files are listed.
#[derive(Debug, Clone, Default)]
pub struct FileFilter {
    /// With URLs in this state.
    pub state: Option<UrlState>,
    /// Of this name.
    pub file: Option<String>,
    /// With this label.
    pub label: Option<String>,
    /// Dropped since.
    pub since: Option<Time>,
    /// That ask for this.
    pub action: Option<Action>,
}

/// Which submissions are listed.
#[derive(Debug, Clone, Default)]
pub struct SubmissionFilter {
    /// With this outcome.
    pub outcome: Option<String>,
    /// Charged to this budget day.
    pub day: Option<String>,
    /// That carried URLs of files of this name, or that lines of them were merged into.
    pub file: Option<String>,
    /// That carried URLs of files with this label.
    pub label: Option<String>,
    /// That carried URLs of this domain.
    pub host: Option<String>,
    /// Sent since.
    pub since: Option<Time>,
    /// Of this action.
    pub action: Option<Lane>,
}

/// The columns of a view, in order.
///
/// # Errors
///
/// The database failed.
pub async fn view_columns(conn: &mut Conn, view: &str) -> Result<Vec<String>> {
    query_scalar(COLUMNS).bind(view).fetch_all(conn).await
}

impl List {
    /// URLs. Those of one state in the order of its index: pending ones in the order in which they are sent, others in
    /// order of arrival. Without a filter, the latest first.
    pub fn urls(filter: UrlFilter, limit: u32) -> Self {
        let UrlFilter { state, file, label, host, since, action } = filter;
        let by_state_alone = state.is_some() && file.is_none() && since.is_none();
        let mut filters = Vec::new();
        filters.extend(state.map(|state| ("state = ?", state.to_string())));
        filters.extend(file.map(|file| ("file = ?", file)));
        filters.extend(host.map(|host| ("host = ?", host)));
        filters.extend(
            since.map(|since| ("file_id in (select file_id from v_files where dropped_at >= ?)", view_time(since))),
        );
        filters.extend(action.map(|action| ("action = ?", action.word().to_owned())));
        let by_host_alone = filters.len() == 1 && filters[0].0.starts_with("host");
        let order = if filters.is_empty() && label.is_none() {
            filters.push((
                "url_id in (select url_id from urls order by url_id desc limit cast(? as integer))",
                limit.to_string(),
            ));
            Some("url_id desc")
        } else {
            (!by_state_alone && !by_host_alone).then_some("url_id")
        };
        let mut list = Self {
            view: "v_urls",
            shown: &["state", "url", "file", "line", "reason"],
            order,
            filters,
            limit,
            then: None,
        };
        // Then URLs of other files that lines of this file, or lines with this label, also want.
        let mut merged = Self { order: Some("url_id"), ..list.clone() };
        let of_file = list.filters.iter().position(|(condition, _)| *condition == "file = ?");
        if let Some(at) = of_file {
            merged.filters[at].0 = "url_id in (select url_id from v_wishes where file = ?) and file <> ?";
        }
        if let Some(label) = &label {
            merged.filters.push((WISHED_WITH_LABEL, label.clone()));
        }
        if let (Some(label), None) = (&label, of_file) {
            merged.filters.push(("coalesce(label, '') <> ?", label.clone()));
        }
        let merged = (label.is_some() || of_file.is_some()).then(|| Box::new(merged));
        let Some(label) = label else {
            list.then = merged;
            return list;
        };
        // First URLs of files with that label, then lines with a label of their own: each query has its index.
        let with = |condition| {
            let mut list = list.clone();
            list.filters.push((condition, label.clone()));
            list.order = Some("url_id");
            list
        };
        let mut own = with(
            "url_id in (select url_id from urls where label = ?)
             and file_id not in (select file_id from v_files where label = ?)",
        );
        own.then = merged;
        let files = with("label = ? and file_id in (select file_id from v_files where label = ?)");
        Self { then: Some(Box::new(own)), ..files }
    }

    /// Files, latest first.
    pub fn files(filter: FileFilter, limit: u32) -> Self {
        let FileFilter { state, file, label, since, action } = filter;
        let mut filters = Vec::new();
        filters.extend(state.map(|state| (has_urls(state), "0".to_owned())));
        filters.extend(file.map(|file| ("name = ?", file)));
        filters.extend(label.map(|label| ("label = ?", label)));
        filters.extend(since.map(|since| ("dropped_at >= ?", view_time(since))));
        filters.extend(action.map(|action| ("action = ?", action.word().to_owned())));
        let shown = &["name", "label", "lines", "pending", "submitted", "complete", "failed", "unconfirmed", "held"];
        Self { view: "v_files", shown, order: Some("file_id desc"), filters, limit, then: None }
    }

    /// Submissions, latest first.
    pub fn submissions(filter: SubmissionFilter, limit: u32) -> Self {
        let SubmissionFilter { outcome, day, file, label, host, since, action } = filter;
        let mut filters = Vec::new();
        filters.extend(outcome.map(|outcome| ("outcome = ?", outcome)));
        filters.extend(day.map(|day| ("day = ?", day)));
        filters.extend(file.map(|file| {
            (
                "submission_id in (select submission_id from v_urls where file = ?
                                   union select submission_id from v_wishes where file = ? and came = 'merged')",
                file,
            )
        }));
        filters.extend(label.map(|label| {
            (
                "submission_id in (select submission_id from v_urls
                                   where file_id in (select file_id from v_files where label = ?) and label = ?
                                   union select submission_id from v_wishes
                                   where file_id in (select file_id from v_files where label = ?) and label = ?
                                     and came = 'merged')",
                label,
            )
        }));
        filters.extend(host.map(|host| ("submission_id in (select submission_id from v_urls where host = ?)", host)));
        filters.extend(since.map(|since| ("opened_at >= ?", view_time(since))));
        filters.extend(action.map(|action| ("action = ?", action.word().to_owned())));
        let shown = &["submission_id", "opened_at", "urls", "cost", "outcome", "code", "request_id", "task_ids"];
        Self { view: "v_submissions", shown, order: Some("submission_id desc"), filters, limit, then: None }
    }

    /// Domains; first those that wait for the operator.
    pub fn hosts(standing: Option<String>, host: Option<String>, limit: u32) -> Self {
        let mut filters = Vec::new();
        filters.extend(standing.map(|standing| ("standing = ?", standing)));
        filters.extend(host.map(|host| ("host = ?", host)));
        let order = Some("standing in ('refused', 'offline') desc, pending desc, host");
        Self {
            view: "v_hosts",
            shown: &["host", "standing", "since", "pending", "why"],
            order,
            filters,
            limit,
            then: None,
        }
    }

    /// The query, for [`List::read`] and for the test of its plan.
    pub fn statement(&self) -> String {
        let mut sql = format!("select * from {}", self.view);
        for (at, (condition, _)) in self.filters.iter().enumerate() {
            let word = if at == 0 { "where" } else { "and" };
            sql.push_str(&format!(" {word} {}", condition.replace('?', &format!("?{}", at + 1))));
        }
        if let Some(order) = self.order {
            sql.push_str(&format!(" order by {order}"));
        }
        sql.push_str(&format!(" limit {}", self.limit));
        sql
    }

    /// Reads the rows, and the names of all columns.
    pub async fn read(&self, conn: &mut Conn) -> Result<(Vec<String>, Rows)> {
        let columns = query_scalar(COLUMNS).bind(self.view).fetch_all(&mut *conn).await?;
        let (mut rows, mut next) = (Rows::new(), Some(self));
        while let Some(list) = next.filter(|list| u32::try_from(rows.len()).is_ok_and(|rows| rows < list.limit)) {
            let mut query = query(list.statement());
            for (_, value) in &list.filters {
                query = query.bind(value);
            }
            rows.extend(query.fetch_all(&mut *conn).await?.iter().map(object));
            next = list.then.as_deref();
        }
        rows.truncate(usize::try_from(self.limit).unwrap_or(usize::MAX));
        Ok((columns, rows))
    }
}

/// The condition that a file has lines whose URLs are in this state.
fn has_urls(state: UrlState) -> &'static str {
    match state {
        UrlState::Pending => "pending + merged_pending > cast(? as integer)",
        UrlState::Leased => "leased + merged_leased > cast(? as integer)",
        UrlState::Submitted => "submitted + merged_submitted > cast(? as integer)",
        UrlState::Complete => "complete + merged_complete > cast(? as integer)",
        UrlState::Failed => "failed + merged_failed > cast(? as integer)",
        UrlState::Expired => "expired + merged_expired > cast(? as integer)",
        UrlState::Cancelled => "cancelled + merged_cancelled > cast(? as integer)",
        UrlState::Held => "held + merged_held > cast(? as integer)",
        UrlState::Unconfirmed => "unconfirmed + merged_unconfirmed > cast(? as integer)",
    }
}

/// A moment in the spelling of the views, so that comparing the text compares the time.
fn view_time(time: Time) -> String {
    time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// A row of what belongs to a host; where the database is a file, none is named.
pub(super) fn of_host(row: &Row) -> Map<String, Value> {
    let mut row = object(row);
    if row.get("host").is_some_and(|host| host == "") {
        row.remove("host");
    }
    row
}

/// A row with its values.
pub(super) fn object(row: &Row) -> Map<String, Value> {
    let json = |value| match value {
        store::Value::Int(value) => value.into(),
        store::Value::Real(value) => value.into(),
        store::Value::Text(value) => value.into(),
    };
    row.values().into_iter().map(|(name, value)| (name.to_owned(), json(value))).collect()
}
