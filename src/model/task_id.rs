//! The API's ID of a task.

use std::fmt;

/// An ID that the API gave for a part of a batch; always text, whatever it looks like.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(String);

impl TaskId {
    /// The ID as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Parses `PreloadTaskId`, which holds one or more comma-separated IDs (VOD-API.md, `PreloadVodObjectCaches`). Trims
/// blanks, drops empty parts, and takes repeated IDs once.
pub fn parse_task_ids(text: &str) -> Vec<TaskId> {
    let mut ids: Vec<TaskId> = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        if !ids.iter().any(|id| id.as_str() == part) {
            ids.push(TaskId(part.to_owned()));
        }
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_ids_are_comma_separated_and_repeats_count_once() {
        let ids: Vec<String> = parse_task_ids(" 9524,9525 ,,9524").iter().map(ToString::to_string).collect();
        assert_eq!(ids, ["9524", "9525"]);
        assert!(parse_task_ids(" , ").is_empty());
    }
}
