//! What was learned, for those who want to know. Each fact holds across restarts; how long, [`super::standing`] says.

use std::collections::BTreeMap;

use super::rates::PREFIX;
use crate::model::{AccountFact, Lane, Learned, from_millis};
use crate::schedule::{HostRate, QueueSize};
use crate::store::{Conn, Result, Sql, query};

const LEARNED: Sql = Sql::both(
    "
    select lane, fact, value, observed_at from facts
    where fact in ('quota', 'unit', 'refusals_cost', 'batch_urls_max', 'query_urls_max', 'in_flight_size')
       or (fact >= 'minute:' and fact < 'minute;')
    order by lane, fact",
);

/// Everything that was learned, by lane.
pub async fn learned(conn: &mut Conn) -> Result<Vec<Learned>> {
    let rows = query(LEARNED).fetch_all(conn).await?;
    let learned = rows.iter().filter_map(|row| {
        let what = read(row.get(1), row.get(2))?;
        Some(Learned { lane: Lane::of_number(row.get(0)), what, at: from_millis(row.get(3)) })
    });
    let mut least: BTreeMap<Lane, Learned> = BTreeMap::new();
    let mut all: Vec<Learned> = Vec::new();
    for one in learned {
        match one.what {
            AccountFact::UrlsAMinute(urls) => {
                let known = least.entry(one.lane).or_insert(one);
                if matches!(known.what, AccountFact::UrlsAMinute(known) if urls < known) {
                    *known = one;
                }
            }
            _ => all.push(one),
        }
    }
    all.extend(least.into_values());
    all.sort_by_key(|one| one.lane);
    Ok(all)
}

/// A stored fact; none if a newer version wrote something that this one does not understand.
fn read(fact: &str, value: &str) -> Option<AccountFact> {
    Some(match fact {
        "quota" => AccountFact::Quota(value.parse().ok()?),
        "unit" => AccountFact::CountsUrls(value == "urls"),
        "refusals_cost" => AccountFact::CountsRefused(value == "true"),
        "batch_urls_max" => AccountFact::UrlsACall(value.parse().ok()?),
        "query_urls_max" => AccountFact::UrlsAQuery(value.parse().ok()?),
        "in_flight_size" => AccountFact::QueueUrls(serde_json::from_str::<QueueSize>(value).ok()?.limit()),
        _ if fact.starts_with(PREFIX) => {
            AccountFact::UrlsAMinute(serde_json::from_str::<HostRate>(value).ok()?.limit()?)
        }
        _ => return None,
    })
}
