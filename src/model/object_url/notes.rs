//! What was done to a line on the way to its URL.

/// What was done to a line on the way that its writer may want to know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Notes {
    /// A blank inside the name of its file was encoded.
    pub blank_encoded: bool,
    /// A media fragment (`#t=10`) was dropped.
    pub fragment_dropped: bool,
}
