//! Orders of members of the group: dropped into the spool, and waited for until the daemon has dealt with them.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::{Done, failure};
use crate::config::Config;
use crate::daemon::{Held, Lock, lock_paths};
use crate::exit;
use crate::orders::{Tray, Written, drop_order, look};
use crate::queue::{self, Order, Progress, Selection};
use crate::store;
use crate::words::commands;

/// How often the database is asked what became of the order.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long nothing may become of it.
const NOTHING_FOR: Duration = Duration::from_secs(10);

/// Has the daemon carry the order out.
///
/// # Errors
///
/// The order is refused (77 if the file is somebody else's), no daemon takes it (75), or the spool or the database
/// cannot be used.
pub(super) async fn ask(config: &Config, tray: &Tray, order: Order, which: &Selection) -> anyhow::Result<Done> {
    let mut conn = store::open_reader_of(config).await?;
    let (_, leased) = look(&mut conn, order, which).await?;
    let name = drop_order(tray, &Written::new(order, which))
        .with_context(|| format!("dropping the order into {}", tray.path().display()))?;
    let (mut seen, mut moved) = (None, Instant::now());
    loop {
        let progress = queue::order_progress(&mut conn, config.database.host().as_str(), &name).await?;
        match progress {
            Some(Progress::Done { urls }) => return Ok(Done { urls, ..Done::of(order, which, leased) }),
            Some(Progress::Refused { code, why }) => {
                let code = if code == "not_yours" { exit::NO_PERMISSION } else { exit::DATA };
                return Err(failure(code, why));
            }
            _ if progress != seen => (seen, moved) = (progress, Instant::now()),
            _ => {
                let runs = lock_paths(config).iter().any(|path| Lock::held(path) != Held::Free);
                if !runs || moved.elapsed() > NOTHING_FOR {
                    return Err(still_waiting(runs, &tray.path().join(&name)));
                }
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn still_waiting(runs: bool, order: &Path) -> anyhow::Error {
    let why = if runs { commands::ORDER_NOT_TAKEN } else { commands::ORDER_WITHOUT_DAEMON };
    failure(exit::TEMPORARY, commands::takes_it_back(&why, &crate::model::quoted(&order.to_string_lossy())))
}
