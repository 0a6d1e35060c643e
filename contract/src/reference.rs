//! The reference of all methods and events.
pub(crate) mod comments;
