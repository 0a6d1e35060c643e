//! Turns and the messages that make them, as plain types.

mod admission;
mod turn;

pub(crate) use self::admission::*;
pub use self::turn::RunLimits;
pub(crate) use self::turn::*;
