//! Stored reasons in both languages.

use serde_json::{Map, Value};

use super::lists::Rows;
use crate::model::Reason;
use crate::store::{Conn, Result, Sql, query_scalar};
use crate::words::{self, Words};

/// A reason that stands in both languages; the Chinese one is missing from rows of an earlier version.
pub(super) fn both(en: Option<String>, zh: Option<String>) -> Option<Words> {
    en.map(|en| Words { zh: zh.unwrap_or_else(|| en.clone()).into(), en: en.into() })
}

/// A row with `reason`, `reason_code` and `reason_with`: the parameters give way to `reason_zh`, the Chinese text.
pub(super) fn with_chinese(mut row: Map<String, Value>) -> Map<String, Value> {
    let with = row.remove("reason_with");
    let text = |name: &str| row.get(name).and_then(Value::as_str);
    let with = with.as_ref().and_then(Value::as_str);
    let chinese = text("reason").map(|english| of_parts(text("reason_code"), with, english).zh.into_owned());
    row.insert("reason_zh".to_owned(), chinese.into());
    row
}

/// A reason of which the text, the code and the parameters are known. A view may show the reason of the domain instead
/// of the URL's: then the parameters are not its own, and the text does not fit them.
pub(super) fn of_parts(code: Option<&str>, with: Option<&str>, english: &str) -> Words {
    let reason = Reason::of_stored(code, with, english);
    let words = words::reason(&reason);
    if words.en == english {
        return words;
    }
    let Words { zh, .. } = words::reason_kind(reason.kind);
    let said = english.rsplit_once(" (").and_then(|(_, said)| said.strip_suffix(')'));
    let zh = said.map_or_else(|| zh.clone(), |said| format!("{zh}（{said}）").into());
    Words { en: english.to_owned().into(), zh }
}

/// The parameters of the reason of a URL.
pub(super) const WITH: Sql = Sql::both("select reason_with from urls where url_id = ?1");

/// Rows of a list of URLs or domains with their reasons in Chinese.
pub async fn tell_in_chinese(conn: &mut Conn, rows: &mut Rows) -> Result<()> {
    for row in rows {
        for (column, code) in [("reason", "reason_code"), ("why", "why_code")] {
            let Some(english) = row.get(column).and_then(Value::as_str).map(str::to_owned) else { continue };
            let with: Option<String> = match row.get("url_id").and_then(Value::as_i64) {
                Some(id) => query_scalar(WITH).bind(id).fetch_optional(&mut *conn).await?.flatten(),
                None => None,
            };
            let words = of_parts(row.get(code).and_then(Value::as_str), with.as_deref(), &english);
            row.insert(column.to_owned(), words.zh.into_owned().into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_stored_reason_is_told_in_chinese_by_its_code_and_one_without_a_code_as_it_is() {
        let chinese = |row: Value| with_chinese(row.as_object().unwrap().clone());
        let text = "the service throttles this account (T.User)";
        let row =
            chinese(json!({ "reason": text, "reason_code": "throttled", "reason_with": "{\"said\":\"T.User\"}" }));
        assert_eq!(row["reason_zh"], "服务端对此账号限流（T.User）");
        assert!(!row.contains_key("reason_with"));
        // The parameters of another reason.
        let row = chinese(json!({ "reason": text, "reason_code": "throttled", "reason_with": "{\"said\":\"x\"}" }));
        assert_eq!(row["reason_zh"], "服务端对此账号限流（T.User）");
        assert_eq!(chinese(json!({ "reason": "as it was", "reason_code": "text" }))["reason_zh"], "as it was");
        assert_eq!(chinese(json!({ "reason": null }))["reason_zh"], Value::Null);
    }
}
