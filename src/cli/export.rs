//! `prefetchd export`: writes the evidence of what became of each line.

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::ValueEnum;

use super::text::{err, lang, number, tell};
use super::{failure, load, runtime, spool_name};
use crate::model::Time;
use crate::spool::{self, Folders, RefusedLine, sync_folder};
use crate::status::{Export, LineEvidence, RefusingFile, Wanted};
use crate::telemetry::one_line;
use crate::words::commands;
use crate::{exit, store};

/// Bytes of refused lines that are written at once.
const BUFFER_BYTES: usize = 64 * 1024;

const HELP: &str = "\
A row a line: file, line, url, state, reason, priority, label, queued_at, submission_id, nonce, request_id, task_ids, \
submitted_at, ended_at, warmth, came, action. First the lines that were queued, in order of arrival, then those that \
were merged into URLs that were there, then those that were refused, as the reports beside their files have them. \
Several of --file, --label and --since: what all of them apply to.

In CSV a text that begins with = + - @ or a control character has an apostrophe in front, so that no spreadsheet takes \
it for a formula; JSON lines carry every text as it is.

Example: prefetchd export --file premiere.txt --output premiere.csv
         prefetchd export --since 2026-11-23T00:00:00+08:00 --format jsonl | gzip > proof.jsonl.gz";

#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
#[group(id = "which", required = true, multiple = true, args = ["file", "label", "since", "all"])]
pub(super) struct ExportArgs {
    /// Only lines of files with this name
    #[arg(long, value_name = "NAME", value_parser = spool_name())]
    file: Option<String>,
    /// Only URLs with this label, their own or their file's
    #[arg(long, value_name = "LABEL")]
    label: Option<String>,
    /// Only files dropped since then: a time such as 2026-11-23T18:00:00+08:00, or a span such as 24h
    #[arg(long, value_name = "TIME", value_parser = super::urls::since)]
    since: Option<Time>,
    /// Everything that the database still has
    #[arg(long, conflicts_with_all = ["file", "label", "since"])]
    all: bool,
    /// The format
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// Write to this file, whole or not at all, instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Comma-separated, with a header (RFC 4180)
    Csv,
    /// One JSON object per line
    Jsonl,
}

pub(super) fn main(config: Option<&Path>, args: &ExportArgs) -> anyhow::Result<i32> {
    let (config, _) = load(config)?;
    let runtime = runtime()?;
    let wanted = Wanted { file: args.file.clone(), label: args.label.clone(), since: args.since };
    let export = runtime.block_on(async {
        let conn = store::open_reader_of(&config).await?;
        Export::begin(conn, wanted).await
    })?;
    let Some(mut export) = export else {
        let name = args.file.as_deref().unwrap_or_default();
        return Err(failure(exit::NO_INPUT, commands::none_named(name)));
    };
    let folders = Folders::under(&config.spool.dir);
    let host = config.database.host();
    let spool = (&folders, host.as_str());
    let mut write = |sink: &mut dyn Write| runtime.block_on(write(&mut export, spool, args.format, sink));
    match &args.output {
        Some(path) => {
            let rows = write_file(path, write)?;
            tell(&commands::rows(&path.display().to_string(), &number(rows)));
        }
        // The reader of the pipe has seen enough.
        None => match write(&mut io::stdout().lock()) {
            Err(error) if is_closed_pipe(&error) => {}
            written => written.map(|_| ()).context("writing to standard output")?,
        },
    }
    Ok(0)
}

