//! The table of all errors and reasons that a user can meet, `docs/messages.md`: made from the catalogue, and held to
//! the rules of messages. `UPDATE_DOCS=1 cargo test --lib words::table` writes it anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use strum::{EnumCount as _, VariantArray as _};

use super::*;
use crate::model::{
    AccountFault, Action, ConfigProblem, Fault, InputFault, KeyFault, Lane, LeadProblem, LeftWhy, LineFault,
    OrderFault, PauseWhy, Reason, ReasonKind, SpoolProblem, Stopped, WaitWhy, Warned, Warning, from_millis,
};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/messages.md");

const HEAD: &str = "\
# Messages

Every error and reason that prefetchd tells, by its code, in both languages. The codes never change their meaning;
programs decide by them and not by the sentences. Made from the catalogue by a test
(`UPDATE_DOCS=1 cargo test --lib words::table`).
";

/// A part of the page: its title, where it is seen, and its rows of code and sentence.
type Part = (&'static str, &'static str, Vec<(String, Words)>);

fn inputs() -> Vec<InputFault> {
    let text = || "…".to_owned();
    let fault = Fault { kind: LineFault::NoUrl, found: text() };
    vec![
        InputFault::Empty,
        InputFault::NoUrls { lines: 2, first: Some((1, fault)) },
        InputFault::Binary,
        InputFault::Archive("zip"),
        InputFault::Workbook,
        InputFault::Document("PDF"),
        InputFault::Packed("bzip2"),
        InputFault::PackedTwice,
        InputFault::Xml,
        InputFault::Html,
        InputFault::Playlist,
        InputFault::JsonArray,
        InputFault::JsonObjects,
        InputFault::NotUtf8 { line: 7 },
        InputFault::Directive { line: 1, fault: KeyFault::Unknown("prio".to_owned()) },
        InputFault::CsvHeader,
        InputFault::NoUrlColumn { header: text() },
        InputFault::TwoUrlColumns { header: text() },
        InputFault::TwoColumns { key: "priority", header: text() },
        InputFault::Damaged { packing: "gzip", line: 7, why: text() },
        InputFault::Window { mib: Some(128) },
        InputFault::Bomb { fold: 1_000 },
        InputFault::TooLarge { bytes: 9, bytes_max: 8 },
        InputFault::Forbidden,
        InputFault::Vanished,
        InputFault::NotRegular,
        InputFault::OwnReceipt,
        InputFault::Deadly,
        InputFault::ActionForbidden { action: Action::Purge, missing: Lane::Purge },
    ]
}

fn waits() -> Vec<WaitWhy> {
    let stopped = Stopped { why: "…".to_owned(), by: "alice".to_owned(), since: from_millis(1_795_000_000_000) };
    vec![
        WaitWhy::Idle,
        WaitWhy::NotYet,
        WaitWhy::Stopped(stopped),
        WaitWhy::Account { why: PauseWhy::Account(AccountFault::Suspended) },
        WaitWhy::BackingOff { why: Reason::new(ReasonKind::Throttled, "Throttling.User"), failures: 2 },
        WaitWhy::RequestsSpent { limit: 500 },
        WaitWhy::UrlsSpent { limit: 10_000, refused: 0 },
        WaitWhy::UrlsSpent { limit: 10_000, refused: 1_043 },
        WaitWhy::QuotaUsedUp { code: "QuotaExceeded.Preload".to_owned() },
        WaitWhy::NothingRemains { quota: 500 },
        WaitWhy::LedgerUnknown,
        WaitWhy::Reset,
        WaitWhy::Reserved { left: 20 },
        WaitWhy::IsolationSpent { urls: 12 },
        WaitWhy::Hosts { urls: 12 },
        WaitWhy::AwaitsPurge { urls: 12 },
        WaitWhy::MinuteFull { urls: 12, limit: 20 },
        WaitWhy::QueueFull { in_flight: 70, limit: 100 },
        WaitWhy::OutsideWindow,
        WaitWhy::Lingering { urls: 12, linger: Duration::from_secs(300) },
    ]
}

