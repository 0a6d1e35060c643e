//! Sessions: a conversation under a key, as lists show it and people set it.

mod anew;
pub(crate) mod groups;
pub(crate) mod grpc;
mod life;
mod model;
mod reference;
pub(crate) mod settings;
mod store;

pub(crate) use self::anew::reset;
pub(crate) use self::groups::{GroupChange, Groups, GroupsOf};
pub(crate) use self::life::{Aged, Life};
pub(crate) use self::model::*;
pub(crate) use self::reference::SessionRef;
pub(crate) use self::store::Sessions;
