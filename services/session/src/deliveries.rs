//! Deliveries: replies on their way to a chat.

mod accounts;
mod dispatcher;
mod model;
mod recall;
mod store;

pub(crate) use self::accounts::Accounts;
pub(crate) use self::dispatcher::Dispatcher;
pub(crate) use self::model::*;
pub(crate) use self::recall::Recall;
pub(crate) use self::store::Deliveries;
