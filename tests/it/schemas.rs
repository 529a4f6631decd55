//! The JSON Schemas in docs are those that the program generates. `tests/integrate/run` checks real answers against
//! them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::support::{World, said};

fn schemas(dir: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    let file = |entry: fs::DirEntry| (entry.file_name().to_string_lossy().into_owned(), entry.path());
    entries.map(|entry| file(entry.unwrap())).map(|(name, path)| (name, fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn the_schemas_in_docs_are_those_of_this_program_and_are_named_in_the_page_for_integrators() {
    let world = World::new("", "");
    let dir = world.path("generated");
    let output = world.run(&["generate", &dir.display().to_string()]);
    assert!(output.status.success(), "{}", said(&output));
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let (made, kept) = (schemas(&dir.join("schemas")), schemas(&docs.join("schemas")));
    let page = fs::read_to_string(docs.join("integrate.md")).unwrap();
    for (name, schema) in &made {
        let remedy = "prefetchd generate target/generated && cp target/generated/schemas/* docs/schemas/";
        assert!(kept.get(name) == Some(schema), "docs/schemas/{name} is not that of this program: {remedy}");
        assert!(page.contains(&format!("(schemas/{name})")), "docs/integrate.md does not name {name}");
    }
    assert_eq!(made.len(), kept.len());
}
