use proptest::prelude::*;

use super::*;
use crate::model::{from_millis, parse_task_ids};

fn span() -> Span {
    let minute = from_millis(60 * 60_000);
    Span::of(
        minute - TimeDelta::milliseconds(1_500),
        minute,
        minute + TimeDelta::seconds(10),
        std::time::Duration::from_secs(30),
    )
}

fn at(seconds: i64) -> Option<Time> {
    Some(from_millis(60 * 60_000 + seconds * 1000))
}

fn urls(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("https://vod.example.com/第{n}集.ts")).collect()
}

fn task(id: &str, urls: &[String], made: Option<Time>) -> Listed {
    let row = |url: &String| TaskRow { object_path: url.clone(), creation_time: made, ..TaskRow::default() };
    let id = parse_task_ids(id).remove(0);
    Listed { id, total: urls.len() as u64, rows: urls.iter().map(row).collect(), others: Vec::new() }
}

fn fit(batch: &[String], listed: &[Listed]) -> Fit {
    let batch: Vec<&str> = batch.iter().map(String::as_str).collect();
    fits(&batch, listed, span())
}

fn is_ours(fit: &Fit) -> bool {
    matches!(fit, Fit::Ours { .. })
}

#[test]
fn a_colleagues_prefetch_of_the_first_url_does_not_settle_the_batch() {
    let batch = urls(0..100);
    let foreign = task("7", &batch[..1], at(3));
    assert_eq!(fit(&batch, std::slice::from_ref(&foreign)), Fit::Foreign { tasks: vec![foreign.id], listed: 1 });
    assert_eq!(fit(&batch, &[]), Fit::NotYet);
    // Nor do both ends, among as many other URLs as the batch has.
    let ends = [&batch[..1], &urls(500..598), &batch[99..]].concat();
    assert!(!is_ours(&fit(&batch, &[task("7", &ends, at(3))])));
    // Nor does all of it, if made before the call, as far as the service's clock is known and shown.
    for seconds in [-3_600, -50, -3] {
        let early = fit(&batch, &[task("7", &batch, at(seconds))]);
        assert_eq!(early, Fit::Foreign { tasks: parse_task_ids("7"), listed: 0 }, "{seconds}");
    }
    assert!(is_ours(&fit(&batch, &[task("7", &batch, at(-2))])));
}

#[test]
fn a_task_that_was_merged_with_another_submissions_settles_only_what_is_not_that_ones() {
    let (batch, other) = (urls(0..10), urls(10..20));
    let mut merged = task("7", &[batch.clone(), other.clone()].concat(), at(3));
    merged.others = other;
    let Fit::Ours { tasks, performed_at } = fit(&batch, &[merged.clone()]) else { panic!("it is") };
    assert_eq!((tasks, performed_at), (vec![merged.id.clone()], at(3)));
    merged.others.push(batch[4].clone());
    assert!(!is_ours(&fit(&batch, &[merged])));
}

#[test]
fn somebody_elses_task_of_a_part_is_left_out_beside_the_batchs_own() {
    let batch = urls(0..10);
    let own = [task("7", &batch[..5], at(3)), task("8", &batch[5..], at(3))];
    let listed = [task("9", &batch[..1], at(500)), own[0].clone(), own[1].clone()];
    assert_eq!(fit(&batch, &listed), Fit::Ours { tasks: parse_task_ids("7,8"), performed_at: at(3) });
}

#[test]
fn a_task_of_more_rows_than_are_read_settles_by_its_ends_and_its_total() {
    let batch = urls(0..10);
    let mut listed = task("7", &[&batch[..3], &batch[9..]].concat(), at(3));
    listed.total = 10;
    assert!(is_ours(&fit(&batch, &[listed.clone()])));
    listed.total = 9;
    assert!(!is_ours(&fit(&batch, &[listed.clone()])));
    (listed.total, listed.rows) = (10, listed.rows[..3].to_vec());
    assert!(!is_ours(&fit(&batch, &[listed])));
}

#[test]
fn tasks_of_a_batch_of_few_may_be_anothers_and_ours_may_come_yet() {
    let day_ends = from_millis(60 * 60_000);
    assert!(may_be_anothers(1, at(-5), day_ends) && may_be_anothers(10, None, day_ends));
    assert!(!may_be_anothers(11, at(-5), day_ends), "nobody prefetches the same hundred URLs at the same time");
    assert!(!may_be_anothers(1, at(5), day_ends), "it is charged to the day on which it was performed");
}

proptest! {
    /// Tasks that leave out one URL of the batch never settle it, whatever else they list.
    #[test]
    fn what_does_not_list_all_of_a_batch_settles_nothing(
        size in 2_usize..60, without in any::<prop::sample::Index>(), strangers in 0_usize..80, parts in 1_usize..5,
        seconds in -2_i64..600,
    ) {
        let batch = urls(0..size);
        let mut rows = [batch.clone(), urls(1000..1000 + strangers)].concat();
        rows.remove(without.index(size));
        let part = rows.len().div_ceil(parts);
        let listed: Vec<Listed> =
            rows.chunks(part).enumerate().map(|(n, urls)| task(&n.to_string(), urls, at(seconds))).collect();
        prop_assert!(!is_ours(&fit(&batch, &listed)));
    }

    /// A batch's own tasks settle it if they were made within its window, however they are split, merged with others',
    /// spelled and ordered.
    #[test]
    fn a_batchs_own_tasks_settle_it(
        size in 1_usize..60, strangers in 0_usize..80, parts in 1_usize..5, seconds in -2_i64..900,
        reversed in any::<bool>(),
        outside in prop_oneof![-86_400_i64..-2, 1_021_i64..86_400],
    ) {
        let batch = urls(0..size);
        let spelled = |url: &String| url.replace("https://vod", "http://VOD").replace('第', "%E7%AC%AC");
        let mut rows: Vec<String> = batch.iter().map(spelled).chain(urls(1000..1000 + strangers)).collect();
        if reversed {
            rows.reverse();
        }
        let part = rows.len().div_ceil(parts);
        let made = |seconds| -> Vec<Listed> {
            rows.chunks(part).enumerate().map(|(n, urls)| task(&n.to_string(), urls, at(seconds))).collect()
        };
        prop_assert!(is_ours(&fit(&batch, &made(seconds))));
        prop_assert!(!is_ours(&fit(&batch, &made(outside))));
    }
}
