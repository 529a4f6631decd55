//! `prefetchd generate`: writes man pages, shell completions and JSON Schemas from the definitions of the
//! commands and of what they print.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Command, CommandFactory as _};
use clap_complete::{Shell, generate_to};

mod pages;
mod schemas;

use super::Args;
use super::runtime;
use super::text::{json, out};

/// The program's name, in man pages and completions.
const PROGRAM: &str = "prefetchd";

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: prefetchd generate target/generated")]
pub(super) struct GenerateArgs {
    /// Where to write; created if missing
    dir: PathBuf,
}

pub(super) fn main(args: &GenerateArgs) -> anyhow::Result<i32> {
    let mut command = Args::command().disable_help_subcommand(true);
    command.build();
    let man = made(&args.dir.join("man"))?;
    page(&man, &command, PROGRAM)?;
    for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        let name = format!("{PROGRAM}-{}", subcommand.get_name());
        page(&man, subcommand, &name)?;
    }
    let path = man.join("prefetchd.toml.5");
    fs::write(&path, pages::configuration()).with_context(|| format!("writing {}", path.display()))?;
    let completions = made(&args.dir.join("completions"))?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let mut command = Args::command();
        let path = generate_to(shell, &mut command, PROGRAM, &completions)
            .with_context(|| format!("writing completions for {shell} into {}", completions.display()))?;
        // zsh expects `_prefetchd`; bash and fish expect these names.
        if shell == Shell::Bash {
            fs::rename(&path, completions.join("prefetchd.bash")).context("naming the completions for bash")?;
        }
    }
    let schemas = made(&args.dir.join("schemas"))?;
    for (name, schema) in runtime()?.block_on(schemas::all())? {
        let path = schemas.join(format!("{name}.schema.json"));
        fs::write(&path, format!("{}\n", json(&schema)?)).with_context(|| format!("writing {}", path.display()))?;
    }
    out(&format!("{}, {} and {}", man.display(), completions.display(), schemas.display()));
    Ok(0)
}

fn made(dir: &Path) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
    Ok(dir.to_path_buf())
}

fn page(dir: &Path, command: &Command, name: &str) -> anyhow::Result<()> {
    let path = dir.join(format!("{name}.1"));
    let mut text = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut text)?;
    text.extend(pages::SECTIONS.as_bytes());
    fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
}
