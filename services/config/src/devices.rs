//! Which devices may come back, and as what: paired devices with the digests of their tokens, the requests of those that wait, the codes
//! that pair one device once, and the named users whose devices and tokens they may be.
//!
//! The edge proves that a client holds a device's key, and decides about a device that is in its table by itself. It asks here only
//! about one that is not. What changes here is in the table that goes to the edge with the configuration: a row that is gone ends the
//! sockets that lived by it.
//!
//! No token is kept. A device's token is derived from a key in a file of its own and a salt in its row, so that a device that has lost
//! its token is told the same one again, and a copy of the database opens nothing.

mod actor;
mod admit;
mod error;
mod grpc;
mod handle;
mod manage;
mod people;
mod presence;
mod rows;
mod schema;
mod setup;
mod table;
#[cfg(test)]
mod tests;
mod token;
mod users;
mod voucher;
mod wire;

pub use self::schema::SCHEMA;
pub(crate) use self::{
    grpc::DeviceGrpc,
    handle::{Files, Opened},
    people::UserGrpc,
    presence::Presence,
    table::Table,
};
