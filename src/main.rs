//! Parses arguments, runs the command, returns the exit code.

use clap::Parser as _;
use prefetchd::cli::{self, Args};

fn main() {
    let code = match Args::try_parse_from(cli::arguments()) {
        Ok(args) => cli::main(args),
        Err(error) => cli::print_usage(&error),
    };
    std::process::exit(code);
}
