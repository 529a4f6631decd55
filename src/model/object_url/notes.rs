//! What was changed in a line to get its URL.

/// Changes to a line that its writer may want to know about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Notes {
    /// A blank inside the name of its file was encoded.
    pub blank_encoded: bool,
    /// A media fragment (`#t=10`) was dropped.
    pub fragment_dropped: bool,
    /// `@` and a name follow the name of its file: a remark in a chat, perhaps.
    pub mention: bool,
}
