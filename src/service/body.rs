//! Reads the body of an answer in any of the service's spellings (VOD-API.md, "Found since the first edition", 9): keys
//! in upper or lower case, numbers as text or as numbers, empty values left out, errors in XML.

use serde_json::{Map, Value};

/// A body that is an object.
#[derive(Debug)]
pub(super) struct Body {
    value: Value,
    is_json: bool,
}

impl Body {
    /// Parses a body; none if it is neither a JSON object nor an error in XML.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        match serde_json::from_slice(body) {
            Ok(value @ Value::Object(_)) => Some(Self { value, is_json: true }),
            Ok(_) => None,
            Err(_) => Some(Self { value: error_of_xml(body)?, is_json: false }),
        }
    }

    /// The parsed value.
    pub(super) fn value(&self) -> &Value {
        &self.value
    }

    /// The error's code, if the body is an error. Unlike other values it is never a number; a number comes from
    /// something else than the service.
    pub(super) fn code(&self) -> Option<String> {
        let code = field(&self.value, "Code")?.as_str()?.trim();
        (!code.is_empty()).then(|| code.to_owned())
    }

    /// The request ID, which every answer of the service's operations has.
    pub(super) fn request_id(&self) -> Option<String> {
        text(&self.value, "RequestId")
    }

    /// Whether the service itself gave it, and not a gateway or page on the way: every answer of its operations is JSON
    /// with a `RequestId` (VOD-API.md, "Gateway errors").
    pub(super) fn is_the_services(&self) -> bool {
        self.is_json && self.request_id().is_some()
    }
}

/// A member of an object, by its name in any case.
pub(super) fn field<'v>(object: &'v Value, name: &str) -> Option<&'v Value> {
    object.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// A value that is text or a number; none if it is neither or empty.
pub(super) fn text(object: &Value, name: &str) -> Option<String> {
    let text = match field(object, name)? {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}

/// A value that is a whole number, or text with one.
pub(super) fn number(object: &Value, name: &str) -> Option<u64> {
    text(object, name)?.parse().ok()
}

/// The rows of a list, which is the member itself or the array inside it, as the products differ (SIBLING-APIS.md, C:
/// `Tasks.Task[]`, `Tasks.CDNTask[]`, `Tasks[]`); empty if they are left out.
pub(super) fn rows<'v>(body: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    let list = field(body, name);
    let rows = list.and_then(|list| list.as_array().or_else(|| list.as_object()?.values().find_map(Value::as_array)));
    rows.into_iter().flatten()
}

/// The children of the root of an XML document, as an object; none if the document is not an error, because a gateway's
/// page may be well-formed too. Documents with a DTD are not read.
fn error_of_xml(body: &[u8]) -> Option<Value> {
    let document = roxmltree::Document::parse(std::str::from_utf8(body).ok()?.trim()).ok()?;
    let mut fields = Map::new();
    for element in document.root_element().children().filter(roxmltree::Node::is_element) {
        let value = element.text().unwrap_or_default().trim();
        fields.insert(element.tag_name().name().to_owned(), Value::String(value.to_owned()));
    }
    let value = Value::Object(fields);
    text(&value, "Code").is_some().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Option<(Option<String>, Option<String>, bool)> {
        let body = Body::read(body.as_bytes())?;
        Some((body.code(), body.request_id(), body.is_the_services()))
    }

    #[test]
    fn an_error_is_read_in_any_case_and_in_xml() {
        let (code, id) = (Some("Throttling.User".to_owned()), Some("R".to_owned()));
        for json in [
            r#"{"RequestId":"R","HostId":"h","Code":"Throttling.User","Message":"m"}"#,
            r#"{"requestId":"R","code":"Throttling.User","message":"m"}"#,
            r#"{"requestid":"R","CODE":" Throttling.User "}"#,
        ] {
            assert_eq!(read(json), Some((code.clone(), id.clone(), true)), "{json}");
        }
        for xml in [
            "<?xml version='1.0' encoding='UTF-8'?><Error><RequestId>R</RequestId><Code>Throttling.User</Code></Error>",
            "\n<error>\n <requestId>R</requestId>\n <code>\nThrottling.User</code><message/></error>",
        ] {
            assert_eq!(read(xml), Some((code.clone(), id.clone(), false)), "{xml}");
        }
    }

    #[test]
    fn what_is_no_error_and_no_object_is_not_read() {
        for body in [
            "",
            "7",
            "[]",
            "\"Code\"",
            "<html><head><title>502</title></head><body/></html>",
            "<Error><RequestId>R</RequestId><Code/></Error>",
            "<Error><Code>Throttling</Error>",
            "<!DOCTYPE e [<!ENTITY c 'Throttling'>]><Error><Code>&c;</Code></Error>",
            "<Error><Deep><Code>Throttling</Code></Deep></Error>",
        ] {
            assert_eq!(read(body), None, "{body}");
        }
        assert_eq!(read(r#"{"Code":200,"data":{}}"#), Some((None, None, false)), "a number is nobody's code");
    }
}
