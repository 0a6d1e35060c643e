//! Reads what the contracts say about themselves: the one map of methods and events, who may use each, and a small plan
//! for every message that goes from JSON text to the protobuf wire and back.
//!
//! Nothing here knows a method by name, and nothing here opens a socket. `prost-reflect` serves as the schema while a
//! [`Map`] is built; the plans that come out of it never touch a dynamic message.
//!
//! # The JSON form
//!
//! - Names are the fields' `json_name`, lowerCamelCase unless the contract says otherwise. No other spelling is taken.
//! - Integers are integers, 64-bit ones too: `"5"` and `5.5` are refused; `5.0` and `5e0` are 5, because JSON knows one kind of number.
//! - An enum value is its word: the option `json`, or its name without the enum's prefix, in lower case. The zero value is
//!   never taken; on output it is `unspecified`, and a number that this contract does not know is `unknown-<number>`.
//! - Singular fields without `optional` are required on input and always written; with `optional`, and in a `oneof`, they
//!   may be absent and are left out (or written as null with `emit_null`) when unset.
//! - An explicit null is refused, with three exceptions: it is remembered in the message's `nulls` field, where there is
//!   one; it is the value of a `raw_json` field; it stands for unset where `emit_null` says so.
//! - `raw_json` strings are copied as they are, apart from white space around them. Empty ones are written as null.
//! - Bytes are base64. NaN and the infinities are written as null and cannot be read.
//! - Maps are written in the order of their keys, so that equal messages make equal text.
//! - A key given twice, text that nests deeper than 64 and anything after the value are refused.
//!
//! Every refusal names the place: `at /limit: expected an integer, got a string`.
//!
//! # Example
//!
//! ```
//! use gatehouse_contract::{FieldError, Grants, Map, Refuse, Role};
//!
//! let list = Map::core().method("sessions.list").expect("a method of the core");
//! assert!(list.access.allows(&Grants::new(Role::Operator, ["operator.read"])));
//!
//! let wire = list.request.encode(r#"{"limit": 5}"#, &mut Refuse)?;
//! assert_eq!(list.request.check(&wire), Ok(()), "the service checks the same bounds");
//! let refused = list.request.encode(r#"{"limit": "5"}"#, &mut Refuse).unwrap_err();
//! assert_eq!(refused.to_string(), "at /limit: expected an integer, got a string");
//! # Ok::<(), FieldError>(())
//! ```

mod access;
mod backend;
mod check;
mod comments;
pub mod compat;
mod declared;
mod encode;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod identity;
mod json;
mod map;
mod message;
mod method;
mod options;
mod path;
mod plan;
mod planner;
mod published;
pub mod reference;
mod render;
pub mod rules;
#[cfg(test)]
mod testing;
mod wire;

pub use access::{Access, Grants, Role};
pub use backend::{BackendId, PluginId};
pub use encode::{Ignore, Refuse, UnknownFields};
pub use error::{ContractError, FieldError, WireError};
pub use identity::Identity;
pub use map::Map;
pub use message::MessagePlan;
pub use method::{Action, Change, EventKind, Method, Subscription};
pub use render::Rendered;

/// How deep JSON may nest, on the way in and inside `raw_json`. The gateway's own messages need 8; 64 leaves room for
/// configuration trees and tool arguments, and keeps every recursion far from the end of a stack.
pub const DEPTH_MAX: usize = 64;
