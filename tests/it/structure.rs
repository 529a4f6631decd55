//! The structure of the tree: which folder imports which, and that none of it goes round in a circle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sources::Sources;

mod sources;
pub mod tables;
pub mod tokens;
mod width;

type Arrow<'a> = (&'a str, &'a str);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The imports between top-level folders, each with the places where it stands.
fn arrows(sources: &Sources) -> BTreeMap<Arrow<'_>, Vec<&str>> {
    let mut arrows: BTreeMap<Arrow<'_>, Vec<&str>> = BTreeMap::new();
    for named in &sources.named {
        let (Some(from), Some(to)) = (named.by.first(), named.path.first()) else { continue };
        assert!(sources.tops.contains(to), "{}: {to} is no top-level module", named.place);
        if from != to {
            arrows.entry((from, to)).or_default().push(&named.place);
        }
    }
    arrows
}

/// Those arrows by whose end one comes back to their start.
fn in_circles<'a>(arrows: &BTreeSet<Arrow<'a>>) -> BTreeSet<Arrow<'a>> {
    let reaches = |from: &str, to: &str| {
        let mut seen = BTreeSet::from([from]);
        let mut next = vec![from];
        while let Some(at) = next.pop() {
            next.extend(arrows.iter().filter(|(a, b)| *a == at && seen.insert(b)).map(|(_, b)| *b));
        }
        seen.contains(to)
    };
    arrows.iter().filter(|(from, to)| reaches(to, from)).copied().collect()
}

#[test]
fn no_folder_is_part_of_an_import_circle() {
    let sources = Sources::read(root());
    let arrows = arrows(&sources);
    assert!(arrows.len() > 100, "only {} arrows were found", arrows.len());
    let all: BTreeSet<Arrow<'_>> = arrows.keys().copied().collect();
    let circles: Vec<String> = in_circles(&all)
        .iter()
        .map(|arrow| format!("{} -> {}\n    {}", arrow.0, arrow.1, arrows[arrow].join("\n    ")))
        .collect();
    assert!(circles.is_empty(), "these arrows go round in a circle:\n{}", circles.join("\n"));
}

#[test]
fn an_arrow_that_closes_a_circle_is_named_and_others_are_not() {
    let arrows = BTreeSet::from([("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("e", "a")]);
    assert_eq!(in_circles(&arrows), BTreeSet::from([("a", "b"), ("b", "c"), ("c", "a")]));
    assert!(in_circles(&BTreeSet::from([("a", "b"), ("a", "c"), ("b", "c")])).is_empty());
}

#[test]
fn imports_are_found_in_every_form_and_in_code_only() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("src/lib.rs", "mod a; mod b; mod c; mod d; mod e; mod f; #[cfg(test)] mod tests;");
    write("src/a.rs", "mod inner; use super::b::X; use crate::{c::{self, Y}, d};\nfn f() { log!(crate::e::g()) }");
    write(
        "src/a/inner.rs",
        "// crate::f\n/// crate::f\nconst F: &str = \"crate::f\"; use super::super::f::{Z, W};\n
         use super::own; #[cfg(test)] mod tests { use crate::nothing; } #[cfg(test)] use crate::nothing;",
    );
    for name in ["b.rs", "c.rs", "d/mod.rs", "e.rs", "f.rs"] {
        write(&format!("src/{name}"), "");
    }
    let sources = Sources::read(folder.path());
    let arrows = arrows(&sources);
    let seen: Vec<String> = arrows.iter().map(|((from, to), places)| format!("{from} {to} {places:?}")).collect();
    let expected = [
        r#"a b ["src/a.rs:1"]"#,
        r#"a c ["src/a.rs:1", "src/a.rs:1"]"#,
        r#"a d ["src/a.rs:1"]"#,
        r#"a e ["src/a.rs:2"]"#,
        r#"a f ["src/a/inner.rs:3", "src/a/inner.rs:3"]"#,
    ];
    assert_eq!(seen, expected);
    assert_eq!(sources.tops, ["a", "b", "c", "d", "e", "f"]);
}
