//! `environments.list`, `skills.status`, `hooks.status` and their like: what agents may have beside their models. Nodes bring machines
//! and skills. Of the rest there is none, and [`absent`] says so in the shapes that clients read: their pages ask for it without
//! looking whether it is offered, and show a refusal as a fault.

mod absent;
pub(crate) mod grpc;
mod nodes;
