//! Jobs over a whole engine, and the ledger under every kind of clock.

mod beats;
mod clocks;
mod methods;
mod posts;
mod runs;
