//! The pictures, recordings and files of conversations.
//!
//! A medium is known by the SHA-256 of its bytes, so the same bytes are kept once and no name from outside ever becomes a path.
//! The bytes are files below the service's folder, the rest is rows. It is kept while a transcript names it, and for an hour
//! before one does; then it is swept. Whoever may read a transcript gets links to what it names: each holds for one medium and
//! for a short time (`links`), and the edge serves it without knowing what it is.

pub(crate) mod attachments;
mod files;
pub(crate) mod grpc;
mod links;
mod model;
mod show;
mod sniff;
mod store;

pub(crate) use self::attachments::{Attachments, decoded, is_seen_or_heard};
pub(crate) use self::files::Media;
pub(crate) use self::links::Links;
pub(crate) use self::model::{MediaId, MediaRow};
pub(crate) use self::show::shown;
pub(crate) use self::store::MediaRows;
