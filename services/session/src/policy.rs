//! One revision of the configuration, read once: what every request and every turn asks.

use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::drain::plan;

use crate::agents::Agents;
use crate::config::{QueueSection, Scope, SessionConfig};
use crate::routing::Router;

/// Turns that run at the same time unless configured otherwise: as many streams as a small model host answers at once,
/// and twice what OpenClaw allows on two cores.
const CONCURRENT_DEFAULT: u16 = 16;
/// The most that may be configured: each turn holds a stream and its text.
const CONCURRENT_MAX: u16 = 256;

/// What holds at the moment.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Who answers.
    pub agents: Arc<Agents>,
    /// Who answers where.
    pub router: Router,
    /// What happens to messages that have to wait.
    pub queue: QueueSection,
    /// Whether everybody shares one session.
    pub scope: Scope,
    /// Turns that run at the same time.
    pub concurrent_max: usize,
    /// How long runs may go on after the process was asked to end.
    pub drain: Duration,
}

impl Policy {
    /// Reads a revision.
    pub fn read(config: &SessionConfig) -> Self {
        let concurrent = config
            .agents
            .defaults
            .max_concurrent
            .unwrap_or(CONCURRENT_DEFAULT);
        Self {
            agents: Arc::new(Agents::read(&config.agents)),
            router: Router::read(config),
            queue: config.messages.queue.clone(),
            scope: config.session.scope,
            concurrent_max: usize::from(concurrent.clamp(1, CONCURRENT_MAX)),
            drain: plan::answers(config.gateway.drain_seconds),
        }
    }
}
