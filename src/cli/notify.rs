//! `prefetchd notify`

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::text::{json, out, tell};
use super::{failure, load, runtime};
use crate::exit;
use crate::model::DayStart;
use crate::notify::{RobotState, robot_states, try_robot};
use crate::status::Invocation;
use crate::store;
use crate::telemetry::one_line;
use crate::words::{Words, commands, times};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
--test sends a message through each robot and says what became of it. A URL that is a credential of the unit can
be read by the unit alone.

Examples:
  prefetchd notify
  sudo -u prefetchd prefetchd notify --test --robot dingtalk")]
pub(super) struct NotifyArgs {
    /// Send each robot a test message
    #[arg(long)]
    test: bool,
    /// Only this robot of `[[notify.robot]]`, by its name
    #[arg(long, value_name = "NAME")]
    robot: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A robot, and what became of the last message.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Told {
    robot: String,
    kind: &'static str,
    #[serde(flatten)]
    state: RobotState,
}

pub(super) fn main(config: Option<&Path>, args: &NotifyArgs) -> anyhow::Result<i32> {
    let (config, path) = load(config)?;
    let by = Invocation::here(&config, path.as_deref(), None);
    // Whoever may not read the robots' URLs would be told that their files belong to the wrong user.
    let args_given = std::env::args().skip(1).collect::<Vec<_>>();
    let other = by.as_owner(&by.again(&args_given)).filter(|_| !rustix::process::geteuid().is_root());
    if let Some(how) = other.filter(|_| args.test) {
        return Err(failure(exit::NO_PERMISSION, commands::robots_of_the_service(&how)));
    }
    let is_meant = |name: &str| args.robot.as_deref().is_none_or(|wanted| wanted == name);
    let robots: Vec<_> = config.notify.robot.iter().filter(|robot| is_meant(robot.name())).collect();
    if robots.is_empty() {
        let name = args.robot.as_deref().map(one_line);
        return Err(failure(exit::DATA, commands::no_robot(name.as_deref())));
    }
    let told = runtime()?.block_on(async {
        let mut told = Vec::new();
        let mut states = Vec::new();
        if !args.test {
            let mut conn = store::open_reader_of(&config).await?;
            states = robot_states(&mut conn).await?;
        }
        for robot in robots {
            let state = if args.test {
                let failed = try_robot(&config, robot, chrono::Utc::now()).await.err();
                RobotState { failures: failed.is_some().into(), failed_why: failed, ..RobotState::default() }
            } else {
                let found = states.iter().find(|(name, _)| name == robot.name());
                found.map(|(_, state)| state.clone()).unwrap_or_default()
            };
            told.push(Told { robot: robot.name().to_owned(), kind: robot.kind.into(), state });
        }
        store::Result::Ok(told)
    })?;
    if args.json {
        out(&json(&told)?);
    } else {
        for robot in &told {
            tell(&line(robot, args.test, config.budget.day_starts));
        }
    }
    let failed = told.iter().any(|robot| robot.state.failures > 0);
    Ok(if failed { exit::ATTENTION } else { 0 })
}

fn line(robot: &Told, tested: bool, day_starts: DayStart) -> Words {
    let state = &robot.state;
    let told_at = state.tried_at.as_ref().map(|at| times::local(at, day_starts));
    commands::robot(&one_line(&robot.robot), robot.kind, state.failed_why.as_deref(), tested, told_at.as_deref())
}
