//! Transcripts: what was said in a session, row by row. Rows are added and never changed.

mod model;
mod store;

pub use self::model::*;
pub use self::store::Transcripts;
