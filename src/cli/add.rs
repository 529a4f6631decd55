//! `prefetchd add`: into the spool, atomically.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::{failure, load, text};
use crate::clock::Clock;
use crate::exit;
use crate::spool::{Folders, is_left_alone, sync_folder};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: prefetchd add premiere.txt\n         find-urls | prefetchd add - --name nightly.txt")]
pub(super) struct AddArgs {
    /// The file, or - for standard input
    file: PathBuf,
    /// What it is called in the spool [default: its own name]
    #[arg(long)]
    name: Option<String>,
}

pub(super) fn main(config: Option<&Path>, args: &AddArgs) -> anyhow::Result<i32> {
    let (config, _) = load(config)?;
    let incoming = Folders::under(&config.spool.dir).incoming;
    if !incoming.is_dir() {
        let message = format!("there is no spool at {}; start the daemon once, or see [spool] dir", incoming.display());
        return Err(failure(exit::UNAVAILABLE, message));
    }
    let name = name_for(args)?;
    let mut source: Box<dyn io::Read> = if args.file == Path::new("-") {
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
        .prefix(".add-")
        .tempfile_in(&incoming)
        .with_context(|| format!("writing to {}", incoming.display()))?;
    io::copy(&mut source, &mut copy).with_context(|| format!("copying into {}", incoming.display()))?;
    copy.flush()?;
    // Set, not asked for: a umask must not keep the daemon from reading it.
    copy.as_file().set_permissions(std::fs::Permissions::from_mode(0o640))?;
    copy.as_file().sync_all()?;
    let name = hand_over(copy, &incoming, &name)?;
    sync_folder(&incoming)?;
    text::out(&name);
    Ok(0)
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
