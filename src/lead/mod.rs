//! Which host leads, where several share a database on a server. Owns the table `leader`.
//!
//! Every host takes files into the queue. One of them, the leader, also sends, follows tasks and tells notices: the
//! stages for that live for a [`Term`]. It holds a lease of 15 seconds by the server's clock, renews it every 5, and
//! acts until 10 seconds after it asked for its last renewal, by its own boot-time clock. What its stages write is
//! refused by the server once another host has taken the lease (`store::Fence`).
//!
//! `machine` decides, with the time as a parameter; [`Keeper`] looks each second and carries that out. Every host also
//! bears witness of what was charged (`witness`), in case the server goes on in a history that lacks it.
//!
//! A crash at any place leaves a lease that ends by itself. Where the database is a file there is one term for ever.

mod book;
mod keeper;
mod machine;
mod term;
mod witness;

pub use book::policy_of;
pub use keeper::Keeper;
pub use machine::{Act, Lengths, Machine, Own, Seen, Taken};
pub use term::{Term, for_ever};
