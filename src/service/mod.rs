//! The service as this program knows it: typed calls ([`Service`]) that return their result or a [`Fault`].
//!
//! Only this module knows what products call their operations and how much they take (`limits`), how a call is signed
//! and sent (`call`, `client`), at what pace (`pace`), how answers are spelled (`body`), and what an error code means
//! (`fault`). The stages decide what to do about a fault.

mod api;
mod body;
mod call;
mod client;
mod fault;
mod limits;
mod pace;
mod reply;
mod tasks;

pub use api::{Observer, Service, SignedBatch};
pub use call::{BatchOptions, PrefetchOptions, SIGNATURE_VALID, TaskQuery, Window};
pub use client::{BODY_BYTES_MAX, Client, USER_AGENT};
pub use fault::{Class, Deferral, Fault, Refusal};
pub use limits::{CDN, DCDN, IDS_A_CALL, Product, Submission, TASKS_LISTED_FOR, VOD, policy};
pub use pace::{TURN_MAX, Turn};
pub use reply::{Accepted, Answer, DomainPage, DomainRow, Quota, Reply};
pub use tasks::{TaskPage, TaskRow, TaskStatus};
