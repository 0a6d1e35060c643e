//! What the store keeps, as plain types.

mod admission;
mod delivery;
mod entry;
mod session;
mod turn;

pub use self::admission::*;
pub use self::delivery::*;
pub use self::entry::*;
pub use self::session::*;
pub use self::turn::*;
