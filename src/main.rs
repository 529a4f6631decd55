//! Arguments, dispatch, exit code.

use clap::Parser as _;
use prefetchd::cli::{self, Args};
use prefetchd::exit;

fn main() {
    let code = match Args::try_parse() {
        Ok(args) => cli::main(args),
        Err(error) => {
            // Help and version are asked for; anything else is wrong usage. A closed pipe loses only the text.
            let _ = error.print();
            if error.use_stderr() { exit::USAGE } else { 0 }
        }
    };
    std::process::exit(code);
}
