//! The sections of the configuration that this service reads: the document's own types, under the names they have here.

pub(crate) use gatehouse_document::{
    Agents as AgentsSection, Binding, Cron as CronSection, Document as SessionConfig,
    Session as SessionSection,
    agents::{AgentDefaults, AgentEntry, Identity},
    bindings::{BindingKind, BindingSession, PeerKind},
    messages::{Queue as QueueSection, QueueDrop, QueueMode},
    models::Model,
    session::{DmScope, GroupScope, Scope},
};