/// Writes everything; returns the number of rows. Nothing is being read while the output blocks.
async fn write(
    export: &mut Export,
    (folders, host): (&Folders, &str),
    format: Format,
    sink: &mut dyn Write,
) -> anyhow::Result<i64> {
    let mut buffer = Vec::new();
    if format == Format::Csv {
        let hosts: &[&str] = if host.is_empty() { &[] } else { &["host"] };
        csv_record(&[&COLUMNS, hosts].concat(), &mut buffer);
    }
    let mut rows = 0;
    let mut encode = |evidence: &LineEvidence<'_>, buffer: &mut Vec<u8>| {
        rows += 1;
        match format {
            Format::Csv => csv_row(evidence, buffer),
            Format::Jsonl => json_row(evidence, buffer),
        }
    };
    while export.read(&mut buffer, &mut encode).await? {
        sink.write_all(&buffer)?;
        buffer.clear();
    }
    sink.write_all(&buffer)?;
    for file in export.refusing().await? {
        if file.host == host {
            write_refused(&file, folders, &mut encode, sink)?;
        } else {
            let (name, lines) = (one_line(&file.name), number(file.refused));
            err(&format!("prefetchd: {}", commands::left_out_there(&lines, &name, &file.host).say(lang())));
        }
    }
    sink.flush()?;
    Ok(rows)
}

