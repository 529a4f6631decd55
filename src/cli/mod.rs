//! The command line: one file for each command.

mod add;
mod bare;
mod budget;
mod check;
mod demo;
mod errors;
mod export;
mod forecast;
mod generate;
mod hosts;
mod lang;
mod layout;
mod list;
mod notify;
mod orders;
mod pause;
mod run;
mod sandbox;
mod status;
mod text;
mod urls;
mod wait;
mod who;
mod why;

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, StringValueParser, TypedValueParser};
use clap::{Parser, Subcommand};
use strum::VariantArray as _;

use crate::config::{self, Config};
use crate::daemon::{LeftCopy, Locked, OtherProduct};
use crate::model::{Action, Lane, Lang, Priority, UrlState};
use crate::spool::stored_name;
use crate::status::{Invocation, Namesake};
use crate::telemetry::one_line;
use crate::words::{self, Words};
use crate::{credentials, exit, net, store};

/// Warms the CDN of ApsaraVideo VOD, CDN or DCDN: drop files of URLs into a directory and forget them.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Args {
    /// The configuration file [default: $PREFETCHD_CONFIG, $CONFIGURATION_DIRECTORY/prefetchd.toml,
    /// /etc/prefetchd/prefetchd.toml, else the built-in defaults]
    #[arg(long, global = true, value_name = "PATH")]
    config: Option<PathBuf>,
    /// Whether to colour
    #[arg(long, global = true, value_enum, default_value_t = text::Colour::Auto, value_name = "WHEN")]
    color: text::Colour,
    /// The language of texts: en or zh [default: $PREFETCHD_LANG, [ui] language, else the locale's]
    #[arg(long, global = true, value_parser = lang_words(), value_name = "LANGUAGE")]
    lang: Option<Lang>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon in the foreground, as systemd does
    #[command(after_help = "Example: prefetchd run --config /etc/prefetchd/prefetchd.toml")]
    Run(run::RunArgs),
    /// Check configuration, paths, database and credentials without changing anything
    Check(check::CheckArgs),
    /// Hand a file of URLs over to the spool, whole or not at all
    Add(add::AddArgs),
    /// Show the budget, the queue, the latest files, and what the daemon waits for and why
    Status(status::StatusArgs),
    /// Wait until a file is warm, or sent, and say by the exit code how that ended
    Wait(wait::WaitArgs),
    /// Show when queued URLs will be sent, or what a file would cost that is not dropped yet
    Forecast(forecast::ForecastArgs),
    /// List files, latest first
    Files(urls::FilesArgs),
    /// List URLs
    Urls(urls::UrlsArgs),
    /// List calls of the service and their cost, latest first
    Submissions(urls::SubmissionsArgs),
    /// List the domains of the queue, those that are blocked first
    Hosts(hosts::HostsArgs),
    /// Export what became of each line of a file, with the evidence
    Export(export::ExportArgs),
    /// Show the whole story of one URL
    Why(why::WhyArgs),
    /// Send URLs again that failed, expired, were cancelled or are held, or (only by that name) are unconfirmed; or
    /// give a refused domain another chance
    Retry(orders::RetryArgs),
    /// Cancel URLs that wait
    Cancel(orders::CancelArgs),
    /// Change the priority of URLs that wait
    Prioritize(orders::PrioritizeArgs),
    /// Stop submitting until it is resumed, also across restarts; files are still read
    Pause(pause::PauseArgs),
    /// Go on submitting after a pause
    Resume(pause::ResumeArgs),
    /// Settle what the ledger cannot know by itself
    Budget(budget::BudgetArgs),
    /// Run a local stand-in for the API, for trying and testing
    Sandbox(sandbox::SandboxArgs),
    /// Show the whole pipeline on sandbox data, in seconds
    Demo(demo::DemoArgs),
    /// Show what the chat robots of the configuration were told, or try them
    Notify(notify::NotifyArgs),
    /// Write man pages, shell completions and JSON Schemas
    Generate(generate::GenerateArgs),
}

/// Runs the command and returns the exit code.
pub fn main(args: Args) -> i32 {
    text::choose_colour(args.color);
    lang::choose(args.lang, args.config.as_deref());
    let Some(command) = args.command else { return bare::main(args.config.as_deref()) };
    let result = match command {
        Command::Run(run) => run::main(args.config.as_deref(), &run),
        Command::Check(check) => check::main(args.config.as_deref(), &check),
        Command::Add(add) => add::main(args.config.as_deref(), &add),
        Command::Status(status) => status::main(args.config.as_deref(), &status),
        Command::Wait(wait) => wait::main(args.config.as_deref(), &wait),
        Command::Forecast(forecast) => forecast::main(args.config.as_deref(), &forecast),
        Command::Files(files) => urls::files(args.config.as_deref(), &files),
        Command::Urls(urls) => urls::urls(args.config.as_deref(), &urls),
        Command::Submissions(submissions) => urls::submissions(args.config.as_deref(), &submissions),
        Command::Hosts(hosts) => hosts::main(args.config.as_deref(), &hosts),
        Command::Export(export) => export::main(args.config.as_deref(), &export),
        Command::Why(why) => why::main(args.config.as_deref(), &why),
        Command::Retry(retry) => orders::retry(args.config.as_deref(), &retry),
        Command::Cancel(cancel) => orders::cancel(args.config.as_deref(), &cancel),
        Command::Prioritize(prioritize) => orders::prioritize(args.config.as_deref(), &prioritize),
        Command::Pause(pause) => pause::pause(args.config.as_deref(), &pause),
        Command::Resume(resume) => pause::resume(args.config.as_deref(), &resume),
        Command::Budget(budget) => budget::main(args.config.as_deref(), &budget),
        Command::Notify(notify) => notify::main(args.config.as_deref(), &notify),
        Command::Sandbox(sandbox) => sandbox::main(&sandbox),
        Command::Demo(demo) => demo::main(&demo),
        Command::Generate(generate) => generate::main(&generate),
    };
    text::settle(result.unwrap_or_else(|error| {
        for (at, line) in errors::lines(&error, args.config.as_deref(), text::lang()).iter().enumerate() {
            text::err(&format!("{}{}", if at == 0 { "prefetchd: " } else { "" }, text::pasteable(&one_line(line))));
        }
        code_of(&error)
    }))
}

