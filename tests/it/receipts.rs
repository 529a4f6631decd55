//! Receipts: what they say while their file moves, that one which was removed stays removed, and their schema.

use std::fs;

use serde_json::Value;

use crate::support::{World, urls};

const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schemas/receipt.schema.json");

/// What of a value does not fit its schema: of the keywords that the schema of receipts uses.
fn misfits(value: &Value, schema: &Value, whole: &Value, at: &str) -> Vec<String> {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
        return misfits(value, &whole["$defs"][name], whole, at);
    }
    let mut wrong = Vec::new();
    let is_a = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        _ => kind == "null" && value.is_null(),
    };
    let kinds = schema["type"].as_array().cloned().unwrap_or_else(|| vec![schema["type"].clone()]);
    let kinds: Vec<&str> = kinds.iter().filter_map(Value::as_str).collect();
    if !kinds.is_empty() && !kinds.iter().any(|kind| is_a(kind)) {
        wrong.push(format!("{at} is none of {kinds:?}: {value}"));
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(name).is_none() {
            wrong.push(format!("{at} lacks {name}"));
        }
    }
    for (name, inner) in value.as_object().into_iter().flatten() {
        let at = format!("{at}.{name}");
        match (schema["properties"].get(name), &schema["additionalProperties"]) {
            (Some(schema), _) | (None, schema @ Value::Object(_)) => wrong.extend(misfits(inner, schema, whole, &at)),
            _ => wrong.push(format!("{at} is not in the schema")),
        }
    }
    for item in value.as_array().into_iter().flatten() {
        wrong.extend(misfits(item, &schema["items"], whole, &format!("{at}[]")));
    }
    wrong
}

/// A receipt, which fits the schema.
fn receipt(world: &World, folder: &str, name: &str) -> Value {
    let text = fs::read_to_string(world.spool(folder).join(format!("{name}.receipt.json"))).unwrap();
    let receipt: Value = serde_json::from_str(&text).unwrap();
    let schema: Value = serde_json::from_str(&fs::read_to_string(SCHEMA).unwrap()).unwrap();
    assert_eq!(misfits(&receipt, &schema, &schema, "receipt"), Vec::<String>::new(), "{text}");
    receipt
}

#[test]
fn a_receipt_is_written_again_while_its_file_moves_and_never_once_it_was_removed() {
    let world = World::new(
        "[tasks]\ntakes = \"15s\"\n[quota]\nper_day = 5000",
        "[track]\nfirst_after = \"1s\"\ncalls_per_second = 100\n",
    );
    let _daemon = world.ready_daemon();
    world.drop_file("film.txt", format!("no url here\n{}", urls("a", 3)));
    world.drop_file("removed.txt", urls("b", 2));
    world.drop_file("broken.txt", "this is prose\n");
    let path = world.spool("done/removed.txt.receipt.json");
    world.wait("the receipt", || path.exists() && world.spool("done/removed.txt").exists());
    fs::remove_file(&path).unwrap();
    world.wait("the receipts", || world.spool("done/film.txt").exists() && world.spool("rejected/broken.txt").exists());
    let says = || receipt(&world, "done", "film.txt")["says"].clone();
    let report = "; 1 line was refused: film.txt.refused.tsv says which and why";
    world.wait("the receipt to move", || {
        says()["en"] == format!("film.txt: none of its 3 URLs is warm yet: 3 submitted{report}")
    });
    world.wait_for("select complete from v_status", 5);
    let all = format!("film.txt: all 3 URLs are warm{report}");
    world.wait("the last receipt", || says()["en"] == all);
    assert_eq!(says()["zh"], "film.txt：全部 3 个 URL 已预热；1 行无效：见 film.txt.refused.tsv");
    world.wait_for("select count(*) from files where receipt_final = 1", 2);
    assert!(!path.exists(), "a receipt that was removed came back");
    let broken = receipt(&world, "rejected", "broken.txt");
    let says = broken["says"]["en"].as_str().unwrap();
    assert!(says.starts_with("broken.txt: nothing of it was taken: its one line is no URL"), "{says}");
}

#[test]
fn what_does_not_fit_a_schema_is_found() {
    let schema: Value = serde_json::from_str(&fs::read_to_string(SCHEMA).unwrap()).unwrap();
    let value = serde_json::json!({ "outcome": 7, "lines": "3", "odd": 1, "urls": { "failed": "x" } });
    let wrong = misfits(&value, &schema, &schema, "r").join("\n");
    for part in ["r.outcome is none", "r.lines is none of", "r.odd is not in", "r.urls.failed is none", "lacks says"] {
        assert!(wrong.contains(part), "{part} is not in {wrong}");
    }
}
