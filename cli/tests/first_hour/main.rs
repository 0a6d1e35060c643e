//! The first hour of a person with Gatehouse: from nothing to an answer, with the binary and with real gateways.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic is the failure")]

mod channels;
mod detached;
mod docs;
mod doctor;
mod nouns;
mod setup;
mod support;
