use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::store::Fence;

const HOSTS: usize = 3;
const SCHEDULES: u64 = 400;
const STEPS: u32 = 600;

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn free(epoch: &str, now: &str) -> Seen {
    Seen { is_free: true, epoch: Some(epoch.to_owned()), epoch_now: now.to_owned(), ..Seen::default() }
}

const OWN: Own = Own { may_take: true, may_keep: true, is_over: false, has_ended: false };

fn leader() -> Machine {
    let mut machine = Machine::new(Lengths::default());
    machine.took(Taken { fence: 7, epoch: Some("a".to_owned()), epoch_now: "a".to_owned() }, seconds(1), seconds(2));
    machine
}

fn held(fence: i64) -> Seen {
    Seen { fence, epoch: Some("a".to_owned()), epoch_now: "a".to_owned(), ..Seen::default() }
}

#[test]
fn a_free_lease_is_taken_unless_this_host_may_not_or_the_server_only_follows() {
    let machine = Machine::new(Lengths::default());
    assert_eq!(machine.decide(Some(&free("a", "a")), OWN, seconds(1)), Act::Take);
    assert_eq!(machine.decide(Some(&free("a", "b")), OWN, seconds(1)), Act::Take);
    let closed = [free("a", IN_RECOVERY), Seen { is_free: false, ..free("a", "a") }];
    assert!(closed.iter().all(|seen| machine.decide(Some(seen), OWN, seconds(1)) == Act::Nothing));
    assert_eq!(machine.decide(Some(&free("a", "a")), Own { may_take: false, ..OWN }, seconds(1)), Act::Nothing);
    assert_eq!(machine.decide(None, OWN, seconds(1)), Act::Nothing);
}

#[test]
fn a_lease_is_renewed_in_time_and_acted_on_no_longer_than_ten_seconds_after_it_was_asked_for() {
    let mut machine = leader();
    let renew = Act::Renew { fence: 7, epoch: "a".to_owned() };
    assert_eq!(machine.decide(Some(&held(7)), OWN, seconds(5)), Act::Nothing);
    assert_eq!(machine.decide(None, OWN, seconds(6)), renew);
    machine.renewed(true, seconds(6));
    assert_eq!(machine.acts_until(), Some(seconds(16)));
    assert_eq!(machine.decide(None, OWN, seconds(15)), renew);
    assert_eq!(machine.decide(None, OWN, seconds(16)), Act::End);
    machine.renewed(false, seconds(15));
    assert_eq!(machine.leads(), None);
    assert_eq!(machine.decide(None, OWN, seconds(15)), Act::Nothing);
    assert_eq!(machine.decide(None, Own { has_ended: true, ..OWN }, seconds(15)), Act::Release { fence: 7 });
}

#[test]
fn a_term_ends_with_another_holder_another_history_a_refused_write_and_a_stop() {
    let machine = leader();
    let other = Seen { epoch_now: "b".to_owned(), ..held(7) };
    assert_eq!(machine.decide(Some(&held(8)), OWN, seconds(2)), Act::End);
    assert_eq!(machine.decide(Some(&other), OWN, seconds(2)), Act::End);
    assert_eq!(machine.decide(Some(&held(7)), Own { is_over: true, ..OWN }, seconds(2)), Act::End);
    assert_eq!(machine.decide(Some(&held(7)), Own { may_keep: false, ..OWN }, seconds(2)), Act::End);
}

#[test]
fn in_another_history_the_witnesses_are_waited_for_anew_with_each_that_comes() {
    let mut machine = Machine::new(Lengths::default());
    let taken = Taken { fence: 8, epoch: Some("a".to_owned()), epoch_now: "b".to_owned() };
    machine.took(taken, seconds(1), seconds(1));
    assert_eq!(machine.leads(), None);
    let seen = |now: &str| Seen { epoch_now: now.to_owned(), ..held(8) };
    assert_eq!(machine.decide(Some(&seen("b")), OWN, seconds(5)), Act::Nothing);
    machine.looked(&seen("c"), seconds(4));
    machine.renewed(true, seconds(6));
    assert_eq!(machine.decide(Some(&seen("c")), OWN, seconds(8)), Act::Nothing);
    let adopt = Act::Adopt { fence: 8, epoch: "c".to_owned() };
    assert_eq!(machine.decide(Some(&seen("c")), OWN, seconds(9)), adopt);
    machine.adopted();
    assert_eq!(machine.leads(), Some((8, "c", seconds(16))));
}