fn orders() -> Vec<OrderFault> {
    let text = || "…".to_owned();
    vec![
        OrderFault::Unreadable { said: text() },
        OrderFault::TooLong { bytes_max: 4_096 },
        OrderFault::NotPlain,
        OrderFault::Nobody,
        OrderFault::NamesNothing,
        OrderFault::BadUrl { url: text() },
        OrderFault::State { order: "retry".to_owned(), state: "complete".to_owned() },
        OrderFault::NoFile { file: "film.txt".to_owned() },
        OrderFault::NotYours { file: "film.txt".to_owned(), owner: Some("bob".to_owned()) },
    ]
}

fn problems() -> Vec<(String, Words)> {
    let said = || "…".to_owned();
    let spool = [
        SpoolProblem::OtherMount { said: "… lies on another mount".to_owned() },
        SpoolProblem::Unusable { said: said() },
        SpoolProblem::NotRemoved { said: said() },
    ];
    let config = [
        ConfigProblem::ReloadRefused { said: said() },
        ConfigProblem::AfterRestart { keys: vec!["[spool] dir".to_owned()] },
    ];
    let spool = spool.iter().map(|problem| (problem.stored().0, spool_problem(problem)));
    let lead = [
        LeadProblem::LeadOff,
        LeadProblem::PolicyDiffers { host: said() },
        LeadProblem::MarkerUnwritten { said: said() },
    ];
    let config = config.iter().map(|problem| (problem.stored().0, config_problem(problem)));
    spool.chain(config).chain(lead.iter().map(|problem| (problem.stored().0, lead_problem(problem)))).collect()
}

fn keys() -> Vec<(String, Words)> {
    let text = || "…".to_owned();
    let values = ["priority", "label", "force", "encoding", "deadline"];
    let values = values.map(|key| KeyFault::Value { key, value: text() });
    let faults = [KeyFault::NoPair(text()), KeyFault::Unknown(text()), KeyFault::Twice(text())];
    faults.iter().chain(&values).map(|fault| ("directive".to_owned(), key_fault(fault))).collect()
}

fn database() -> Vec<(String, Words)> {
    let texts = [
        ("locked", "the database is locked by another process (…)"),
        ("full", "the disk under the database is full (…)"),
        (
            "corrupt",
            "the database is corrupt (…); restore it from a backup, or save what can be read: `sqlite3 OLD.db \
             .recover`",
        ),
        ("missing", "there is no database at /x/prefetchd.db yet; `prefetchd run` makes it"),
        ("away", "the database server cannot be used now (…)"),
        (
            "read_only",
            "the database server only reads (…): it is a standby, or a reading endpoint; [database] url must name the \
             primary",
        ),
        (
            "not_let_in",
            "the database server does not let this role in (…); see USER in [database] url and the password \
             (docs/operate.md)",
        ),
        ("no_database", "the database server has no such database (…); `create database` makes it"),
        ("rights", "the role lacks a right in the database (…); docs/operate.md has what to grant"),
        ("tls", "the connection to the database server is not safe (…); see sslmode and sslrootcert in [database] url"),
        ("reader", "the role may only read the database"),
        ("damaged", "the database server reports damaged data (…); restore it from a backup"),
        ("old_server", "the database server is PostgreSQL 13.4; 14 or newer is needed"),
        (
            "foreign",
            "the schema public in postgres://h/d holds tables that are not prefetchd's (…); give prefetchd a database, \
             or a schema, of its own",
        ),
        ("no_schema", "there are no tables of prefetchd in postgres://h/d yet; `prefetchd run` makes them"),
        ("password", "the password for the database: …"),
        ("not_leading", "another host leads, or nobody does: this host does not write what the leader writes"),
    ];
    texts.map(|(word, text)| (word.to_owned(), errors::database(word, text.to_owned()))).into()
}

