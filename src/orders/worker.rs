//! The stage that carries out orders of members of the group.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;
use tracing::{info, warn};

use super::folder::{OrderFile, Tray, read};
use super::perform::{begin_tx, look};
use super::quiet::{Quiet, Say};
use super::users::named;
use super::written::Written;
use crate::model::{OrderFault, OrderId};
use crate::queue::{self, Asker, ORDER_ROWS_MAX, Order, Owners, Selection};
use crate::stage::{Pulse, Stage, Then, Tools};
use crate::{store, telemetry};

/// How often the folder is looked at when nothing was heard of it.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// How soon a file is looked at again that may still be written.
const WRITTEN_AGAIN: Duration = Duration::from_millis(250);

/// The stage.
#[derive(Debug)]
pub struct Clerk {
    tools: Tools,
    tray: Tray,
    woken: Arc<Notify>,
    /// The watcher, and the folder for which it was set up: one that was made again is another one.
    armed: Option<(RecommendedWatcher, (u64, u64))>,
    /// What was last said about a folder that cannot be used.
    said: Option<String>,
    /// What was logged of whose orders.
    quiet: Quiet,
}

impl Stage for Clerk {
    fn pulse(&self) -> &Pulse {
        &self.tools.pulse
    }

    async fn advance(&mut self) -> store::Result<Then> {
        let mut problem = self.arm().err();
        let waiting = match self.tray.waiting() {
            Ok(waiting) => waiting,
            Err(error) => {
                self.say(Some(&error));
                return Ok(Then::Wait(LOOK_AGAIN));
            }
        };
        let (mut then, mut some_done) = (Then::Wait(LOOK_AGAIN), false);
        for (name, path) in waiting {
            self.tools.pulse.beat();
            if self.tools.stop.is_cancelled() {
                break;
            }
            match self.take(&name, path).await? {
                Ok(is_done) if is_done => some_done = true,
                Ok(_) => then = Then::Wait(WRITTEN_AGAIN),
                Err(error) => problem = Some(error),
            }
        }
        self.say(problem.as_ref());
        // There may be more than one look shows.
        Ok(if some_done { Then::Go } else { then })
    }

    async fn woken(&mut self) {
        self.woken.notified().await;
    }
}

impl Clerk {
    /// The stage, for the orders in this folder.
    pub fn new(tools: Tools, tray: Tray) -> Self {
        Self { tools, tray, woken: Arc::default(), armed: None, said: None, quiet: Quiet::default() }
    }

