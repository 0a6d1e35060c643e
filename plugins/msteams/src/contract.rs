//! The plugin's own contract, as it is compiled.

#![allow(
    clippy::allow_attributes,
    missing_docs,
    unreachable_pub,
    clippy::missing_errors_doc,
    clippy::default_trait_access,
    reason = "the generated code has its own style"
)]

use prost as _; // what is generated names them
use tonic_prost as _;

tonic::include_proto!("msteams.v1");

/// The contract with its options: what the gateway is told.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/msteams.pb"));