/// The server: the row of the lease, and the lease that was last taken in its present history.
#[derive(Debug, Clone)]
struct Server {
    clock: u64,
    fence: i64,
    until: u64,
    epoch: u64,
    adopted: u64,
    holder: Option<usize>,
}

/// A request on its way, or its answer.
#[derive(Debug, Clone)]
enum Way {
    Idle,
    Asked(Act, Duration),
    Answered(Act, Duration, Answer),
}

#[derive(Debug, Clone)]
enum Answer {
    Seen(Seen),
    Taken(Option<Taken>),
    Done(bool),
    Lost,
}

struct Host {
    machine: Machine,
    fence: Option<Fence>,
    way: Way,
    seen: Option<Seen>,
    /// It does nothing until then, as after SIGSTOP.
    stopped_until: Duration,
    /// Since when its boot-time clock runs.
    booted: u64,
}

impl Server {
    fn ask(&mut self, host: usize, act: &Act, lengths: &Lengths) -> Answer {
        let lease = u64::try_from(lengths.lease.as_millis()).unwrap();
        let holds = |server: &Self, fence: i64| {
            server.fence == fence && server.holder == Some(host) && server.until > server.clock
        };
        let epoch_now = self.epoch.to_string();
        match act {
            Act::Nothing | Act::End => Answer::Seen(Seen {
                fence: self.fence,
                is_free: self.until <= self.clock,
                epoch: Some(self.adopted.to_string()),
                epoch_now,
                ..Seen::default()
            }),
            Act::Take if self.until <= self.clock => {
                (self.fence, self.until, self.holder) = (self.fence + 1, self.clock + lease, Some(host));
                Answer::Taken(Some(Taken { fence: self.fence, epoch: Some(self.adopted.to_string()), epoch_now }))
            }
            Act::Take => Answer::Taken(None),
            Act::Renew { fence, epoch } => {
                let is_renewed = holds(self, *fence) && *epoch == epoch_now;
                if is_renewed {
                    self.until = self.clock + lease;
                }
                Answer::Done(is_renewed)
            }
            Act::Adopt { fence, epoch } => {
                let is_adopted = holds(self, *fence) && *epoch == epoch_now;
                if is_adopted {
                    self.adopted = self.epoch;
                }
                Answer::Done(is_adopted)
            }
            Act::Release { fence } => {
                if holds(self, *fence) {
                    self.until = self.clock;
                }
                Answer::Done(true)
            }
        }
    }

    /// What `store::Store::under` asks.
    fn takes_writes_of(&self, (number, epoch): (i64, &str)) -> bool {
        let here = self.epoch.to_string();
        self.fence == number && self.until > self.clock && self.adopted == self.epoch && epoch == here
    }
}

impl Host {
    fn new(booted: u64, lengths: Lengths) -> Self {
        Self {
            machine: Machine::new(lengths),
            fence: None,
            way: Way::Idle,
            seen: None,
            stopped_until: Duration::ZERO,
            booted,
        }
    }

    fn boot(&self, real: u64) -> Duration {
        Duration::from_millis(real - self.booted)
    }

    /// Whether a call may leave now.
    fn acts(&self, real: u64) -> bool {
        self.boot(real) >= self.stopped_until && self.fence.as_ref().is_some_and(|fence| fence.acts(self.boot(real)))
    }

    fn next(&mut self, real: u64) -> Way {
        let now = self.boot(real);
        let Some(seen) = self.seen.take() else { return Way::Asked(Act::Nothing, now) };
        self.machine.looked(&seen, now);
        let is_over = self.fence.as_ref().is_some_and(|fence| !fence.acts(now));
        match self.machine.decide(Some(&seen), Own { is_over, has_ended: true, ..OWN }, now) {
            Act::Nothing => Way::Idle,
            Act::End => {
                self.end();
                Way::Idle
            }
            act => Way::Asked(act, now),
        }
    }

    fn end(&mut self) {
        if let Some(fence) = self.fence.take() {
            fence.end();
        }
        self.machine.ended();
    }

    fn hear(&mut self, act: Act, asked_at: Duration, answer: Answer, real: u64) {
        match (act, answer) {
            (_, Answer::Seen(seen)) => self.seen = Some(seen),
            (_, Answer::Taken(Some(taken))) => self.machine.took(taken, asked_at, self.boot(real)),
            (Act::Renew { .. }, Answer::Done(is_renewed)) => self.machine.renewed(is_renewed, asked_at),
            (Act::Adopt { .. }, Answer::Done(true)) => self.machine.adopted(),
            (Act::Adopt { .. }, Answer::Done(false)) => self.end(),
            (Act::Release { .. }, _) => self.machine.released(),
            (_, Answer::Taken(None) | Answer::Done(_) | Answer::Lost) => {}
        }
        match (self.machine.leads(), &self.fence) {
            (Some((_, _, until)), Some(fence)) => fence.extend(until),
            (Some((number, epoch, until)), None) => {
                self.fence = Some(Fence::new(number, epoch, until, CancellationToken::new()));
            }
            (None, Some(_)) => self.end(),
            (None, None) => {}
        }
    }
}

