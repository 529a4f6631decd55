//! Stage 6, the tracker. Owns the tables `warmth_checks` and `warmth_cursor`.
//!
//! The warmth check: accepted is not warm, and complete is only what the service says. A sample of the completed URLs is asked for
//! through the CDN ([`Verifier`]), slowly, and what the answers say of the cache is written down.

mod address;
mod ask;
mod checks;
mod verify;
mod warmth;

pub use verify::Verifier;
pub use warmth::{Headers, Verdict, Warmth, is_sampled};
