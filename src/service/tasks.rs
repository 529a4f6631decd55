//! Tasks as the service lists them. Fields without a value may be left out (VOD-API.md, "Found since", 9).

use serde_json::Value;
use strum::{EnumString, IntoStaticStr};

use super::body::{field, number, rows, text};
use crate::model::Time;

/// The field of an answer that contains the tasks.
const LIST: &str = "Tasks";

/// A page of tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskPage {
    /// Its rows.
    pub rows: Vec<TaskRow>,
    /// How many rows there are in all, by the service's count.
    pub total: u64,
}

/// One task, as the service lists it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskRow {
    /// Its ID; empty if the row has none.
    pub task_id: String,
    /// Its URL.
    pub object_path: String,
    /// When it was made, by the service's clock.
    pub creation_time: Option<Time>,
    /// The service's word; see [`TaskRow::status`].
    pub status: Option<String>,
    /// Its progress as the service writes it: `99.37%` or `10`.
    pub process: Option<String>,
    /// Why it failed.
    pub description: Option<String>,
}

/// The state of a task (VOD-API.md, `DescribeVodRefreshTasks`; SIBLING-APIS.md, C).
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(ascii_case_insensitive)]
pub enum TaskStatus {
    /// Warm.
    Complete,
    /// Being fetched.
    Refreshing,
    /// Not warm, and no longer tried.
    Failed,
    /// Waiting.
    Pending,
    /// Not carried out in time. The sibling products have this state; VOD cannot be asked for tasks in it.
    Timeout,
    /// Cancelled; likewise.
    Canceled,
}

impl TaskStatus {
    /// The service's word.
    pub fn word(self) -> &'static str {
        self.into()
    }
}

impl TaskRow {
    /// Its state; none if the word is unknown.
    pub fn status(&self) -> Option<TaskStatus> {
        self.status.as_deref()?.parse().ok()
    }

    /// Whether the row itself says that it is not finished: `Complete` below 100 % means submitted, not fetched. A row
    /// without a progress is as far as its state says.
    pub fn is_partly(&self) -> bool {
        let process = self.process.as_deref().map(|process| process.trim().trim_end_matches('%').trim());
        process.and_then(|process| process.parse::<f64>().ok()).is_some_and(|percent| percent < 100.0)
    }

    fn read(row: &Value) -> Option<Self> {
        Some(Self {
            task_id: text(row, "TaskId").unwrap_or_default(),
            object_path: text(row, "ObjectPath")?,
            creation_time: text(row, "CreationTime").as_deref().and_then(time),
            status: text(row, "Status"),
            process: text(row, "Process"),
            description: text(row, "Description"),
        })
    }
}

impl TaskPage {
    /// Parses a body; none if it is not a page of tasks. A missing list counts as empty.
    pub(super) fn read(body: &Value) -> Option<Self> {
        let rows: Vec<TaskRow> = rows(body, LIST).filter_map(TaskRow::read).collect();
        let total = number(body, "TotalCount");
        if total.is_none() && field(body, LIST).is_none() {
            return None;
        }
        Some(Self { total: total.unwrap_or(rows.len() as u64), rows })
    }
}

/// Parses a time, with or without seconds.
fn time(text: &str) -> Option<Time> {
    let with_seconds = text.strip_suffix('Z').map(|minute| format!("{minute}:00Z"));
    text.parse().ok().or_else(|| with_seconds?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Option<TaskPage> {
        TaskPage::read(&serde_json::from_str(body).unwrap())
    }

    #[test]
    fn a_page_is_read_however_the_service_spells_it() {
        let plain = r#"{"RequestId":"R","TotalCount":2,"PageNumber":1,"PageSize":50,"Tasks":{"Task":[
            {"TaskId":"71","ObjectPath":"a/1","Status":"Complete","Process":"99.37%",
             "CreationTime":"2026-11-25T06:00:00Z"},
            {"TaskId":"71","ObjectPath":"a/2","Status":"Timeout","Process":"10","CreationTime":"2026-11-25T06:00:00Z",
             "Description":""}]}}"#;
        let other = r#"{"requestId":"R","totalCount":"2","tasks":{"task":[
            {"taskId":71,"objectPath":"a/1","status":"Complete","process":"99.37%","creationTime":"2026-11-25T06:00Z"},
            {"taskId":71,"objectPath":"a/2","status":"Timeout","process":10,"creationTime":"2026-11-25T06:00Z"}]}}"#;
        let page = read(plain).unwrap();
        assert_eq!(page, read(other).unwrap());
        assert_eq!((page.total, page.rows.len()), (2, 2));
        assert!(page.rows.iter().all(TaskRow::is_partly));
        assert_eq!(page.rows[1].status(), Some(TaskStatus::Timeout));
    }

    #[test]
    fn rows_are_read_wherever_a_product_lists_them() {
        for list in [r#"{"CDNTask":[ROW]}"#, r#"{"Task":[ROW]}"#, "[ROW]", r#"{"cdnTask":[ROW]}"#] {
            let list = list.replace("ROW", r#"{"TaskId":"7","ObjectPath":"a/1"}"#);
            let page = read(&format!(r#"{{"RequestId":"R","Tasks":{list}}}"#)).unwrap();
            assert_eq!((page.total, page.rows[0].task_id.as_str()), (1, "7"), "{list}");
        }
    }

    #[test]
    fn what_there_is_none_of_may_be_left_out() {
        let none = TaskPage { rows: Vec::new(), total: 0 };
        for body in [
            r#"{"RequestId":"R","TotalCount":0}"#,
            r#"{"RequestId":"R","Tasks":{}}"#,
            r#"{"RequestId":"R","TotalCount":"0","Tasks":null}"#,
            r#"{"RequestId":"R","Tasks":{"Task":null}}"#,
        ] {
            assert_eq!(read(body), Some(none.clone()), "{body}");
        }
        for body in [r#"{"RequestId":"R"}"#, "[]", "7"] {
            assert_eq!(read(body), None, "{body}");
        }
    }

    #[test]
    fn a_row_that_does_not_say_how_far_it_is_is_as_far_as_its_state() {
        let row = |process: Option<&str>| TaskRow { process: process.map(str::to_owned), ..TaskRow::default() };
        for whole in [None, Some("100%"), Some("100"), Some(" 100.00 % "), Some("done")] {
            assert!(!row(whole).is_partly(), "{whole:?}");
        }
        for part in ["0", "10", "99.37%", "99.99 %"] {
            assert!(row(Some(part)).is_partly(), "{part}");
        }
    }
}
