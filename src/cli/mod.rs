//! The command line: a command a file.

mod add;
mod budget;
mod check;
mod demo;
mod export;
mod hosts;
mod list;
mod retry;
mod run;
mod sandbox;
mod status;
mod text;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::config::{self, Config};
use crate::daemon::Locked;
use crate::{credentials, exit, store};

/// Warms ApsaraVideo VOD's CDN: drop files of URLs in a directory and forget them.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Args {
    /// The configuration [default: $PREFETCHD_CONFIG, $CONFIGURATION_DIRECTORY/prefetchd.toml,
    /// /etc/prefetchd/prefetchd.toml, else the built-in defaults]
    #[arg(long, global = true, value_name = "PATH")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon in the foreground, as systemd does
    Run,
    /// Check configuration, paths, database and credentials, and change nothing
    Check(check::CheckArgs),
    /// Hand a file of URLs over to the spool, whole or not at all
    Add(add::AddArgs),
    /// Show the budget, the queue, the latest files, and what is waited for and why
    Status(status::StatusArgs),
    /// List the domains of the queue, those that may not be sent first
    Hosts(hosts::HostsArgs),
    /// Write down what became of each line of a file, and what proves it
    Export(export::ExportArgs),
    /// Give what was refused another chance
    Retry(retry::RetryArgs),
    /// Settle what the account book cannot know by itself
    Budget(budget::BudgetArgs),
    /// Run a local stand-in for the API, for trying and testing
    Sandbox(sandbox::SandboxArgs),
    /// Show everything at work on sandbox data, in seconds
    Demo(demo::DemoArgs),
}

/// Runs the command and gives the exit code.
pub fn main(args: Args) -> i32 {
    let result = match args.command {
        Command::Run => run::main(args.config.as_deref()),
        Command::Check(check) => check::main(args.config.as_deref(), &check),
        Command::Add(add) => add::main(args.config.as_deref(), &add),
        Command::Status(status) => status::main(args.config.as_deref(), &status),
        Command::Hosts(hosts) => hosts::main(args.config.as_deref(), &hosts),
        Command::Export(export) => export::main(args.config.as_deref(), &export),
        Command::Retry(retry) => retry::main(args.config.as_deref(), &retry),
        Command::Budget(budget) => budget::main(args.config.as_deref(), &budget),
        Command::Sandbox(sandbox) => sandbox::main(&sandbox),
        Command::Demo(demo) => demo::main(&demo),
    };
    result.unwrap_or_else(|error| {
        text::err(&format!("prefetchd: {error:#}"));
        code_of(&error)
    })
}

/// An error that brings its exit code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct Failure {
    message: String,
    code: i32,
}

fn failure(code: i32, message: impl Into<String>) -> anyhow::Error {
    Failure { message: message.into(), code }.into()
}

/// The exit code that says what kind of error it is.
fn code_of(error: &anyhow::Error) -> i32 {
    for cause in error.chain() {
        if let Some(failure) = cause.downcast_ref::<Failure>() {
            return failure.code;
        }
        if cause.is::<config::Error>() || cause.is::<credentials::Error>() {
            return exit::CONFIG;
        }
        if let Some(locked) = cause.downcast_ref::<Locked>() {
            return match locked {
                Locked::ByAnother { .. } => exit::TEMPORARY,
                Locked::Io { .. } => exit::IO,
            };
        }
        if let Some(error) = cause.downcast_ref::<store::Error>() {
            return match error {
                store::Error::Newer { .. } | store::Error::OldLibrary(_) => exit::CONFIG,
                store::Error::Corrupt(_) => exit::DATA,
                store::Error::Missing(_) => exit::UNAVAILABLE,
                store::Error::Busy(_) | store::Error::Full(_) => exit::TEMPORARY,
                _ => exit::IO,
            };
        }
        if cause.is::<std::io::Error>() {
            return exit::IO;
        }
    }
    exit::SOFTWARE
}

/// A runtime for one command.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    use anyhow::Context as _;
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().context("starting the runtime")
}

fn load(named: Option<&std::path::Path>) -> anyhow::Result<(Config, Option<PathBuf>)> {
    Ok(Config::load(named)?)
}
