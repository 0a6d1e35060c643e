//! One event of the stream, rendered once for everybody who may see it.

use std::{collections::HashSet, ops::Range, sync::Arc};

use bytes::Bytes;
use gatehouse_contract::{Access, Grants};
use gatehouse_proto::broadcast::v1 as broadcast;

use crate::{dialect::Rendition, profile::Profile};

mod merge;

pub(crate) use merge::merged;

/// A device that an event is about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct About {
    pub(crate) device: Box<str>,
    /// The scopes that it has or asks for.
    pub(crate) scopes: Grants,
}

/// How much of a state somebody is shown, where that is not the same for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All of it: for those who may see what belongs to others.
    Whole,
    /// What belongs to nobody in particular: for all others.
    Shared,
}

/// Who an event is for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Audience {
    pub(crate) access: Access,
    /// Only connections that listen to one of these. Empty: everybody with the access.
    pub(crate) topics: Vec<String>,
    /// Only this connection.
    pub(crate) connection: Option<String>,
    /// None of these connections.
    pub(crate) except: Vec<String>,
    /// Clients that want the events of their own sessions only have to listen to this.
    pub(crate) session_topic: Option<Box<str>>,
    pub(crate) rendition: Option<Rendition>,
    /// Of the named users only this one, and whoever may see what belongs to others.
    pub(crate) user: Option<Box<str>>,
    /// Only those who may hear of this device.
    pub(crate) about: Option<About>,
    /// Only those who are shown this much. `None`: there is no difference.
    pub(crate) extent: Option<Extent>,
}

impl Audience {
    /// Everybody with this access.
    pub(crate) fn everybody(access: Access) -> Self {
        Self {
            access,
            topics: Vec::new(),
            connection: None,
            except: Vec::new(),
            session_topic: None,
            rendition: None,
            user: None,
            about: None,
            extent: None,
        }
    }

    /// Whether it is for a connection with this profile, these topics and this id.
    pub(crate) fn holds(&self, profile: &Profile, topics: &HashSet<Box<str>>, id: &str) -> bool {
        self.access.allows(&profile.grants)
            && self
                .rendition
                .is_none_or(|rendition| rendition == profile.rendition)
            && self
                .connection
                .as_deref()
                .is_none_or(|connection| connection == id)
            && !self.except.iter().any(|connection| connection == id)
            && (!profile.capabilities.own_sessions_only
                || self
                    .session_topic
                    .as_deref()
                    .is_none_or(|topic| topics.contains(topic)))
            && self.user.as_deref().is_none_or(|user| profile.may_see_of(user))
            && self
                .about
                .as_ref()
                .is_none_or(|about| profile.may_hear_of(&about.device, &about.scopes))
            && self
                .extent
                .is_none_or(|extent| (extent == Extent::Whole) == profile.sees_all())
            && (self.topics.is_empty() || self.topics.iter().any(|topic| topics.contains(topic.as_str())))
    }
}

/// Waiting events of the same key are merged into one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Merge {
    pub(crate) key: Arc<str>,
    /// Where in the body the text stands that grows.
    pub(crate) append: Option<Range<usize>>,
}

/// An event, ready to be sent.
#[derive(Debug)]
pub(crate) struct Event {
    /// The name clients see.
    pub(crate) name: Arc<str>,
    pub(crate) audience: Audience,
    /// The frame up to its own number, which each connection adds: `{"type":"event",...` without the closing brace.
    pub(crate) body: Bytes,
    pub(crate) merge: Option<Merge>,
    /// Whether it takes a number of the connection. What is sent to a node as a node does not.
    pub(crate) numbered: bool,
}

impl Event {
    /// An event from its name and its payload, which must be JSON.
    pub(crate) fn new(
        name: &str,
        audience: Audience,
        payload: &[u8],
        versions: Option<&broadcast::StateVersion>,
    ) -> Self {
        let (body, _) = body(name, payload, versions);
        let numbered = audience.access != Access::Node;
        Self {
            name: name.into(),
            audience,
            body,
            merge: None,
            numbered,
        }
    }

    /// The same, sent to a node as a node, whoever may see it otherwise.
    pub(crate) fn for_node(self) -> Self {
        Self {
            audience: Audience::everybody(Access::Node),
            merge: None,
            numbered: false,
            ..self
        }
    }

    /// The same, for those who are shown this much.
    pub(crate) fn shown(mut self, extent: Extent) -> Self {
        self.audience.extent = Some(extent);
        self
    }

    /// Lets waiting events of this key be merged; `append` is the place in the payload that grows.
    pub(crate) fn merged_by(mut self, key: &str, append: Option<Range<usize>>) -> Self {
        let start = head(&self.name).len();
        let append = append.map(|range| range.start + start..range.end + start);
        self.merge = Some(Merge {
            key: key.into(),
            append,
        });
        self
    }
}

fn head(name: &str) -> String {
    let name = serde_json::Value::from(name);
    format!(r#"{{"type":"event","event":{name},"payload":"#)
}

fn body(name: &str, payload: &[u8], versions: Option<&broadcast::StateVersion>) -> (Bytes, usize) {
    let head = head(name);
    let start = head.len();
    let mut body = head.into_bytes();
    body.reserve_exact(payload.len() + if versions.is_some() { 80 } else { 0 });
    body.extend_from_slice(payload);
    if let Some(broadcast::StateVersion { presence, health }) = versions {
        body.extend_from_slice(
            format!(r#","stateVersion":{{"presence":{presence},"health":{health}}}"#).as_bytes(),
        );
    }
    (body.into(), start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_a_frame_without_its_end() {
        let versions = broadcast::StateVersion {
            presence: 3,
            health: 7,
        };

        let event = Event::new(
            "presence",
            Audience::everybody(Access::Read),
            b"{}",
            Some(&versions),
        );

        assert_eq!(
            event.body,
            r#"{"type":"event","event":"presence","payload":{},"stateVersion":{"presence":3,"health":7}"#
        );
    }

    #[test]
    fn the_growing_text_is_found_in_the_body() {
        let event = Event::new(
            "chat",
            Audience::everybody(Access::Read),
            br#"{"deltaText":"ab"}"#,
            None,
        );

        let merge = event.merged_by("r/i", Some(14..16));

        let range = merge.merge.unwrap().append.unwrap();
        assert_eq!(&merge.body[range], b"ab");
    }
}
