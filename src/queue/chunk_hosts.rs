//! The domains of a chunk that is being queued: found or added once, with the counts of their new rows.

use std::collections::{HashMap, HashSet};

use super::enqueue::widened;
use super::new_urls::NewRow;
use super::rows::{KINDS, kind};
use super::seat::Seat;
use super::tally::Moves;
use crate::model::{FileId, HostId, Priority, Time, UrlState, to_millis};
use crate::store::{Bulk, Column, Result, Sql, args};

/// In their order; PostgreSQL's numbers would have gaps if it tried to add those that are there.
const ADD_HOST: Sql = Sql::two(
    "insert into hosts (since, host) values (?1, ?2) on conflict (host) do nothing",
    "
    insert into hosts (since, host)
    select ?1, v.host from unnest(cast(?2 as text[])) with ordinality as v (host, n)
    where not exists (select 1 from hosts as h where h.host = v.host)
    order by v.n",
);

const HOST_RANGE: Sql = Sql::two(
    "
    update hosts set url_from = iif(url_from = 0, ?2, url_from), url_to = ?3 where host_id = ?1",
    "
    update hosts set url_from = iif(hosts.url_from = 0, v.first, hosts.url_from), url_to = v.last
    from unnest((select cast(?1 as bigint[])), (select cast(?2 as bigint[])), (select cast(?3 as bigint[])))
         as v (host_id, first, last)
    where hosts.host_id = v.host_id",
);

const HOST: Sql = Sql::two(
    "select host_id, standing in ('refused', 'offline'), host from hosts where host = ?1",
    "
    select h.host_id, h.standing in ('refused', 'offline'), h.host
    from unnest((select cast(?1 as text[]))) as v (host) join hosts as h on h.host = v.host",
);

/// Most domains of a chunk that are cached at a time, however many it names.
pub(super) const HOSTS_MAX: usize = 4_096;

/// A domain.
struct ChunkHost {
    id: HostId,
    parked: bool,
    /// New rows by kind ([`KINDS`]) and priority.
    added: [[i64; 4]; KINDS.len()],
    /// The first and the last of them.
    rows: Option<(i64, i64)>,
}

/// The domains that were met.
pub(super) struct ChunkHosts<'c> {
    conn: &'c Bulk,
    file: FileId,
    now: Time,
    met: HashMap<&'c str, ChunkHost>,
}

impl<'c> ChunkHosts<'c> {
    /// Of a chunk of this file.
    pub(super) fn new(conn: &'c Bulk, file: FileId, now: Time) -> Self {
        Self { conn, file, now, met: HashMap::new() }
    }

    /// The domain of a new row, where it is counted, and whether its URLs are parked.
    pub(super) fn of(
        &mut self,
        name: &'c str,
        id: i64,
        row: (&NewRow, Priority),
        moves: &mut Moves,
    ) -> Result<(HostId, bool)> {
        if let Some(counted) = self.count(name, id, row) {
            return Ok(counted);
        }
        self.meet([name], moves)?;
        Ok(self.count(name, id, row).expect("it was met"))
    }

    fn count(&mut self, name: &str, id: i64, (row, priority): (&NewRow, Priority)) -> Option<(HostId, bool)> {
        let host = self.met.get_mut(name)?;
        host.added[kind(row.lane, row.first_step)][priority as usize] += 1;
        host.rows = Some(widened(host.rows, id));
        Some((host.id, host.parked))
    }

    /// Finds or adds those of these domains that were not met before, [`HOSTS_MAX`] at most.
    pub(super) fn meet(&mut self, names: impl IntoIterator<Item = &'c str>, moves: &mut Moves) -> Result<()> {
        let mut seen = HashSet::new();
        let names: Vec<&'c str> = names.into_iter().filter(|name| seen.insert(*name)).collect();
        if self.met.len() + names.iter().filter(|name| !self.met.contains_key(*name)).count() > HOSTS_MAX {
            self.settle(moves)?;
        }
        let unmet: Vec<_> = names.into_iter().filter(|name| !self.met.contains_key(name)).map(Some).collect();
        self.conn.run_each(ADD_HOST, &args![to_millis(self.now)], &[Column::Texts(&unmet)])?;
        for row in self.conn.rows_each(HOST, &[], &[Column::Texts(&unmet)])? {
            if let Some(name) = seen.get(row.get::<&str, _>(2)) {
                let (id, parked) = (HostId(row.get(0)), row.get(1));
                self.met.insert(name, ChunkHost { id, parked, added: Default::default(), rows: None });
            }
        }
        Ok(())
    }

    /// Writes the counts of new URLs by domain, and forgets the domains.
    pub(super) fn settle(&mut self, moves: &mut Moves) -> Result<()> {
        let mut ranges: [Vec<Option<i64>>; 3] = Default::default();
        for (_, host) in self.met.drain() {
            if let Some((first, last)) = host.rows {
                ranges.iter_mut().zip([host.id.0, first, last]).for_each(|(column, value)| column.push(Some(value)));
            }
            for ((lane, first_step), added) in KINDS.into_iter().zip(host.added) {
                for (priority, added) in Priority::ALL.into_iter().zip(added).filter(|(_, added)| *added > 0) {
                    let seat = Seat { file: self.file, host: host.id, priority, lane, first_step };
                    moves.add(seat, UrlState::Pending, added);
                }
            }
        }
        self.conn.run_each(HOST_RANGE, &[], &ranges.each_ref().map(|column| Column::Ints(column)))?;
        std::mem::take(moves).apply_bulk(self.conn)
    }
}
