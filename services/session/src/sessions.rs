//! Sessions: a conversation under a key, as lists show it and people set it.

mod model;
mod store;

pub use self::model::*;
pub use self::store::Sessions;
