//! What platforms of the web have in common: a client that tells no secret, a WebSocket with bounds, what goes out over one
//! connection, and how long a chat is to be left alone. None of it knows a platform by name.

pub(super) mod answering;
pub(super) mod client;
pub(super) mod file;
pub(super) mod fitting;
pub(super) mod hook;
pub(super) mod last;
pub(super) mod letters;
pub(super) mod nulls;
pub(super) mod outbound;
pub(super) mod silence;
pub(super) mod socket;
pub(super) mod take;
pub(crate) mod voice;
pub(super) mod wording;
pub(super) mod words;
