//! Decides who may stay connected when somebody comes and there is no room; pure. A connection that has sent no request
//! makes room for a newcomer, no machine may take all the room, and this machine's own probes have room that others
//! cannot take.

use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Most connections at a time: of all other machines, of one of them, and of this machine.
const OTHERS_MAX: usize = 32;
const PEER_MAX: usize = 8;
const OWN_MAX: usize = 32;

/// Most connections at a time, including those being dropped; more wait in the system's queue.
pub(super) const ALL_MAX: usize = OTHERS_MAX + OWN_MAX + 16;

/// A connection whose request was read gets this long to finish.
const FINISH: Duration = Duration::from_secs(2);

/// A connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guest {
    pub(super) peer: IpAddr,
    pub(super) since: Instant,
    /// Whether its request has been read.
    pub(super) asked: bool,
}

/// What to do with a newcomer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// Let it in.
    Free,
    /// Let it in and drop the connection at this place.
    For(usize),
    /// Turn it away, because all the others are being served.
    None,
}

/// Decides about a newcomer from `peer`, among guests in the order in which they came.
pub(super) fn room(guests: &[Guest], peer: IpAddr, now: Instant) -> Room {
    let is_own = |ip: IpAddr| ip.to_canonical().is_loopback();
    let same_kind = |guest: &&Guest| is_own(guest.peer) == is_own(peer);
    let of = |ip: IpAddr| guests.iter().filter(|guest| guest.peer == ip).count();
    if !is_own(peer) && of(peer) >= PEER_MAX {
        return oldest(guests, |guest| guest.peer == peer, now);
    }
    let most = if is_own(peer) { OWN_MAX } else { OTHERS_MAX };
    if guests.iter().filter(same_kind).count() < most {
        return Room::Free;
    }
    let greediest = guests.iter().filter(same_kind).map(|guest| of(guest.peer)).max().unwrap_or(0);
    match oldest(guests, |guest| same_kind(&guest) && of(guest.peer) == greediest, now) {
        Room::None => oldest(guests, |guest| same_kind(&guest), now),
        room => room,
    }
}

/// The oldest of them that has sent no request or has had its time.
fn oldest(guests: &[Guest], is_one: impl Fn(&Guest) -> bool, now: Instant) -> Room {
    let goes = |guest: &Guest| is_one(guest) && (!guest.asked || now.saturating_duration_since(guest.since) > FINISH);
    guests.iter().position(goes).map_or(Room::None, Room::For)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn guests(count: usize, peer: impl Fn(usize) -> IpAddr, asked: bool) -> Vec<Guest> {
        let since = Instant::now();
        (0..count).map(|n| Guest { peer: peer(n), since, asked }).collect()
    }

    #[test]
    fn whoever_only_holds_a_connection_goes_for_whoever_comes() {
        let now = Instant::now();
        let own = IpAddr::from([127, 0, 0, 1]);
        let mut here = guests(OWN_MAX, |_| own, false);
        assert_eq!(room(&here[1..], own, now), Room::Free);
        assert_eq!(room(&here, own, now), Room::For(0));
        here[0].asked = true;
        assert_eq!(room(&here, own, now), Room::For(1), "one that is being served is let finish");
        here.iter_mut().for_each(|guest| guest.asked = true);
        assert_eq!(room(&here, own, now), Room::None);
        assert_eq!(room(&here, own, now + FINISH + Duration::from_secs(1)), Room::For(0), "but not for ever");
    }

    #[test]
    fn nobody_takes_the_room_of_others() {
        let now = Instant::now();
        let own = IpAddr::from([127, 0, 0, 1]);
        let one = guests(PEER_MAX, |_| ip(1), false);
        assert_eq!(room(&one, ip(1), now), Room::For(0));
        assert_eq!(room(&one, ip(2), now), Room::Free);
        let many = guests(OTHERS_MAX, |n| ip(u8::try_from(n % 5).unwrap_or(0)), false);
        assert_eq!(room(&many, ip(9), now), Room::For(0), "of those with the most connections");
        assert_eq!(room(&many, own, now), Room::Free, "a probe of this machine");
        let here = guests(OWN_MAX, |_| own, true);
        assert_eq!(room(&here, ip(1), now), Room::Free);
        assert_eq!(room(&guests(OTHERS_MAX, |n| ip(u8::try_from(n).unwrap_or(0)), true), ip(99), now), Room::None);
    }
}
