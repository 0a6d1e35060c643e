//! Deliveries: replies on their way to a chat.

mod dispatcher;
mod model;
mod store;

pub use self::dispatcher::Dispatcher;
pub use self::model::*;
pub use self::store::Deliveries;
