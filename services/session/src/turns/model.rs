//! Turns and the messages that make them, as plain types.

mod admission;
mod turn;

pub use self::admission::*;
pub use self::turn::*;
