//! Reads the sources as Rust does: from `lib.rs` along the `mod` declarations, without what is built for tests only.
//! Works on tokens, so that paths inside macros count too and those in comments and strings do not.

use std::fs;
use std::path::Path;

use super::tokens::{Token, tokens};

/// A path that one module names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The module that names it, from the root.
    pub by: Vec<String>,
    /// What it names, from the root: modules, and perhaps an item.
    pub path: Vec<String>,
    /// Where that stands.
    pub place: String,
}

/// All modules of the crate.
#[derive(Debug, Default)]
pub struct Sources {
    /// The top-level ones: folders, or files.
    pub tops: Vec<String>,
    /// The paths into the crate that they name.
    pub named: Vec<Named>,
}

/// Where modules lie that are declared.
#[derive(Clone, Copy)]
struct Place<'a> {
    root: &'a Path,
    folder: &'a Path,
    /// The file that declares them, as it is shown.
    file: &'a str,
}

impl Sources {
    /// Reads the crate that lies in `root`.
    pub fn read(root: &Path) -> Self {
        let mut sources = Self::default();
        sources.file(root, &root.join("src/lib.rs"), &root.join("src"), &[]);
        sources
    }

    /// Reads one file, whose modules lie in `folder`.
    fn file(&mut self, root: &Path, file: &Path, folder: &Path, module: &[String]) {
        let shown = file.strip_prefix(root).unwrap().display().to_string();
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{shown}: {error}"));
        self.code(&tokens(&text), module, Place { root, folder, file: &shown });
    }

    fn code(&mut self, tokens: &[Token], module: &[String], place: Place<'_>) {
        let mut at = 0;
        while at < tokens.len() {
            if is_for_tests(&tokens[at..]) {
                at += item_length(&tokens[at..]);
            } else if let Some(name) = declared(&tokens[at..]) {
                at += self.module(name, &tokens[at..], module, place);
            } else if let Some((base, length)) = base(&tokens[at..], module) {
                let shown = format!("{}:{}", place.file, tokens[at].line);
                at += length;
                at += self.paths(&tokens[at..], module, base, &shown);
            } else {
                at += 1;
            }
        }
    }

    /// `mod name;` or `mod name { … }`. Gives how many tokens that takes.
    fn module(&mut self, name: &str, tokens: &[Token], module: &[String], place: Place<'_>) -> usize {
        if module.is_empty() {
            self.tops.push(name.to_owned());
        }
        let inner: Vec<String> = module.iter().cloned().chain([name.to_owned()]).collect();
        let folder = place.folder.join(name);
        if tokens[2].is('{') {
            let length = item_length(tokens);
            self.code(&tokens[3..length - 1], &inner, Place { folder: &folder, ..place });
            return length;
        }
        let beside = place.folder.join(format!("{name}.rs"));
        let file = if beside.exists() { beside } else { folder.join("mod.rs") };
        self.file(place.root, &file, &folder, &inner);
        3
    }

    /// What stands behind `crate::` or `super::`: a path, or a tree of them. Gives how many tokens that takes.
    fn paths(&mut self, tokens: &[Token], by: &[String], mut path: Vec<String>, place: &str) -> usize {
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            if token.is('{') {
                let mut inner = at + 1;
                while !tokens[inner].is('}') {
                    inner += self.paths(&tokens[inner..], by, path.clone(), place);
                    // `as name`, and the comma.
                    let end = tokens[inner..].iter().position(|token| token.is(',') || token.is('}'));
                    inner += end.expect("the braces are closed");
                    inner += usize::from(tokens[inner].is(','));
                }
                return inner + 1;
            }
            let Some(word) = token.word() else { break };
            path.push(word.to_owned());
            at += 1;
            if !are_colons(&tokens[at..]) {
                break;
            }
            at += 2;
        }
        self.named.push(Named { by: by.to_vec(), path, place: place.to_owned() });
        at
    }
}

fn are_colons(tokens: &[Token]) -> bool {
    matches!(tokens, [first, second, ..] if first.is(':') && second.is(':'))
}

/// `crate::`, or as many `super::` as there are: the modules from the root, and how many tokens it takes.
fn base(tokens: &[Token], module: &[String]) -> Option<(Vec<String>, usize)> {
    let stands = |at: usize, word: &str| {
        tokens.get(at).is_some_and(|token| token.word() == Some(word)) && are_colons(&tokens[at + 1..])
    };
    if stands(0, "crate") {
        return Some((Vec::new(), 3));
    }
    let mut path = module.to_vec();
    let mut at = 0;
    while stands(at, "super") {
        path.pop().expect("no module stands above the root");
        at += 3;
    }
    (at > 0).then_some((path, at))
}

/// The name in `mod name;` or `mod name {`.
fn declared(tokens: &[Token]) -> Option<&str> {
    match tokens {
        [word, name, end, ..] if word.word() == Some("mod") && (end.is(';') || end.is('{')) => name.word(),
        _ => None,
    }
}

/// `#[cfg(test)]`.
fn is_for_tests(tokens: &[Token]) -> bool {
    let [hash, open, cfg, paren, test, ..] = tokens else { return false };
    hash.is('#') && open.is('[') && cfg.word() == Some("cfg") && paren.is('(') && test.word() == Some("test")
}

/// How many tokens an item takes, up to its `;` or the end of its braces. Its attributes belong to it.
fn item_length(tokens: &[Token]) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        if ['(', '[', '{'].iter().any(|sign| token.is(*sign)) {
            depth += 1;
        } else if [')', ']', '}'].iter().any(|sign| token.is(*sign)) {
            depth -= 1;
        }
        if depth == 0 && (token.is(';') || token.is('}')) {
            return at + 1;
        }
    }
    panic!("an item is not closed");
}
