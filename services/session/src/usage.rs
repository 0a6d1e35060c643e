//! What was said and what it cost, counted from the transcripts when somebody asks. Nothing is counted beside them: a number that is
//! kept beside what it counts is wrong some day.

mod days;
pub(crate) mod grpc;
mod model;
mod one;
mod prices;
mod store;
mod sums;

pub(crate) use self::model::*;
pub(crate) use self::prices::Prices;
pub(crate) use self::store::Usage;
