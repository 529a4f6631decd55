//! Why an entry of `incoming/` is left alone: codes, which are stored. The sentences are in [`crate::words`].

use strum::{EnumString, IntoStaticStr, VariantArray};

/// Why an entry of `incoming/` is not taken. Its word is stored and never changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum LeftWhy {
    /// Its name begins with `.` or `~`.
    Hidden,
    /// Its name ends like that of an unfinished upload.
    Unfinished,
    /// Some process has it open for writing.
    Open,
    /// It has a second hard link.
    HardLink,
    /// A directory.
    Directory,
    /// A symbolic link.
    SymbolicLink,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A device.
    Device,
}

impl LeftWhy {
    /// Its word.
    pub fn code(self) -> &'static str {
        self.into()
    }
}
