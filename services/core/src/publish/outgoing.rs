//! One event, and for whom it is.

use gatehouse_proto::broadcast::v1::{Event, Rendition, StateVersion};
use prost::{Message, Name};

use crate::trace;

/// An event on its way out.
#[derive(Clone, Debug)]
pub struct Outgoing(Event);

impl Outgoing {
    /// It ends the work that it is published by: its way to the screens is recorded if that is.
    #[must_use]
    pub fn traced(mut self) -> Self {
        let context = trace::current().filter(|context| context.is_sampled());
        self.0.traceparent = context.map(|context| context.to_string());
        self
    }

    /// An event for everybody with its access.
    pub fn new<M: Message + Name>(message: &M) -> Self {
        let event = Event {
            r#type: M::full_name(),
            payload: message.encode_to_vec().into(),
            ..Event::default()
        };
        Self(event)
    }

    /// Only for connections that listen to this topic, or to another one that is named.
    #[must_use]
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.0.topics.push(topic.into());
        self
    }

    /// Only for this connection.
    #[must_use]
    pub fn connection(mut self, id: impl Into<String>) -> Self {
        self.0.connection_id = Some(id.into());
        self
    }

    /// Not for these connections, which are told the same by another event.
    #[must_use]
    pub fn except(mut self, connections: Vec<String>) -> Self {
        self.0.except_connection_ids = connections;
        self
    }

    /// Of the connections that asked for the events of their own sessions only, just for those that listen to this topic.
    #[must_use]
    pub fn session_topic(mut self, topic: impl Into<String>) -> Self {
        self.0.session_topic = Some(topic.into());
        self
    }

    /// Of the named users only for this one, and for those who may see what belongs to others.
    #[must_use]
    pub fn user(mut self, id: impl Into<String>) -> Self {
        self.0.user_id = Some(id.into());
        self
    }

    /// About this device, which has or asks for these scopes: for those to whom the list of devices shows it.
    #[must_use]
    pub fn about_device<'s>(
        mut self,
        id: impl Into<String>,
        scopes: impl IntoIterator<Item = &'s str>,
    ) -> Self {
        self.0.device_id = Some(id.into());
        self.0.device_scopes = scopes.into_iter().map(str::to_owned).collect();
        self
    }

    /// One of the two forms of a text delta.
    #[must_use]
    pub fn rendition(mut self, rendition: Rendition) -> Self {
        self.0.rendition = rendition.into();
        self
    }

    /// Events with the same key may be merged behind a slow reader.
    #[must_use]
    pub fn merge_key(mut self, key: impl Into<String>) -> Self {
        self.0.merge_key = Some(key.into());
        self
    }

    /// With the versions that go into the frame.
    #[must_use]
    pub fn state_version(mut self, version: StateVersion) -> Self {
        self.0.state_version = Some(version);
        self
    }

    /// The event as it goes over the wire.
    #[must_use]
    pub fn into_event(self) -> Event {
        self.0
    }
}
