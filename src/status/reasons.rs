//! Stored reasons in both languages.

use serde_json::{Map, Value};

use crate::model::Reason;
use crate::words::{self, Words};

/// A reason that stands in both languages; the Chinese one is missing from rows of an earlier version.
pub(super) fn both(en: Option<String>, zh: Option<String>) -> Option<Words> {
    en.map(|en| Words { zh: zh.unwrap_or_else(|| en.clone()).into(), en: en.into() })
}

/// A row with `reason`, `reason_code` and `reason_with`: the parameters give way to `reason_zh`, the Chinese text.
pub(super) fn with_chinese(mut row: Map<String, Value>) -> Map<String, Value> {
    let with = row.remove("reason_with");
    let text = |name: &str| row.get(name).and_then(Value::as_str);
    let chinese = text("reason").map(|english| {
        let reason = Reason::of_stored(text("reason_code"), with.as_ref().and_then(Value::as_str), english);
        words::reason(&reason).zh.into_owned()
    });
    row.insert("reason_zh".to_owned(), chinese.into());
    row
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_stored_reason_is_told_in_chinese_by_its_code_and_one_without_a_code_as_it_is() {
        let chinese = |row: Value| with_chinese(row.as_object().unwrap().clone());
        let row = chinese(json!({ "reason": "x", "reason_code": "throttled", "reason_with": "{\"said\":\"T.User\"}" }));
        assert_eq!(row["reason_zh"], "服务端对此账号限流（T.User）");
        assert!(!row.contains_key("reason_with"));
        assert_eq!(chinese(json!({ "reason": "as it was", "reason_code": "text" }))["reason_zh"], "as it was");
        assert_eq!(chinese(json!({ "reason": null }))["reason_zh"], Value::Null);
    }
}
