//! What the engines of one store tell each other, so that none has to look for it. A process that has its store for itself
//! tells nobody.

use std::sync::Arc;

use gatehouse_core::bus::{Bus, Listener};

use crate::id::RunId;
use crate::store::Sharing;

/// A turn waits that whoever has a slot may begin.
const TURNS: &str = "session/turns";

#[derive(Clone, Debug)]
pub(super) struct Signals(Option<Arc<dyn Bus>>);

impl Signals {
    pub(super) fn of(sharing: &Sharing) -> Self {
        Self(match sharing {
            Sharing::Exclusive => None,
            Sharing::Shared(bus) => Some(Arc::clone(bus)),
        })
    }

    pub(super) fn turn_waits(&self) {
        self.signal(TURNS);
    }

    /// A run was asked to stop, or has ended.
    pub(super) fn run_changed(&self, run: &RunId) {
        if self.0.is_some() {
            self.signal(&of_run(run));
        }
    }

    pub(super) fn waiting_turns(&self) -> Changes {
        self.listen(TURNS)
    }

    pub(super) fn changes_of(&self, run: &RunId) -> Changes {
        if self.0.is_none() {
            return Changes(None);
        }
        self.listen(&of_run(run))
    }

    fn signal(&self, topic: &str) {
        if let Some(bus) = &self.0 {
            bus.signal(topic);
        }
    }

    fn listen(&self, topic: &str) -> Changes {
        Changes(self.0.as_ref().map(|bus| bus.listen(topic)))
    }
}

fn of_run(run: &RunId) -> String {
    format!("session/run/{run}")
}

/// What other engines have to tell.
#[derive(Debug)]
pub(super) struct Changes(Option<Listener>);

impl Changes {
    /// Waits for the next; for ever where there is nobody to tell anything.
    pub(super) async fn heard(&mut self) {
        match &mut self.0 {
            Some(listener) => listener.heard().await,
            None => std::future::pending().await,
        }
    }
}
