//! Exit codes, from BSD's `sysexits.h`.

/// Something needs attention.
pub const ATTENTION: i32 = 1;
/// The command line is wrong.
pub const USAGE: i32 = 64;
/// The input is wrong.
pub const DATA: i32 = 65;
/// There is no such input.
pub const NO_INPUT: i32 = 66;
/// Something needed is missing: no daemon, no database.
pub const UNAVAILABLE: i32 = 69;
/// A bug.
pub const SOFTWARE: i32 = 70;
/// Reading or writing failed.
pub const IO: i32 = 74;
/// It may work later.
pub const TEMPORARY: i32 = 75;
/// Somebody else may do it.
pub const NO_PERMISSION: i32 = 77;
/// The configuration is wrong.
pub const CONFIG: i32 = 78;
