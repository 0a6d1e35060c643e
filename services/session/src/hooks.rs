//! What programs outside bring by HTTP: events, each shown to be genuine by a token or a signature.
//!
//! `rules` is what the configuration says, `head` judges a request before its body is read, `genuine` behind it by what it is signed with
//! (`signature`), `event` makes of a body what is to be done, and `template` puts its words into the operator's. What comes of an event is a job that is due at
//! once (`crate::schedules`): stored before the request is answered, run once, its answer held until it is whole.
//!
//! What a request says decides what an agent reads, and nothing else: no session, no recipient, no command follows from it, and the
//! agent is told which words came from outside.

mod answer;
mod event;
mod form;
mod genuine;
pub(crate) mod grpc;
mod head;
mod marks;
mod pace;
mod proof;
mod rules;
mod signature;
mod template;
#[cfg(test)]
mod tests;

pub(crate) use self::rules::Rules;
