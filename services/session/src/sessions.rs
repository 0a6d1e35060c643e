//! Sessions: a conversation under a key, as lists show it and people set it.

mod anew;
pub(crate) mod grpc;
mod model;
mod reference;
mod store;

pub(crate) use self::anew::reset;
pub(crate) use self::model::*;
pub(crate) use self::reference::SessionRef;
pub(crate) use self::store::Sessions;
