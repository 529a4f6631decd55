//! The service as this program knows it. So far its clock alone; the calls are in `vod`.

mod clock;

pub use clock::{Heard, Moment, Reading, ServiceClock};
