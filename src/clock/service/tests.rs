use proptest::prelude::*;

use super::*;

/// How far the service's clock is ahead of the boot-time clock in these tests.
const AHEAD_MS: i64 = 1_700_000_000_000;

/// This machine `ms` after its boot, with its wall clock off by `wall_off_ms`.
fn moment(ms: i64, wall_off_ms: i64) -> Moment {
    Moment { wall: from_millis(AHEAD_MS + ms + wall_off_ms), boot: Duration::from_millis(ms.unsigned_abs()) }
}

/// The service's time then, in whole seconds as in `Date`.
fn date(ms: i64) -> Time {
    from_millis((AHEAD_MS + ms) / 1000 * 1000)
}

/// An answer that took a tenth of a second, with this `Date`.
fn answer(clock: &mut ServiceClock, ms: i64, wall_off_ms: i64, date: Option<Time>) -> Heard {
    answer_of(clock, "Quota", ms, wall_off_ms, date)
}

/// The same, of another operation.
fn answer_of(
    clock: &mut ServiceClock,
    operation: &'static str,
    ms: i64,
    wall_off_ms: i64,
    date: Option<Time>,
) -> Heard {
    clock.hear(operation, moment(ms, wall_off_ms), moment(ms + 100, wall_off_ms), date)
}

#[test]
fn two_answers_of_one_operation_do_not_outweigh_what_another_has_borne_out() {
    let mut clock = ServiceClock::default();
    assert_eq!(answer_of(&mut clock, "Quota", 0, 0, Some(date(50))), Heard::Proved);
    let day = 86_400_000;
    for n in 1..10 {
        let heard = answer_of(&mut clock, "Tasks", n * 1_000, 0, Some(date(n * 1_000 + day)));
        assert_eq!(heard, Heard::Contradicts, "{n}");
    }
    assert_eq!(answer_of(&mut clock, "Quota", 10_000, 0, Some(date(10_050))), Heard::Nothing);
    // Another front end agrees: the service's time has changed.
    assert_eq!(answer_of(&mut clock, "Tasks", 11_000, 0, Some(date(11_050 + day))), Heard::Contradicts);
    let leapt = answer_of(&mut clock, "Domains", 12_000, 0, Some(date(12_050 + day)));
    assert!(matches!(leapt, Heard::Leapt(_)), "{leapt:?}");
    // Nobody else has been heard for an hour: two answers of one operation are all there is.
    let later = 12_000 + 3_700_000;
    assert_eq!(answer_of(&mut clock, "Tasks", later, 0, Some(date(later))), Heard::Contradicts);
    assert!(matches!(answer_of(&mut clock, "Tasks", later + 1_000, 0, Some(date(later + 1_000))), Heard::Leapt(_)));
}

#[test]
fn nothing_is_proved_before_the_first_answer() {
    let reading = ServiceClock::default().reading(moment(0, 0));
    assert!(!reading.proved && reading.wants_word);
    assert!(!reading.is_past(reading.now - TimeDelta::days(365)));
    assert!(!reading.stays_before(reading.now + TimeDelta::days(365), Duration::ZERO));
}

#[test]
fn an_answer_bounds_the_time_from_both_sides() {
    let mut clock = ServiceClock::default();
    assert_eq!(answer(&mut clock, 1_000, 0, Some(date(1_050))), Heard::Proved);
    let reading = clock.reading(moment(1_100, 0));
    assert!(reading.proved && !reading.wants_word);
    let truth = from_millis(AHEAD_MS + 1_100);
    assert!(reading.earliest <= truth && truth <= reading.latest);
    assert!(reading.latest - reading.earliest <= TimeDelta::milliseconds(3_200));
}

#[test]
fn a_clock_that_is_25_seconds_slow_is_moved_into_the_bounds() {
    let mut clock = ServiceClock::default();
    assert_eq!(answer(&mut clock, 1_000, -25_000, Some(date(1_050))), Heard::Proved);
    assert_eq!(answer(&mut clock, 2_000, -25_000, Some(date(2_050))), Heard::Nothing);
    let reading = clock.reading(moment(2_100, -25_000));
    assert_eq!(reading.now, reading.earliest);
}