    /// Watches the folder.
    fn arm(&mut self) -> io::Result<()> {
        let meta = std::fs::metadata(self.tray.path())?;
        let identity = (meta.dev(), meta.ino());
        if self.armed.as_ref().is_some_and(|(_, armed)| *armed == identity) {
            return Ok(());
        }
        let woken = Arc::clone(&self.woken);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // Reading the folder and removing what was done are its own doings.
            if !matches!(event.map(|event| event.kind), Ok(EventKind::Access(_) | EventKind::Remove(_))) {
                woken.notify_one();
            }
        })
        .map_err(io::Error::other)?;
        watcher.watch(self.tray.path(), RecursiveMode::NonRecursive).map_err(io::Error::other)?;
        self.armed = Some((watcher, identity));
        Ok(())
    }

    /// Says once what is wrong with the folder.
    fn say(&mut self, problem: Option<&io::Error>) {
        let problem = problem.map(ToString::to_string);
        if let Some(error) = problem.as_ref().filter(|error| self.said.as_ref() != Some(error)) {
            let folder = self.tray.path().display();
            warn!(%folder, error, "members' orders cannot be read; operators' orders are not affected");
        }
        self.said = problem;
    }

    /// Carries out the order in this file, and removes it. False if it may still be written.
    async fn take(&mut self, name: &OsString, path: PathBuf) -> store::Result<io::Result<bool>> {
        let found = match read(name, path) {
            Ok(None) => return Ok(Ok(true)),
            Ok(Some(found)) => found,
            Err(error) => return Ok(Err(error)),
        };
        let begun = queue::dropped_order(self.tools.store.read(), self.tools.store.host(), &found.dropped).await?;
        if begun.is_none_or(|(_, is_done)| !is_done) {
            let asked = match &found.content {
                None => return Ok(Ok(false)),
                Some(content) => self.allowed(content.clone(), found.uid).await?,
            };
            match asked {
                Ok((order, which)) => {
                    let Some(row) = self.carry_out(order, &which, &found, begun.map(|(row, _)| row)).await? else {
                        return Ok(Ok(true));
                    };
                    self.finish(row).await?;
                }
                Err(fault) => self.refuse(&fault, &found).await?,
            }
        }
        Ok(remove(&found).map(|()| true))
    }

    /// What is asked for, if its owner may ask for it.
    async fn allowed(
        &self,
        content: Result<Written, OrderFault>,
        uid: u32,
    ) -> store::Result<Result<(Order, Selection), OrderFault>> {
        let asked = content.and_then(|written| written.meant(uid));
        let Some(file) = asked.as_ref().ok().and_then(|(_, which)| which.file.clone()) else { return Ok(asked) };
        Ok(match queue::owners(self.tools.store.read(), &file, uid).await? {
            Owners::Asker => asked,
            Owners::Nothing => Err(OrderFault::NoFile { file }),
            Owners::Other(owner) => Err(OrderFault::NotYours { file, owner: owner.map(named) }),
        })
    }

    /// Changes the URLs, in steps. None if the daemon stops before it is done: the next start goes on.
    async fn carry_out(
        &mut self,
        order: Order,
        which: &Selection,
        found: &OrderFile,
        begun: Option<OrderId>,
    ) -> store::Result<Option<OrderId>> {
        let Tools { store, clock, pulse, stop, .. } = &self.tools;
        let (ids, _) = look(&mut store.read().acquire().await?, order, which).await?;
        let who = named(found.uid);
        let row = match begun {
            Some(row) => row,
            None => {
                let mut tx = store.write().await?;
                let asker = Asker { who: &who, host: store.host() };
                let (row, _) = begin_tx(&mut tx, order, which, asker, Some(&found.dropped), clock.now()).await?;
                tx.commit().await?;
                row
            }
        };
        let mut urls = 0;
        for ids in ids.chunks(ORDER_ROWS_MAX) {
            pulse.beat();
            if stop.is_cancelled() {
                return Ok(None);
            }
            let mut tx = store.write().await?;
            urls += order.perform_tx(&mut tx, row, ids, which, clock.now()).await?;
            tx.commit().await?;
            self.tools.wakes.queued();
            tokio::task::yield_now().await;
        }
        if self.is_said(found.uid, &who) {
            info!(who, order = order.command(), what = %which, urls, "carried out an order of a member of the group");
        }
        Ok(Some(row))
    }

    async fn finish(&self, row: OrderId) -> store::Result<()> {
        let mut tx = self.tools.store.write().await?;
        queue::finish_order_tx(&mut tx, row, self.tools.clock.now()).await?;
        tx.commit().await
    }

    async fn refuse(&mut self, fault: &OrderFault, found: &OrderFile) -> store::Result<()> {
        let who = named(found.uid);
        let asker = Asker { who: &who, host: self.tools.store.host() };
        let mut tx = self.tools.store.write().await?;
        queue::refuse_order_tx(&mut tx, asker, &found.dropped, fault, self.tools.clock.now()).await?;
        tx.commit().await?;
        let why = telemetry::one_line(&crate::words::order_fault(fault).en);
        if self.is_said(found.uid, &who) {
            warn!(who, order = found.dropped.name, why, "refused an order of a member of the group");
        }
        Ok(())
    }

    /// Whether this order is logged: members can write thousands.
    fn is_said(&mut self, uid: u32, who: &str) -> bool {
        let say = self.quiet.hear(uid, self.tools.clock.now());
        match say {
            Say::Tell { unsaid: 0 } | Say::Hush => {}
            Say::Tell { unsaid } => info!(who, unsaid, "orders of this member were not logged; `v_orders` has them"),
            Say::Last => info!(who, "more orders of this member are not logged in this minute; `v_orders` has them"),
        }
        say != Say::Hush
    }
}

/// Removes an order that has been dealt with.
fn remove(found: &OrderFile) -> io::Result<()> {
    match std::fs::remove_file(&found.path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(io::Error::new(error.kind(), format!("{}: {error}", found.path.display())))
        }
        _ => Ok(()),
    }
}
