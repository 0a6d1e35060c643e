//! Transcripts: what was said in a session, row by row. Rows are added and never changed.

pub(crate) mod grpc;
mod model;
mod store;

pub(crate) use self::model::*;
pub(crate) use self::store::Transcripts;