#[test]
fn the_first_answer_alone_moves_no_reset_that_this_machine_does_not_see() {
    for off in [25_000, -25_000] {
        // The first answer is wrong, or this machine is: nobody knows.
        let mut clock = ServiceClock::default();
        assert_eq!(answer(&mut clock, 1_000, off, Some(date(1_050))), Heard::Proved);
        let reading = clock.reading(moment(1_100, off));
        let [said, wall] = [date(1_100), from_millis(AHEAD_MS + 1_100 + off)];
        assert!(reading.lone && reading.proved);
        assert!(reading.earliest <= said.min(wall) && said.max(wall) <= reading.latest, "{reading:?}");
        // A second one agrees, or the two contradict each other and a third one is asked for.
        let mut agreed = clock.clone();
        assert_eq!(answer(&mut agreed, 2_000, off, Some(date(2_050))), Heard::Nothing);
        let reading = agreed.reading(moment(2_100, off));
        assert!(!reading.lone && reading.latest - reading.earliest < TimeDelta::seconds(4));
        assert_eq!(answer(&mut clock, 2_000, off, Some(date(2_050 + off))), Heard::Contradicts);
        let reading = clock.reading(moment(2_100, off));
        let wall = from_millis(AHEAD_MS + 2_100 + off);
        assert!(reading.wants_word && reading.earliest <= date(2_100).min(wall));
    }
}

#[test]
fn one_answer_with_a_date_and_then_none_is_no_reason_to_ask_for_ever() {
    let mut clock = ServiceClock::default();
    answer(&mut clock, 0, 10_000, Some(date(50)));
    for n in 1..=3 {
        answer(&mut clock, n * 1_000, 10_000, None);
    }
    let reading = clock.reading(moment(4_000, 10_000));
    assert!(!reading.lone && !reading.wants_word && reading.earliest <= date(4_000) && reading.proved);
}

#[test]
fn bounds_widen_with_time_until_a_free_call_is_worth_while() {
    let mut clock = ServiceClock::default();
    answer(&mut clock, 0, 0, Some(date(50)));
    let hour = 3_600_000;
    let reading = clock.reading(moment(hour, 0));
    assert!(!reading.wants_word && reading.latest - reading.earliest > TimeDelta::milliseconds(3_600));
    assert!(clock.reading(moment(24 * hour, 0)).wants_word);
}

#[test]
fn a_single_wrong_date_changes_nothing() {
    for wrong in ["9999-12-31T23:59:59Z", "2037-01-01T00:00:00Z", "1970-01-01T00:00:00Z"] {
        let wrong = chrono::DateTime::parse_from_rfc3339(wrong).unwrap().to_utc();
        let mut clock = ServiceClock::default();
        answer(&mut clock, 0, 0, Some(date(50)));
        let before = clock.reading(moment(2_000, 0));
        assert_eq!(answer(&mut clock, 1_000, 0, Some(wrong)), Heard::Contradicts);
        let after = clock.reading(moment(2_000, 0));
        assert_eq!((after.earliest, after.latest, after.wants_word), (before.earliest, before.latest, true));
        assert_eq!(answer(&mut clock, 3_000, 0, Some(date(3_050))), Heard::Nothing);
        assert!(!clock.reading(moment(4_000, 0)).wants_word);
    }
}

#[test]
fn a_leap_counts_when_a_second_answer_agrees() {
    let mut clock = ServiceClock::default();
    answer(&mut clock, 0, 0, Some(date(50)));
    let day = TimeDelta::days(1);
    assert_eq!(answer(&mut clock, 1_000, 0, Some(date(1_050) + day)), Heard::Contradicts);
    let Heard::Leapt(by) = answer(&mut clock, 2_000, 0, Some(date(2_050) + day)) else { panic!("it agrees") };
    assert!((by - day).abs() < TimeDelta::seconds(3), "{by}");
    let reading = clock.reading(moment(3_000, 0));
    assert!(reading.is_past(date(0) + day) && !reading.wants_word);
}

