//! What a map holds: methods and events, as their contract declares them.

use std::{sync::Arc, time::Duration};

use crate::{Access, BackendId, Identity, MessagePlan};

/// A method.
#[derive(Debug)]
pub struct Method {
    /// The name clients call, for example `sessions.list`. Empty for methods between services.
    pub name: String,
    /// The gRPC path, for example `/gatehouse.session.v1.SessionService/ListSessions`.
    pub path: String,
    /// The gRPC service, for example `gatehouse.session.v1.SessionService`.
    pub service: String,
    /// Who serves it. `None` when several processes do, each for itself; never for a method with a name.
    pub backend: Option<BackendId>,
    /// Who may call it.
    pub access: Access,
    /// The processes that may call it. Never empty.
    pub callers: Vec<Identity>,
    /// Whether a call may wait for something that takes its time.
    pub long_wait: bool,
    /// Whether megabytes may be read for an answer, or be the answer.
    pub large_answer: bool,
    /// How long to wait for the answer; for a streaming method, for the first one.
    pub deadline: Duration,
    /// Whether it is asked more than once in one call. Never for a method with a name.
    pub request_stream: bool,
    /// Whether it answers more than once.
    pub streaming: bool,
    /// Whether a repeat does no harm: declared `IDEMPOTENT` or `NO_SIDE_EFFECTS`.
    pub idempotent: bool,
    /// Whether it changes nothing: declared `NO_SIDE_EFFECTS`.
    pub reads: bool,
    /// What a successful call does to the calling connection.
    pub subscription: Option<Subscription>,
    /// The request.
    pub request: Arc<MessagePlan>,
    /// The answer.
    pub response: Arc<MessagePlan>,
    /// The JSON name of the response field that is the whole payload.
    pub unwrap: Option<String>,
    /// What it does, in the contract's words.
    pub comment: String,
}

impl Method {
    /// Whether this process serves it.
    #[must_use]
    pub fn is_served_by(&self, identity: Identity) -> bool {
        self.backend == Some(BackendId::Core(identity))
    }
}

/// A change to the set of topics that a connection listens to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// What to do.
    pub action: Action,
    /// The topic, or its first part.
    pub topic: String,
    /// The JSON name of the response's string field that is the second part: the topic is `<topic>/<value>`.
    pub key_field: Option<String>,
}

/// What to do with a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Listen from now on.
    Add,
    /// Stop listening.
    Remove,
    /// Listen to nothing, and show what the connection looks at.
    Watch,
}

/// What a successful call changes about the connection that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It listens to this topic.
    Add(String),
    /// It listens to this topic no longer.
    Remove(String),
    /// It looks at these, and at nothing else.
    Watch(Vec<String>),
}

impl Subscription {
    /// What an answer changes.
    #[must_use]
    pub fn change(&self, response: &MessagePlan, wire: &[u8]) -> Change {
        let strings = |field: &String| response.strings(wire, field);
        let topic = || match &self.key_field {
            Some(field) => {
                let key = strings(field).pop();
                format!("{}/{}", self.topic, key.unwrap_or_default())
            }
            None => self.topic.clone(),
        };
        match self.action {
            Action::Add => Change::Add(topic()),
            Action::Remove => Change::Remove(topic()),
            Action::Watch => {
                let keys = self.key_field.as_ref().map(strings).unwrap_or_default();
                Change::Watch(keys.into_iter().map(str::to_owned).collect())
            }
        }
    }
}

/// A message that is published as an event.
#[derive(Debug)]
pub struct EventKind {
    /// The name clients see, for example `chat`.
    pub name: String,
    /// Who may see it.
    pub access: Access,
    /// The services that may publish it. Empty: broadcast makes it itself.
    pub publishers: Vec<Identity>,
    /// Its form.
    pub plan: Arc<MessagePlan>,
    /// What it says, in the contract's words.
    pub comment: String,
}
