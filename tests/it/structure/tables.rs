//! Each table has one owner: only its statements write it, and who else reads it is listed here.

use std::collections::{BTreeMap, BTreeSet};

use prefetchd::store::Store;

use super::root;
use super::tokens::{Kind, Token, files_below, tokens};

/// The modules that hold SQL, each with the tables that are its own.
const OWNERS: [(&str, &[&str]); 7] = [
    (
        "queue",
        &[
            "case_members",
            "cases",
            "file_refusals",
            "file_warm",
            "file_warnings",
            "files",
            "hosts",
            "orders",
            "tally",
            "url_keys",
            "urls",
            "wishes",
        ],
    ),
    ("ledger", &["account", "budget_days", "facts", "submissions"]),
    ("track", &["tasks", "tracks", "warmth_checks", "warmth_cursor"]),
    ("notify", &["notices", "robots"]),
    ("status", &["daemon", "lane_waits", "left_alone"]),
    ("lead", &["leader"]),
    ("store", &["changes"]),
];

/// Tables that another module than their owner reads, where a join is what makes the statement fast. An entry that is
/// not needed any more has to be taken out.
const READ_BY_OTHERS: [(&str, &str); 18] = [
    // One journey to the server tells all that the leases depend on.
    ("lead", "changes"),
    ("lead", "daemon"),
    // What nobody needs any more: submissions without a url or a case.
    ("ledger", "cases"),
    ("ledger", "urls"),
    // URLs on their way are those of tracked batches.
    ("ledger", "tracks"),
    // What is fresh, and what may be retried, depends on how its batch ended.
    ("queue", "facts"),
    ("queue", "submissions"),
    // An export walks the rows, and a story the cases of one url.
    ("status", "case_members"),
    ("status", "files"),
    ("status", "submissions"),
    ("status", "urls"),
    ("status", "warmth_checks"),
    ("status", "wishes"),
    // Each transaction of the leader's asks whether its lease is the present one.
    ("store", "leader"),
    // How long nobody has led is in no view.
    ("status", "leader"),
    // The warmth check draws from batches that ended.
    ("track", "hosts"),
    ("track", "submissions"),
    ("track", "urls"),
];

/// A statement in the sources.
pub struct Statement {
    /// Its folder below `src`.
    pub module: String,
    /// `folder/file NAME`.
    pub name: String,
    pub text: String,
    /// As PostgreSQL gets it; none for what only SQLite's own handle runs.
    pub postgres: Option<String>,
}

/// Every constant of the program that is a statement.
pub fn statements() -> Vec<Statement> {
    let src = root().join("src");
    let mut found = Vec::new();
    for file in files_below(&src, ".rs") {
        let module = file.strip_prefix(&src).unwrap().iter().next().unwrap().to_str().unwrap().to_owned();
        let module = module.trim_end_matches(".rs").to_owned();
        let stem = file.file_stem().unwrap().to_str().unwrap();
        for (constant, mut texts) in constants(&tokens(&std::fs::read_to_string(&file).unwrap())) {
            if is_statement(&texts.lite) {
                let (name, module) = (format!("{module}/{stem} {constant}"), module.clone());
                found.push(Statement { name, module, postgres: texts.postgres.take(), text: texts.lite });
            }
        }
    }
    found
}

struct Texts {
    lite: String,
    postgres: Option<String>,
}

/// `const NAME: Sql = Sql::both("…")`, `Sql::two("…", "…")`, or a text that only SQLite's own handle runs.
fn constants(tokens: &[Token]) -> Vec<(String, Texts)> {
    let constant = |at: usize| {
        let tokens = tokens[at..].iter().take(16);
        let is_own_type = tokens.clone().any(|token| token.word() == Some("Sql"));
        let is_two = tokens.clone().any(|token| token.word() == Some("two"));
        let mut texts = tokens.clone().filter_map(|token| match &token.kind {
            Kind::Text(text) => Some(text.clone()),
            _ => None,
        });
        let lite = texts.next()?;
        let postgres = if is_two { texts.next() } else { is_own_type.then(|| lite.clone()) };
        Some((tokens.clone().nth(1)?.word()?.to_owned(), Texts { lite, postgres }))
    };
    (0..tokens.len()).filter(|at| tokens[*at].word() == Some("const")).filter_map(constant).collect()
}

