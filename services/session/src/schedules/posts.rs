//! Runs that a program is told of by HTTP: kept with the end of the run, sent until they are taken or given up.
//!
//! Whoever adds a job names the address. It may be one of the Internet alone, unless the configuration lists its host: `guard` looks a name
//! up once, judges every address, and pins the connection to them. No redirect is followed and no proxy asked.

mod guard;
mod sender;
mod told;

pub(crate) use self::guard::Guard;
pub(crate) use self::sender::Sender;
pub(super) use self::told::posted;
