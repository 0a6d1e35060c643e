//! What Teams says: an activity as it comes in, and what it means.

mod meaning;
mod mention;
mod wire;

pub use self::{
    meaning::{File, Incoming, Invoke, Message, Place, PlaceKind, Reaction, Sender, understand},
    wire::Activity,
};