/// Runs hosts and a server at random. `jumps`: the server's clock is set, and the server goes on in a history that
/// lacks its last changes; then two hosts may act for a while, but only one of them can write. Returns how many steps
/// somebody acted, or what must not be.
fn run(seed: u64, jumps: bool, lengths: Lengths) -> Result<u32, String> {
    let mut chance = StdRng::seed_from_u64(seed);
    let mut real = 1_000_000_u64;
    let mut server = Server { clock: 5_000_000, fence: 0, until: 0, epoch: 1, adopted: 1, holder: None };
    let mut before = server.clone();
    let mut hosts: Vec<Host> = (0..HOSTS).map(|at| Host::new(at as u64 * 100_000, lengths)).collect();
    let mut led = 0;
    for _ in 0..STEPS {
        let longest = if chance.random_range(0..3) == 0 { 4_000 } else { 300 };
        let passed = chance.random_range(0..longest);
        (real, server.clock) = (real + passed, server.clock + passed);
        if jumps && chance.random_range(0..40) == 0 {
            server.clock = server.clock.saturating_add_signed(chance.random_range(-60_000..60_000));
        }
        if jumps && chance.random_range(0..60) == 0 {
            server = Server { clock: server.clock, epoch: server.epoch + 1, ..before.clone() };
        }
        if chance.random_range(0..20) == 0 {
            before = server.clone();
        }
        let at = chance.random_range(0..HOSTS);
        let host = &mut hosts[at];
        if chance.random_range(0..30) == 0 {
            host.stopped_until = host.boot(real) + Duration::from_millis(chance.random_range(0..40_000));
        }
        let is_stopped = host.boot(real) < host.stopped_until;
        host.way = match std::mem::replace(&mut host.way, Way::Idle) {
            // A request that has left reaches the server, whatever becomes of the host.
            Way::Asked(act, asked_at) => {
                let answer = server.ask(at, &act, &lengths);
                let is_lost = chance.random_range(0..15) == 0;
                Way::Answered(act, asked_at, if is_lost { Answer::Lost } else { answer })
            }
            way if is_stopped => way,
            Way::Answered(act, asked_at, answer) => {
                host.hear(act, asked_at, answer, real);
                Way::Idle
            }
            Way::Idle => host.next(real),
        };
        let acting: Vec<usize> = (0..HOSTS).filter(|at| hosts[*at].acts(real)).collect();
        led += u32::from(!acting.is_empty());
        let is_holder = |at: &usize| server.holder == Some(*at);
        if !jumps && (acting.len() > 1 || !acting.iter().all(is_holder)) {
            return Err(format!("{acting:?} act at once, {server:?}"));
        }
        for (at, host) in hosts.iter().enumerate() {
            // A stage may write for longer than its host acts.
            let lease = host.machine.leads().map(|(number, epoch, _)| (number, epoch));
            if lease.is_some_and(|lease| server.takes_writes_of(lease)) && server.holder != Some(at) {
                return Err(format!("{at} writes on {lease:?}, {server:?}"));
            }
        }
    }
    Ok(led)
}

fn run_all(jumps: bool, lengths: Lengths) -> Result<u32, String> {
    (0..SCHEDULES).map(|seed| run(seed, jumps, lengths).map_err(|fault| format!("seed {seed}: {fault}"))).sum()
}

#[test]
fn two_hosts_never_act_at_once_and_none_acts_on_a_lease_that_is_anothers() {
    let led = run_all(false, Lengths::default()).unwrap();
    assert!(led > STEPS * u32::try_from(SCHEDULES).unwrap() / 10, "somebody led in {led} of all steps only");
}

#[test]
fn a_host_that_acted_for_longer_than_its_lease_holds_would_be_found() {
    assert!(run_all(false, Lengths { acts: seconds(17), ..Lengths::default() }).is_err());
}

#[test]
fn whatever_the_servers_clock_and_its_history_do_only_the_holder_of_the_lease_can_write() {
    let led = run_all(true, Lengths::default()).unwrap();
    assert!(led > 1_000, "somebody led in {led} of all steps only");
}