fn parts() -> Vec<Part> {
    let warned = |warning: &Warning| {
        let found = if *warning == Warning::ColumnNear { "`prioriti` for `priority`" } else { "…" };
        (warning.code().to_owned(), warning_of(*warning, found))
    };
    let lines = LineFault::VARIANTS.iter().map(|fault| (fault.code().to_owned(), line_fault(*fault)));
    let reasons = ReasonKind::VARIANTS.iter().map(|kind| (kind.code().to_owned(), reason_kind(*kind)));
    let left = LeftWhy::VARIANTS.iter().map(|why| (why.code().to_owned(), left_alone(*why)));
    let inputs = inputs();
    let orders = orders();
    vec![
        ("Lines", "`.refused.tsv`, receipts, `status FILE`", lines.collect()),
        (
            "Files",
            "receipts of rejected files, `add`",
            inputs.iter().map(|f| (f.code().to_owned(), input_fault(f))).collect(),
        ),
        ("Directives and options", "the same, as `directive`", keys()),
        ("Warnings", "receipts, `add`", Warning::VARIANTS.iter().map(warned).collect()),
        ("Left alone", "`v_left_alone`, `status`", left.collect()),
        ("URLs, domains and the account", "`v_urls`, `v_hosts`, `v_status`, `status`", reasons.collect()),
        ("Waiting", "`v_status`, `status`", waits().iter().map(|why| (why.stored().0, wait(why))).collect()),
        ("Problems", "`v_status`, `status`", problems()),
        (
            "Orders",
            "`v_orders`, `cancel`, `prioritize`, `retry`",
            orders.iter().map(|f| (f.stored().0, order_fault(f))).collect(),
        ),
        ("Database", "every command, `status`", database()),
    ]
}

fn warning_of(kind: Warning, found: &str) -> Words {
    warning(&Warned { warning: kind, line: 1, lines: 1, found: found.to_owned() })
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    for (title, seen, rows) in parts() {
        write!(page, "\n## {title}\n\nSeen in {seen}.\n\n| code | English | 中文 |\n|---|---|---|\n").unwrap();
        for (code, words) in rows {
            let [en, zh] = [words.en, words.zh].map(|text| text.replace('|', "\\|"));
            writeln!(page, "| `{code}` | {en} | {zh} |").unwrap();
        }
    }
    page
}

#[test]
fn the_page_of_messages_has_every_error_and_reason_as_it_is_told() {
    let made = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PAGE, &made).unwrap();
    }
    let there = std::fs::read_to_string(PAGE).unwrap_or_default();
    let stale = made.lines().zip(there.lines()).find(|(made, there)| made != there);
    assert!(there == made, "docs/messages.md is stale (UPDATE_DOCS=1 writes it): {stale:?}");
}

#[test]
fn every_message_is_one_line_one_cause_and_fits_its_number_in_both_languages() {
    for (title, _, rows) in parts() {
        let mut seen = BTreeSet::new();
        for (code, words) in rows {
            let at = format!("{title}: {code}: {} / {}", words.en, words.zh);
            for text in [&words.en, &words.zh] {
                assert!(!text.is_empty() && !text.chars().any(char::is_control), "{at}");
                assert!(!text.replace("http(s)", "").contains("(s)") && !text.ends_with(['.', '。']), "{at}");
                let parts: Vec<&str> = text.split(": ").collect();
                assert!(parts.windows(2).all(|two| two[0] != two[1]), "a doubled text: {at}");
            }
            assert!(words.zh.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "no Chinese: {at}");
            assert!(!words.en.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "Chinese in English: {at}");
            assert!(seen.insert(words.en.into_owned()), "told twice: {at}");
        }
    }
}

#[test]
fn the_samples_have_every_kind() {
    let codes = |codes: Vec<String>| codes.into_iter().collect::<BTreeSet<_>>().len();
    assert_eq!(codes(inputs().iter().map(|fault| fault.code().to_owned()).collect()), InputFault::COUNT);
    // Text of another version has no sentence of its own.
    assert_eq!(codes(waits().iter().map(|why| why.stored().0).collect()), WaitWhy::COUNT - 1);
    assert_eq!(codes(orders().iter().map(|fault| fault.stored().0).collect()), OrderFault::COUNT);
}
