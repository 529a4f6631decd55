//! How many requests finding the bad URLs costs, and the fewest in which anybody could.

use super::*;

/// The fewest requests in which anybody can find `bad` of `urls`, accepted ones carrying `full` at most: as many
/// accepted ones as the good URLs need, and as many refused ones that their order among the accepted ones can tell
/// which are bad.
fn bound(urls: usize, bad: usize) -> f64 {
    let log2_choose = |n: f64, k: f64| -> f64 {
        let mut bits = 0.0;
        let mut i = 0.0;
        while i < k {
            bits += ((n - i) / (k - i)).log2();
            i += 1.0;
        }
        bits
    };
    let needed = log2_choose(urls as f64, bad as f64);
    let carrying = ((urls - bad) as f64 / FULL as f64).ceil();
    let enough = |all: f64| {
        // With so many in all, of which at least `carrying` are accepted, the most that their order can tell.
        let refused = (all - carrying).min((all / 2.0).floor());
        refused > 0.0 && log2_choose(all, refused) >= needed
    };
    let mut all = carrying;
    while !enough(all) {
        all += 1.0;
    }
    all
}

pub(super) fn isolation(rate: f64, urls: usize, seed: u64) {
    let mut chance = StdRng::seed_from_u64(seed);
    let bad: HashSet<UrlId> = (0..urls as i64).filter(|_| chance.random_bool(rate)).map(UrlId).collect();
    let mut cases = Cases::default();
    let mut seen = BadRate::default();
    let mut ordinary: std::collections::BTreeSet<UrlId> = (0..urls as i64).map(UrlId).collect();
    let (mut requests, mut refused, mut found) = (0_i64, 0_i64, 0_usize);
    loop {
        let suspected = cases.suspected();
        let members = cases.open.iter().flat_map(|case| &case.members);
        let mut apart: HashSet<UrlId> = members.map(|member| member.url).collect();
        let others = u32::try_from(ordinary.len() - apart.len()).unwrap();
        let full = FULL as u32;
        let test = cases.next_test(&Supply { urls_max: full, full, others, bad_rate: seen });
        let mut batch: Vec<UrlId> = Vec::new();
        let mut room = full.min(seen.batch_worth_while());
        if let Some(test) = test {
            batch = test.suspects;
            room = test.others;
        } else {
            apart = suspected;
        }
        batch.extend(ordinary.iter().filter(|url| !apart.contains(url)).take(room as usize));
        if batch.is_empty() {
            break;
        }
        requests += 1;
        if batch.iter().any(|url| bad.contains(url)) {
            refused += 1;
            let member = |url: &UrlId| Suspect { url: *url, host: HostId(1), core: false, away: false };
            let members = batch.iter().map(member).collect();
            let case = Case {
                id: SubmissionId(requests),
                blame: Blame::Url,
                why: ReasonKind::MalformedUrl.into(),
                unsure: false,
                members,
            };
            if let Some(Found::Url { url, .. }) = cases.refused(case, &HashSet::new()) {
                found += 1;
                seen = seen.seen(0, 1);
                ordinary.remove(&url);
            }
        } else {
            seen = seen.seen(u32::try_from(batch.len()).unwrap(), 0);
            let members: Vec<(UrlId, HostId)> = batch.iter().map(|url| (*url, HostId(1))).collect();
            cases.accepted(&members);
            for url in &batch {
                ordinary.remove(url);
            }
        }
    }
    assert_eq!(found, bad.len());
    let bound = bound(urls, bad.len());
    let ideal = (urls - bad.len()).div_ceil(FULL) as f64;
    let each = |n: f64| n / bad.len().max(1) as f64;
    println!(
        "  1 in {:>9}: {urls:>9} URLs, {found:>5} bad: {requests:>6} requests ({refused} refused), bound {bound:>6}: \
        {:5.3} times; beyond the {ideal} that carry: {:6.2} for each bad one, bound {:6.2}",
        (1.0 / rate).round(),
        requests as f64 / bound,
        each(requests as f64 - ideal),
        each(bound - ideal),
    );
}
