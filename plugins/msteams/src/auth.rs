//! Who calls `/api/messages`. A request is Microsoft's when its token says so: signed with RS256 by a key that an issuer of ours
//! publishes, for this bot, now, and by a key that may speak for Teams. All of it is decided by the headers, before one byte of the body is
//! read.

mod fetch;
mod issuer;
mod keys;
mod rs256;
mod token;

pub(crate) use self::token::CHANNEL;
pub use self::{
    issuer::Issuers,
    token::{Claims, Identity, Refused, Validator},
};
