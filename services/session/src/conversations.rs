//! What is done with conversations beside talking: stopping, compacting and forking them, changing several at once, and what a screen
//! asks for around one. Owns nothing: each of these is something that sessions, transcripts or turns do already.

mod compact;
mod fork;
mod grpc;
mod many;
mod message;
mod search;
#[cfg(test)]
mod tests;

pub(crate) use self::fork::fork;
pub(crate) use self::grpc::Grpc;