fn is_statement(text: &str) -> bool {
    let verbs = ["select ", "insert ", "update ", "delete ", "with "];
    verbs.iter().any(|verb| text.trim_start().starts_with(verb))
}

/// The tables that a statement writes, and those that it reads.
fn tables(statement: &str) -> (BTreeSet<&str>, BTreeSet<&str>) {
    let words: Vec<&str> =
        statement.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect();
    let mut written = BTreeSet::new();
    let mut read = BTreeSet::new();
    for (at, word) in words.iter().enumerate().skip(1) {
        match (at.checked_sub(2).map(|at| words[at]), words[at - 1]) {
            (_, "into" | "update") | (Some("delete"), "from") => drop(written.insert(*word)),
            (_, "from" | "join") => drop(read.insert(*word)),
            _ => {}
        }
    }
    (written, read)
}

fn owner_of(table: &str) -> Option<&'static str> {
    OWNERS.iter().find(|(_, tables)| tables.contains(&table)).map(|(module, _)| *module)
}

#[tokio::test]
async fn each_table_of_the_schema_has_one_owner() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("a.db")).await.unwrap();
    let mut tx = store.write().await.unwrap();
    let made =
        "select name from sqlite_schema where type = 'table' and name not like 'sqlite%' and name not like '\\_%'
                escape '\\' order by name";
    let made: Vec<String> = prefetchd::store::query_scalar(made).fetch_all(tx.conn()).await.unwrap();
    let mut owned: Vec<&str> = OWNERS.iter().flat_map(|(_, tables)| *tables).copied().collect();
    owned.sort_unstable();
    assert_eq!(owned, made);
}

#[test]
fn only_its_owner_writes_a_table_and_who_else_reads_it_is_listed() {
    let mut others: BTreeMap<(&str, String), Vec<String>> = BTreeMap::new();
    let mut faults = Vec::new();
    let statements = statements();
    for statement in &statements {
        let (written, read) = tables(&statement.text);
        for table in written {
            if owner_of(table).is_some_and(|owner| owner != statement.module) {
                faults.push(format!("{} writes {table}, which is not its own", statement.name));
            }
        }
        for table in read {
            if owner_of(table).is_some_and(|owner| owner != statement.module) {
                others.entry((&statement.module, table.to_owned())).or_default().push(statement.name.clone());
            }
        }
    }
    for ((module, table), names) in &others {
        if !READ_BY_OTHERS.contains(&(*module, table.as_str())) {
            faults.push(format!("{names:?} read {table}, which is not {module}'s: ask its owner, or a view"));
        }
    }
    for (module, table) in READ_BY_OTHERS {
        if !others.contains_key(&(module, table.to_owned())) {
            faults.push(format!("{module} does not read {table} any more: take it out of READ_BY_OTHERS"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn only_the_modules_that_hold_sql_name_the_driver_or_ask_a_table() {
    let src = root().join("src");
    let mut faults = Vec::new();
    for file in files_below(&src, ".rs") {
        let shown = file.strip_prefix(&src).unwrap();
        let module = shown.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        if OWNERS.iter().any(|(owner, _)| *owner == module) {
            continue;
        }
        for token in tokens(&std::fs::read_to_string(&file).unwrap()) {
            let is_driver = token.word().is_some_and(|word| ["sqlx", "rusqlite"].contains(&word));
            // The views are everybody's: the demo shows how they are asked.
            let of_tables = |text: &str| {
                let (written, read) = tables(text);
                written.union(&read).any(|table| owner_of(table).is_some())
            };
            let is_sql = matches!(&token.kind, Kind::Text(text) if is_statement(text) && of_tables(text));
            if is_driver || is_sql {
                faults.push(format!("src/{}:{}", shown.display(), token.line));
            }
        }
    }
    assert!(faults.is_empty(), "SQL outside the modules that hold it:\n{}", faults.join("\n"));
}

#[test]
fn the_tables_of_a_statement_are_found() {
    let (written, read) = tables("insert into a (x) select y from b join c on c.z = b.z where x in (select 1 from d)");
    assert_eq!((written, read), (BTreeSet::from(["a"]), BTreeSet::from(["b", "c", "d"])));
    let (written, read) = tables("delete from a where x in (select x from b) returning y");
    assert_eq!((written, read), (BTreeSet::from(["a"]), BTreeSet::from(["b"])));
    let (written, _) = tables("update a set x = 1");
    assert_eq!(written, BTreeSet::from(["a"]));
}
