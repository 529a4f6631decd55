//! `prefetchd sandbox`

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use super::{failure, runtime, text};
use crate::clock::Clock;
use crate::exit;
use crate::sandbox::{Sandbox, Scenario, serve};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: prefetchd sandbox --listen 127.0.0.1:8787\n\n\
        The account it saw: curl http://127.0.0.1:8787/_sandbox/account")]
pub(super) struct SandboxArgs {
    /// Address to listen on; with port 0 the system chooses a port
    #[arg(long, default_value = "127.0.0.1:8787", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// The account and what goes wrong, as a TOML file
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
}

pub(super) fn main(args: &SandboxArgs) -> anyhow::Result<i32> {
    if !args.listen.ip().is_loopback() {
        return Err(failure(exit::USAGE, crate::words::commands::SANDBOX_LOOPBACK));
    }
    let scenario = match &args.scenario {
        Some(path) => Scenario::load(path).map_err(|what| failure(exit::CONFIG, crate::words::Words::same(what)))?,
        None => Scenario::default(),
    };
    runtime()?.block_on(async {
        let sandbox = Sandbox::bind(args.listen, &scenario, Clock::system())
            .await
            .with_context(|| format!("listening on {}", args.listen))?;
        // A line for a program that started the sandbox.
        text::out(&format!("listening on http://{}", sandbox.address()?));
        text::err(&format!(
            "access key {} with secret {}; stop with Ctrl-C",
            scenario.account.access_key_id, scenario.account.access_key_secret
        ));
        serve(sandbox, CancellationToken::new()).await;
        Ok(0)
    })
}
