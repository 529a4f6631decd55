//! The service as this program knows it: what is signed, sent and read back, how far a call got, and the service's clock.
//! It knows nothing of batches or budgets; what an answer means is decided by `submit::outcome`.

mod call;
mod client;
mod clock;
mod encode;
mod pace;
mod reply;
mod tasks;

pub use call::{
    DOMAINS_A_PAGE, Operation, PreloadOptions, SIGNATURE_VALID, SignedCall, TASKS_A_PAGE, TaskQuery, Window,
};
pub use client::{BODY_BYTES_MAX, Client, USER_AGENT, http_builder};
pub use clock::{Heard, Moment, ServiceClock};
pub use pace::{Pace, TURN_MAX};
pub use reply::{Answer, DomainRow, ErrorBody, PreloadBody, Reply};
pub use tasks::{TaskPage, TaskRow, TaskStatus};
