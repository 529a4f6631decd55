//! The pages in the browser: what the report of `status` says, as HTML in both languages. Pure: a page is a function of
//! what was read and of the [`Frame`] in which it is shown; `http` reads and serves.
//!
//! The templates in `templates/` escape every text. No style and no script stands in a page: both are files of their
//! own (`assets`), so that a strict policy can forbid all others. Texts from outside are shown on one line, without
//! characters that change the direction of writing.

mod ask;
mod assets;
pub mod chart;
mod file;
mod frame;
mod notice;
mod overview;
mod parts;

pub use ask::{Ask, Place, Wrong, accepted};
pub use assets::{Asset, asset};
pub use file::{FileData, file};
pub use frame::Frame;
pub use notice::Notice;
pub use overview::overview;

#[cfg(test)]
mod tests;
