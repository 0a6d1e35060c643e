//! The events of an engine, as a test reads them.

use gatehouse_proto::broadcast::v1::{Event, Rendition};
use gatehouse_proto::session::v1 as proto;
use prost::{Message, Name};

/// Something that went out.
#[derive(Clone, Debug)]
pub(crate) enum Seen {
    Chat(Box<proto::ChatEvent>, Rendition),
    Agent(Box<proto::AgentEvent>, Rendition),
    Row(Box<proto::SessionMessageEvent>),
    Changed(Box<proto::SessionsChangedEvent>),
}

impl Seen {
    pub(super) fn read(event: &Event) -> Self {
        let rendition = event.rendition();
        let bytes = event.payload.clone();
        let name = event.r#type.as_str();
        if name == proto::ChatEvent::full_name() {
            Self::Chat(Box::new(proto::ChatEvent::decode(bytes).unwrap()), rendition)
        } else if name == proto::AgentEvent::full_name() {
            Self::Agent(Box::new(proto::AgentEvent::decode(bytes).unwrap()), rendition)
        } else if name == proto::SessionMessageEvent::full_name() {
            Self::Row(Box::new(proto::SessionMessageEvent::decode(bytes).unwrap()))
        } else {
            Self::Changed(Box::new(proto::SessionsChangedEvent::decode(bytes).unwrap()))
        }
    }

    /// A few words, for comparisons.
    pub(crate) fn label(&self) -> String {
        let mark = |rendition: &Rendition| match rendition {
            Rendition::Unspecified => "",
            Rendition::Increment => " +",
            Rendition::Cumulative => " =",
        };
        match self {
            Self::Chat(event, rendition) => format!(
                "chat {}{}{}",
                event
                    .state()
                    .as_str_name()
                    .trim_start_matches("STATE_")
                    .to_lowercase(),
                event
                    .delta_text
                    .as_ref()
                    .map(|text| format!(" '{text}'"))
                    .unwrap_or_default(),
                mark(rendition)
            ),
            Self::Agent(event, rendition) => {
                let data: serde_json::Value = serde_json::from_str(&event.data).unwrap();
                let phase = data
                    .get("phase")
                    .and_then(|phase| phase.as_str())
                    .unwrap_or_default();
                format!("agent {} {phase}{}", event.stream, mark(rendition)).replace("  ", " ")
            }
            Self::Row(event) => format!("row {}", event.message.as_ref().unwrap().role),
            Self::Changed(event) => format!("changed {}", event.reason),
        }
    }

    /// The run and the state, when it is the end of a run.
    pub(crate) fn terminal(&self) -> Option<(&str, proto::chat_event::State)> {
        use proto::chat_event::State;
        match self {
            Self::Chat(event, _) => match event.state() {
                state @ (State::Final | State::Aborted | State::Error) => Some((&event.run_id, state)),
                State::Unspecified | State::Status | State::Delta => None,
            },
            Self::Agent(..) | Self::Row(_) | Self::Changed(_) => None,
        }
    }
}
