//! Splits Rust into words, signs and texts, without comments: as much of a lexer as reading imports and statements
//! takes.

use std::fs;
use std::path::{Path, PathBuf};

/// A piece of a source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    /// Where it begins.
    pub line: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A name, a keyword or a number.
    Word(String),
    Sign(char),
    /// What stands between the quotes of a string, as it stands there.
    Text(String),
}

impl Token {
    pub fn is(&self, sign: char) -> bool {
        self.kind == Kind::Sign(sign)
    }

    pub fn word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }
}

/// Every file below a folder whose name ends so.
pub fn files_below(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(files_below(&entry, ending));
        } else if entry.to_str().unwrap().ends_with(ending) {
            found.push(entry);
        }
    }
    found.sort();
    found
}

/// The tokens of a source file.
pub fn tokens(source: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (source, 1);
    while let Some(c) = rest.chars().next() {
        let (kind, length) = piece(rest, c);
        tokens.extend(kind.map(|kind| Token { kind, line }));
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    tokens
}

/// The next token, if it is one, and how many bytes it takes.
fn piece(rest: &str, c: char) -> (Option<Kind>, usize) {
    if rest.starts_with("//") {
        return (None, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (None, rest.find("*/").map_or(rest.len(), |end| end + 2));
    }
    if let Some(hashes) = raw_hashes(rest) {
        let start = rest.find('"').unwrap() + 1;
        let end = format!("\"{}", "#".repeat(hashes));
        let length = rest[start..].find(&end).expect("a raw string ends");
        return (Some(Kind::Text(rest[start..start + length].to_owned())), start + length + end.len());
    }
    if c == '"' {
        let length = quoted(&rest[1..], '"');
        return (Some(Kind::Text(rest[1..=length].to_owned())), length + 2);
    }
    if c == '\'' {
        let is_char = rest.chars().nth(1) == Some('\\') || rest.chars().nth(2) == Some('\'');
        return (None, if is_char { quoted(&rest[1..], '\'') + 2 } else { 1 });
    }
    if c.is_alphanumeric() || c == '_' {
        let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        return (Some(Kind::Word(rest[..length].to_owned())), length);
    }
    ((!c.is_whitespace()).then_some(Kind::Sign(c)), c.len_utf8())
}

/// How many `#` a raw string begins with, if it is one.
fn raw_hashes(rest: &str) -> Option<usize> {
    let rest = rest.strip_prefix('b').unwrap_or(rest).strip_prefix('r')?;
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    rest[hashes..].starts_with('"').then_some(hashes)
}

/// How many bytes there are before the quote that ends it.
fn quoted(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        if c == quote && !is_escaped {
            return at;
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    panic!("a quote is not closed: {text:.80}");
}

#[test]
fn a_source_is_split_into_words_signs_and_texts() {
    let source =
        "use a::b; // c \"d\"\n/* e */ f('\"', b'\\'', '\\\\', &'g h, r#\"i\"j\"#, \"k\\\"l\", br\"m\\\");\n\"n\"";
    let shown: Vec<String> = tokens(source)
        .iter()
        .map(|token| match &token.kind {
            Kind::Word(word) => format!("{word}{}", token.line),
            Kind::Sign(sign) => sign.to_string(),
            Kind::Text(text) => format!("<{text}>{}", token.line),
        })
        .collect();
    let expected = "use1 a1 : : b1 ; f2 ( , b2 , , & g2 h2 , <i\"j>2 , <k\\\"l>2 , <m\\>2 ) ; <n>3";
    assert_eq!(shown.join(" "), expected);
}
