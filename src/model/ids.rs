//! Row numbers, each kind with a type of its own.

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A dropped file.
    FileId
);
id!(
    /// A URL of the queue; numbers grow in order of arrival.
    UrlId
);
id!(
    /// The domain of a URL.
    HostId
);
id!(
    /// An operator's order.
    OrderId
);
id!(
    /// A submitted batch in the ledger.
    SubmissionId
);
