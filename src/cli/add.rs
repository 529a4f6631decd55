//! `prefetchd add`: into the spool, atomically.

use std::fs::File;
use std::io::{self, BufRead as _, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::{failure, load, text};
use crate::clock::Clock;
use crate::exit;
use crate::model::Priority;
use crate::spool::{ADD_PREFIX, Folders, LINE_BYTES_MAX, is_left_alone, is_text, sync_folder};
use crate::telemetry::one_line;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: prefetchd add premiere.txt\n         find-urls | prefetchd add - --name nightly.txt")]
pub(super) struct AddArgs {
    /// The file, or - for standard input
    file: PathBuf,
    /// What it is called in the spool [default: its own name]
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    keys: KeyArgs,
}

/// Directives that outrank the file's own; only for text.
#[derive(Debug, clap::Args)]
struct KeyArgs {
    /// urgent, high, normal or low
    #[arg(long)]
    priority: Option<Priority>,
    /// A word to find it by
    #[arg(long)]
    label: Option<String>,
    /// Not to be sent before, e.g. 2026-11-23T18:00:00+08:00
    #[arg(long, value_name = "TIME")]
    not_before: Option<String>,
    /// Not to be sent after
    #[arg(long, value_name = "TIME")]
    deadline: Option<String>,
    /// Send even what was completed lately
    #[arg(long)]
    force: bool,
}

impl KeyArgs {
    /// As directives.
    fn directives(&self) -> String {
        let force = self.force.then(|| "true".to_owned());
        let priority = self.priority.map(|priority| priority.to_string());
        [
            ("priority", &priority),
            ("label", &self.label),
            ("not_before", &self.not_before),
            ("deadline", &self.deadline),
            ("force", &force),
        ]
        .iter()
        .filter_map(|(key, value)| Some(format!("#: {key} = {}\n", value.as_ref()?)))
        .collect()
    }
}

pub(super) fn main(config: Option<&Path>, args: &AddArgs) -> anyhow::Result<i32> {
    let (config, _) = load(config)?;
    let incoming = Folders::under(&config.spool.dir).incoming;
    if !incoming.is_dir() {
        let message = format!("there is no spool at {}; start the daemon once, or see [spool] dir", incoming.display());
        return Err(failure(exit::UNAVAILABLE, message));
    }
    let name = name_for(args)?;
    let directives = args.keys.directives();
    check_directives(&directives, &name)?;
    let source: Box<dyn io::Read> = if args.file == Path::new("-") {
        Box::new(io::stdin())
    } else {
        let open = |path: &Path| match File::open(path) {
            Ok(file) if file.metadata().is_ok_and(|meta| meta.is_dir()) => Err("it is a directory".to_owned()),
            opened => opened.map_err(|error| error.to_string()),
        };
        let opened = open(&args.file);
        Box::new(opened.map_err(|why| failure(exit::NO_INPUT, format!("reading {}: {why}", args.file.display())))?)
    };
    // Names that begin with a dot are left alone by the spool until the rename.
    let mut copy = tempfile::Builder::new()
        .prefix(ADD_PREFIX)
        .tempfile_in(&incoming)
        .with_context(|| format!("writing to {}", incoming.display()))?;
    let mut source = plain_after(&directives, source)?;
    io::copy(&mut source, &mut copy).with_context(|| format!("copying into {}", incoming.display()))?;
    copy.flush()?;
    // Set, not asked for: a umask must not keep the daemon from reading it.
    copy.as_file().set_permissions(std::fs::Permissions::from_mode(0o640))?;
    copy.as_file().sync_all()?;
    let name = hand_over(copy, &incoming, &name)?;
    sync_folder(&incoming)?;
    text::out(&one_line(&name));
    Ok(0)
}

/// What would be rejected in the spool is refused here.
fn check_directives(directives: &str, name: &str) -> anyhow::Result<()> {
    if directives.is_empty() {
        return Ok(());
    }
    if !is_text(name) {
        let message = format!("`{name}` has its keys in its lines: --priority and the like are for text files");
        return Err(failure(exit::USAGE, message));
    }
    crate::spool::check_directives(directives).map_err(|why| failure(exit::USAGE, why))
}

/// The source with the directives at the end of its head, where they outrank its own. It has to be UTF-8 text that is not
/// packed.
fn plain_after(directives: &str, source: Box<dyn io::Read>) -> anyhow::Result<Box<dyn io::Read>> {
    if directives.is_empty() {
        return Ok(source);
    }
    let mut source = io::BufReader::new(source);
    let start = source.fill_buf().context("reading the file")?;
    if [&b"\x1f\x8b"[..], b"\x28\xb5\x2f\xfd", b"\xff\xfe", b"\xfe\xff"].iter().any(|mark| start.starts_with(mark)) {
        let message = "--priority and the like are for plain UTF-8 text: this file is packed or UTF-16";
        return Err(failure(exit::USAGE, message));
    }
    let mut head = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        source.by_ref().take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut line).context("reading the file")?;
        let text = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line).trim_ascii();
        if line.is_empty() || !(text.is_empty() || text.starts_with(b"#")) {
            break;
        }
        head.extend_from_slice(&line);
    }
    Ok(Box::new(io::Cursor::new([&head, directives.as_bytes(), &line].concat()).chain(source)))
}

fn name_for(args: &AddArgs) -> anyhow::Result<String> {
    let name = match &args.name {
        Some(name) => name.clone(),
        None if args.file == Path::new("-") => {
            format!("stdin-{}.txt", Clock::system().now().format("%Y%m%dT%H%M%S%3f"))
        }
        None => args.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
    };
    if name.is_empty() || name.contains('/') || is_left_alone(name.as_ref()) {
        let message = format!(
            "`{name}` is no name for the spool: it may not begin with `.`, end in .tmp .part .swp ~, or hold `/`; give --name"
        );
        return Err(failure(exit::USAGE, message));
    }
    Ok(name)
}

/// Renames the copy to its name; where a file of that name still waits there, to one told apart by the time.
fn hand_over(copy: tempfile::NamedTempFile, incoming: &Path, name: &str) -> anyhow::Result<String> {
    let copy = match copy.persist_noclobber(incoming.join(name)) {
        Ok(_) => return Ok(name.to_owned()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => error.file,
        Err(error) => return Err(error.error).with_context(|| format!("renaming into {}", incoming.display())),
    };
    let apart = format!("{}-{name}", Clock::system().now().format("%Y%m%dT%H%M%S%3f"));
    copy.persist_noclobber(incoming.join(&apart))
        .map_err(|error| error.error)
        .with_context(|| format!("renaming into {}", incoming.display()))?;
    Ok(apart)
}
