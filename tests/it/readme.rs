//! The README is short, and its Chinese form says the same: headings, commands, links.

use std::fs;
use std::path::Path;

/// Longest English README, in bytes: a newcomer's page.
const BYTES_MAX: usize = 10_000;

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// How deep its headings are, in order.
fn headings(page: &str) -> Vec<usize> {
    let level = |line: &str| line.len() - line.trim_start_matches('#').len();
    page.lines().filter(|line| line.starts_with('#')).map(level).collect()
}

/// Its indented lines, without the remarks of commands.
fn commands(page: &str) -> Vec<String> {
    let indented = page.lines().filter(|line| line.starts_with("    "));
    indented.map(|line| line.split("  # ").next().unwrap_or_default().trim().to_owned()).collect()
}

/// Where its links lead, without the one to its other form.
fn links(page: &str) -> Vec<&str> {
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.starts_with("README")).collect()
}

#[test]
fn the_chinese_readme_has_the_headings_commands_and_links_of_the_english_one() {
    let (en, zh) = (page("README.md"), page("README.zh-CN.md"));
    assert!(en.len() <= BYTES_MAX, "README.md has {} bytes", en.len());
    assert_eq!(headings(&en), headings(&zh));
    assert_eq!(commands(&en), commands(&zh));
    assert_eq!(links(&en), links(&zh));
    assert!(commands(&en).len() > 30 && links(&en).len() > 15);
}

#[test]
fn every_link_of_the_readmes_leads_somewhere() {
    for name in ["README.md", "README.zh-CN.md"] {
        let text = page(name);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(target);
            assert!(target.starts_with("http") || path.exists(), "{name}: {target}");
        }
    }
}