#[test]
fn a_first_answer_needs_a_second_one_unless_this_machine_agrees() {
    let day = 86_400_000;
    let mut clock = ServiceClock::default();
    assert_eq!(answer(&mut clock, 1_000, day, Some(date(1_050))), Heard::Contradicts);
    assert!(!clock.reading(moment(1_500, day)).proved);
    assert_eq!(answer(&mut clock, 2_000, day, Some(date(2_050))), Heard::Proved);
    let reading = clock.reading(moment(2_100, day));
    assert!(reading.proved && reading.latest < from_millis(AHEAD_MS + 10_000));
}

#[test]
fn dates_that_never_agree_are_noise_and_stop_nothing() {
    let mut clock = ServiceClock::default();
    answer(&mut clock, 0, 0, Some(date(50)));
    for n in 1..=i64::from(CONTRADICTIONS_MAX) {
        assert_eq!(answer(&mut clock, n * 1_000, 0, Some(date(0) + TimeDelta::days(n))), Heard::Contradicts);
    }
    let reading = clock.reading(moment(5_000, 0));
    assert!(reading.proved && !reading.wants_word);
}

#[test]
fn without_any_date_this_machine_counts_after_three_answers() {
    let mut clock = ServiceClock::default();
    assert_eq!(answer(&mut clock, 0, 0, None), Heard::Nothing);
    assert_eq!(answer(&mut clock, 1_000, 0, None), Heard::Nothing);
    assert_eq!(answer(&mut clock, 2_000, 0, None), Heard::WallCounts);
    let reading = clock.reading(moment(2_500, 0));
    assert!(reading.proved && !reading.wants_word);
    // From then on the boot-time clock counts, whatever the wall clock is set to.
    let reading = clock.reading(moment(3_000, 86_400_000));
    assert!(reading.latest < from_millis(AHEAD_MS + 60_000) && reading.wants_word);
}

/// One answer of a history.
#[derive(Debug, Clone, Copy)]
struct Turn {
    pause_ms: i64,
    out_ms: i64,
    back_ms: i64,
    lie_hours: Option<i64>,
}

fn turn() -> impl Strategy<Value = Turn> {
    let lie = prop_oneof![3 => Just(None), 1 => (-100_i64..100).prop_map(Some)];
    (0_i64..20_000_000, 0_i64..15_000, 0_i64..15_000, lie).prop_map(|(pause_ms, out_ms, back_ms, lie_hours)| {
        // Never near the truth, and never what a wall clock that is a day off says.
        let lie_hours = lie_hours.map(|hours| hours * 24 + 7);
        Turn { pause_ms, out_ms, back_ms, lie_hours }
    })
}

proptest! {
    /// However this machine's clock is set and the boot-time clock drifts: while no two lies in a row agree, the proved
    /// bounds contain the truth, and charging and signing go by a time within seconds of it.
    #[test]
    fn what_is_proved_holds_the_truth(
        turns in proptest::collection::vec(turn(), 1..40),
        wall_off in prop_oneof![-20_000_i64..20_000, Just(86_400_000_i64), Just(-86_400_000_i64)],
        drift_ppm in -400_i64..400,
    ) {
        let truth = |boot: i64| AHEAD_MS + boot + boot * drift_ppm / 1_000_000;
        let (mut clock, mut boot, mut lied) = (ServiceClock::default(), 1_000, false);
        for turn in turns {
            boot += turn.pause_ms;
            let sent = moment(boot, wall_off);
            let written = truth(boot + turn.out_ms) / 1000 * 1000;
            boot += turn.out_ms + turn.back_ms;
            lied = turn.lie_hours.is_some() && !lied;
            let lie = turn.lie_hours.filter(|_| lied).map_or(0, |hours| hours * 3_600_000);
            clock.hear("Quota", sent, moment(boot, wall_off), Some(from_millis(written + lie)));
            let reading = clock.reading(moment(boot, wall_off));
            let now = from_millis(truth(boot));
            prop_assert!(reading.earliest <= now && now <= reading.latest, "{reading:?} at {now}");
            prop_assert!(reading.earliest <= reading.now || !reading.proved);
            prop_assert!(reading.now <= reading.latest || !reading.proved);
        }
    }
}