/// Writes the refused lines of a file from its report; returns how many are no longer in any report.
fn write_refused(
    file: &RefusingFile,
    folders: &Folders,
    mut encode: impl FnMut(&LineEvidence<'_>, &mut Vec<u8>),
    sink: &mut dyn Write,
) -> anyhow::Result<()> {
    let (mut buffer, mut written) = (Vec::new(), 0);
    for refused in spool::refused_lines(folders, &file.stored_name, file.report_bytes)?.into_iter().flatten() {
        encode(&evidence_of_refused(file, &refused?), &mut buffer);
        written += 1;
        if buffer.len() >= BUFFER_BYTES {
            sink.write_all(&buffer)?;
            buffer.clear();
        }
    }
    sink.write_all(&buffer)?;
    if written < file.refused {
        let (name, missing) = (one_line(&file.name), number(file.refused - written));
        err(&format!("prefetchd: {}", commands::left_out(&missing, &name).say(lang())));
    }
    Ok(())
}

fn evidence_of_refused<'r>(file: &'r RefusingFile, refused: &'r RefusedLine) -> LineEvidence<'r> {
    LineEvidence {
        file: &file.name,
        line: refused.line,
        url: &refused.text,
        state: "refused",
        reason: Some(&refused.reason),
        priority: &file.priority,
        label: file.label.as_deref(),
        queued_at: &file.queued_at,
        submission_id: None,
        nonce: None,
        request_id: None,
        task_ids: None,
        submitted_at: None,
        ended_at: None,
        warmth: None,
        came: "refused",
        action: None,
        host: Some(file.host.as_str()).filter(|host| !host.is_empty()),
    }
}

/// Writes a temporary file and renames it: readers see the old file or the whole new one.
fn write_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> anyhow::Result<i64>) -> anyhow::Result<i64> {
    if path.symlink_metadata().is_ok_and(|meta| !meta.is_file()) {
        return Err(failure(exit::USAGE, commands::would_be_replaced(&path.display().to_string())));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let writing = || format!("writing {}", path.display());
    let mut copy = tempfile::Builder::new()
        .prefix(".export-")
        // By the umask.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .with_context(writing)?;
    let rows = write(&mut copy).with_context(writing)?;
    copy.as_file().sync_all().with_context(writing)?;
    copy.persist(path).map_err(|error| error.error).with_context(writing)?;
    sync_folder(folder).with_context(writing)?;
    Ok(rows)
}

const COLUMNS: [&str; 17] = [
    "file",
    "line",
    "url",
    "state",
    "reason",
    "priority",
    "label",
    "queued_at",
    "submission_id",
    "nonce",
    "request_id",
    "task_ids",
    "submitted_at",
    "ended_at",
    "warmth",
    "came",
    "action",
];

fn json_row(evidence: &LineEvidence<'_>, buffer: &mut Vec<u8>) {
    serde_json::to_writer(&mut *buffer, evidence).expect("text and numbers are JSON, and memory can be written");
    buffer.push(b'\n');
}

fn csv_row(evidence: &LineEvidence<'_>, buffer: &mut Vec<u8>) {
    let line = evidence.line.to_string();
    let submission = evidence.submission_id.map(|id| id.to_string());
    let texts = [
        Some(evidence.file),
        Some(&line),
        Some(evidence.url),
        Some(evidence.state),
        evidence.reason,
        Some(evidence.priority),
        evidence.label,
        Some(evidence.queued_at),
        submission.as_deref(),
        evidence.nonce,
        evidence.request_id,
        evidence.task_ids,
        evidence.submitted_at,
        evidence.ended_at,
        evidence.warmth,
        Some(evidence.came),
        evidence.action,
    ];
    let mut cells = texts.map(Option::unwrap_or_default).to_vec();
    cells.extend(evidence.host);
    csv_record(&cells, buffer);
}

fn csv_record(cells: &[&str], buffer: &mut Vec<u8>) {
    let mut writer =
        csv::WriterBuilder::new().buffer_capacity(1024).terminator(csv::Terminator::CRLF).from_writer(buffer);
    for cell in cells {
        // A negative number would not be a formula, but there is none here.
        let written = if cell.starts_with(['=', '+', '-', '@']) || cell.starts_with(char::is_control) {
            writer.write_field(format!("'{cell}"))
        } else {
            writer.write_field(cell)
        };
        written.expect("memory can be written");
    }
    writer.write_record(None::<&[u8]>).expect("memory can be written");
    writer.flush().expect("memory can be written");
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let kind = |cause: &(dyn std::error::Error + 'static)| cause.downcast_ref::<io::Error>().map(io::Error::kind);
    error.chain().any(|cause| kind(cause) == Some(io::ErrorKind::BrokenPipe))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn evidence<'t>(file: &'t str, label: &'t str) -> LineEvidence<'t> {
        LineEvidence {
            file,
            line: 7,
            url: "https://vod.example.com/a,b",
            state: "failed",
            reason: None,
            priority: "normal",
            label: Some(label),
            queued_at: "2026-11-23T03:04:16.723Z",
            submission_id: Some(3),
            nonce: None,
            request_id: None,
            task_ids: Some("1,2"),
            submitted_at: None,
            ended_at: None,
            warmth: None,
            came: "queued",
            action: Some("prefetch"),
            host: None,
        }
    }

    #[test]
    fn no_cell_is_a_formula_and_json_says_what_it_is() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            let mut csv = Vec::new();
            csv_row(&evidence("a.txt", text), &mut csv);
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&csv[..]);
            let record = reader.records().next().unwrap().unwrap();
            assert_eq!(&record[6], format!("'{text}"));
            let mut json = Vec::new();
            json_row(&evidence("a.txt", text), &mut json);
            let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
            assert_eq!(value["label"], text);
        }
    }

    #[test]
    fn the_columns_are_the_keys_in_their_order() {
        let mut json = Vec::new();
        json_row(&evidence("a", "b"), &mut json);
        let text = String::from_utf8(json).unwrap();
        let at = COLUMNS.map(|column| text.find(&format!("\"{column}\":")).unwrap());
        assert!(at.is_sorted(), "{text}");
        assert_eq!(text.matches("\":").count(), COLUMNS.len(), "{text}");
    }

    proptest! {
        #[test]
        fn whatever_a_file_and_its_label_are_called_a_row_is_read_back(file in "\\PC*", label in any::<String>()) {
            let row = evidence(&file, &label);
            let mut csv = Vec::new();
            csv_row(&row, &mut csv);
            prop_assert!(csv.ends_with(b"\r\n"));
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(&csv[..]);
            let records: Vec<_> = reader.records().map(|record| record.unwrap()).collect();
            prop_assert_eq!(records.len(), 1);
            let plain = |cell: &str, text: &str| cell == text || cell.strip_prefix('\'') == Some(text);
            prop_assert!(plain(&records[0][0], &file) && plain(&records[0][6], &label));
            prop_assert_eq!((&records[0][2], &records[0][11]), (row.url, "1,2"));
            let mut json = Vec::new();
            json_row(&row, &mut json);
            prop_assert_eq!(json.iter().filter(|byte| **byte == b'\n').count(), 1);
            let value: serde_json::Value = serde_json::from_slice(&json).unwrap();
            prop_assert_eq!((&value["file"], &value["label"]), (&file.into(), &label.into()));
        }
    }
}