/// Prints the message of the command line parser and returns the exit code: help and version were asked for, anything
/// else is wrong usage.
pub fn print_usage(error: &clap::Error) -> i32 {
    let code = if error.use_stderr() { exit::USAGE } else { 0 };
    let printed = error.print().and_then(|()| std::io::Write::flush(&mut std::io::stdout()));
    text::code_of(printed.as_ref().err().filter(|_| !error.use_stderr()), code)
}

/// An error with its exit code.
#[derive(Debug, thiserror::Error)]
#[error("{words}")]
struct Failure {
    words: Words,
    code: i32,
}

fn failure(code: i32, words: Words) -> anyhow::Error {
    Failure { words, code }.into()
}

/// The exit code for an error without one.
fn code_of(error: &anyhow::Error) -> i32 {
    for cause in error.chain() {
        if let Some(failure) = cause.downcast_ref::<Failure>() {
            return failure.code;
        }
        if errors::denied(cause).is_some() {
            return exit::NO_PERMISSION;
        }
        if cause.is::<config::Error>() || cause.is::<credentials::Error>() || cause.is::<LeftCopy>() {
            return exit::CONFIG;
        }
        if cause.is::<OtherProduct>() || cause.is::<Namesake>() {
            return exit::CONFIG;
        }
        if matches!(cause.downcast_ref(), Some(net::Error::CaFile { .. })) {
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
                _ if errors::is_read_only(cause) => exit::NO_PERMISSION,
                store::Error::Newer { .. }
                | store::Error::OldLibrary(_)
                | store::Error::Linked { .. }
                | store::Error::NotLetIn(_)
                | store::Error::NoDatabase(_)
                | store::Error::Rights(_)
                | store::Error::Tls(_)
                | store::Error::OldServer(_)
                | store::Error::Foreign { .. } => exit::CONFIG,
                store::Error::Corrupt(_) | store::Error::Damaged(_) => exit::DATA,
                error if error.passes() => exit::TEMPORARY,
                store::Error::Missing(_) | store::Error::NoSchema(_) => exit::UNAVAILABLE,
                store::Error::Password(_) => exit::CONFIG,
                store::Error::Lost(_) => exit::TEMPORARY,
                _ => exit::IO,
            };
        }
        if cause.is::<std::io::Error>() {
            return exit::IO;
        }
    }
    exit::SOFTWARE
}

/// Opens the configured database for a command that changes it but must not create it.
async fn open_existing(config: &Config) -> store::Result<store::Store> {
    match config.database.url.file() {
        Some(path) => store::look_at(path)?,
        None if !store::open_reader_of(config).await?.may_write().await? => return Err(store::Error::Reader),
        None => {}
    }
    store::Store::of(config).await
}

/// The name of a file as the spool stores it: short, and harmless to print. A name that was given as the file was
/// dropped is found by it too.
fn spool_name() -> impl TypedValueParser<Value = String> {
    StringValueParser::new().map(|name| stored_name(name.as_ref()))
}

/// The arguments of this process. `help --help` is understood as `help`, though the parser's own command takes no
/// option.
pub fn arguments() -> Vec<std::ffi::OsString> {
    let mut arguments: Vec<_> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|word| word == "help") {
        arguments.retain(|word| word != "--help" && word != "-h");
    }
    arguments
}

/// The states of a URL, as completions name them.
fn state_words() -> impl TypedValueParser<Value = UrlState> {
    PossibleValuesParser::new(UrlState::ALL.map(<&str>::from))
        .map(|word| word.parse().expect("the parser takes only states"))
}

/// The priorities likewise.
fn priority_words() -> impl TypedValueParser<Value = Priority> {
    PossibleValuesParser::new(["urgent", "high", "normal", "low"])
        .map(|word| word.parse().expect("the parser takes only priorities"))
}

/// The lanes likewise.
fn lane_words() -> impl TypedValueParser<Value = Lane> {
    PossibleValuesParser::new(Lane::VARIANTS.iter().map(|lane| lane.word()))
        .map(|word| word.parse().expect("the parser takes only lanes"))
}

/// What a file asks for, likewise.
fn action_words() -> impl TypedValueParser<Value = Action> {
    PossibleValuesParser::new(Action::VARIANTS.iter().map(|action| action.word()))
        .map(|word| word.parse().expect("the parser takes only actions"))
}

/// The languages, as completions name them.
fn lang_words() -> impl TypedValueParser<Value = Lang> {
    PossibleValuesParser::new(["en", "zh"]).map(|word| word.parse().expect("the parser takes only languages"))
}

/// The async runtime of a command.
fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    use anyhow::Context as _;
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().context("starting the runtime")
}

fn load(named: Option<&std::path::Path>) -> anyhow::Result<(Config, Option<PathBuf>)> {
    let loaded = Config::load(named)?;
    words::speak_of(loaded.0.api.product);
    text::choose_invocation(Invocation::here(&loaded.0, loaded.1.as_deref(), None));
    Ok(loaded)
}
