//! The ids of the domain, as types: a run cannot be passed where a session is meant.

use std::fmt;

use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) struct $name(String);

        impl $name {
            /// Takes the text as it is.
            pub(crate) fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// A new one; ids made later sort later.
            pub(crate) fn generate() -> Self {
                Self(Uuid::now_v7().to_string())
            }

            /// The id as text.
            pub(crate) fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

id!(
    /// One run of a turn. For a message from a client it is the idempotency key that the client chose.
    RunId
);
id!(
    /// One transcript. A reset begins a new one under the same session key.
    SessionId
);
id!(
    /// One row of a transcript.
    EntryId
);
id!(
    /// The process that holds a lease: chosen anew at each start, so a restarted process is another owner.
    Owner
);
