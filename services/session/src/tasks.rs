//! Turns as clients' lists of tasks show them, and the queues that they wait in.

pub(crate) mod grpc;
mod model;
mod status;
mod store;

pub(crate) use self::model::*;
pub(crate) use self::status::Status;
pub(crate) use self::store::Tasks;
