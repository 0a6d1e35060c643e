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
    /// What is not told to everybody alike.
    Aside(Box<Aside>),
}

/// An event beside the conversation itself.
#[derive(Clone, Debug)]
pub(crate) enum Aside {
    Tool(Box<proto::SessionToolEvent>),
    Operation(proto::SessionOperationEvent),
    Timing(proto::ChatSendTimingEvent),
}

impl Seen {
    /// `None`: it is about the list of tasks, which [`super::Running`] keeps apart.
    pub(super) fn read(event: &Event) -> Option<Self> {
        let rendition = event.rendition();
        let bytes = event.payload.clone();
        let name = event.r#type.as_str();
        let aside = |aside| Self::Aside(Box::new(aside));
        Some(if name == proto::TaskEvent::full_name() {
            return None;
        } else if name == proto::SessionToolEvent::full_name() {
            aside(Aside::Tool(Box::new(
                proto::SessionToolEvent::decode(bytes).unwrap(),
            )))
        } else if name == proto::SessionOperationEvent::full_name() {
            aside(Aside::Operation(
                proto::SessionOperationEvent::decode(bytes).unwrap(),
            ))
        } else if name == proto::ChatSendTimingEvent::full_name() {
            aside(Aside::Timing(proto::ChatSendTimingEvent::decode(bytes).unwrap()))
        } else if name == proto::ChatEvent::full_name() {
            Self::Chat(Box::new(proto::ChatEvent::decode(bytes).unwrap()), rendition)
        } else if name == proto::AgentEvent::full_name() {
            Self::Agent(Box::new(proto::AgentEvent::decode(bytes).unwrap()), rendition)
        } else if name == proto::SessionMessageEvent::full_name() {
            Self::Row(Box::new(proto::SessionMessageEvent::decode(bytes).unwrap()))
        } else {
            Self::Changed(Box::new(proto::SessionsChangedEvent::decode(bytes).unwrap()))
        })
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
            Self::Aside(aside) => match &**aside {
                Aside::Tool(event) => {
                    let data: serde_json::Value = serde_json::from_str(&event.data).unwrap();
                    format!("tool {}", data["phase"].as_str().unwrap_or_default())
                }
                Aside::Operation(event) => format!("operation {}", event.phase),
                Aside::Timing(event) => format!("timing {}", event.phase),
            },
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
            Self::Agent(..) | Self::Row(_) | Self::Changed(_) | Self::Aside(_) => None,
        }
    }
}
