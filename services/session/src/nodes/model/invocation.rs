//! What is asked of a node, and what becomes of it.

use super::*;

/// How an invocation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Queued,
    Running,
    Ok,
    Error,
    Timeout,
    Cancelled,
    Lost,
}

impl State {
    const WORDS: [(Self, &'static str); 7] = [
        (Self::Queued, "queued"),
        (Self::Running, "running"),
        (Self::Ok, "ok"),
        (Self::Error, "error"),
        (Self::Timeout, "timeout"),
        (Self::Cancelled, "cancelled"),
        (Self::Lost, "lost"),
    ];

    /// The word in the store.
    pub(crate) fn word(self) -> &'static str {
        Self::WORDS
            .into_iter()
            .find_map(|(state, word)| (state == self).then_some(word))
            .unwrap_or_default()
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::WORDS
            .into_iter()
            .find_map(|(state, known)| (known == word).then_some(state))
    }
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// For programs.
    pub(crate) code: String,
    /// For people.
    pub(crate) message: String,
}

impl Trouble {
    pub(crate) fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
        }
    }
}

/// What a node answered: JSON, and whether the node sent it as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Payload {
    pub(crate) json: Option<String>,
    pub(crate) text: Option<String>,
}

impl Payload {
    pub(crate) fn bytes(&self) -> usize {
        self.json.as_ref().map_or(0, String::len) + self.text.as_ref().map_or(0, String::len)
    }
}

/// Who asked. The keys of one asker are no other's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Asker {
    pub(crate) client: Option<String>,
    pub(crate) device: Option<String>,
    /// The named user. `None`: the gateway's owner, or a process.
    pub(crate) user: Option<String>,
}

/// Something that a node is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewInvocation {
    pub(crate) id: String,
    pub(crate) node: NodeId,
    pub(crate) command: String,
    /// JSON.
    pub(crate) params: Option<String>,
    pub(crate) timeout_ms: i64,
    pub(crate) key: String,
    /// Whoever comes with the same key and another of these means something else.
    pub(crate) fingerprint: Vec<u8>,
    pub(crate) session_key: Option<String>,
    pub(crate) asker: Asker,
    /// How long it may wait for its node. `None`: the node is asked at once.
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) now: Timestamp,
}

/// What is remembered of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InvocationRecord {
    pub(crate) id: String,
    pub(crate) node: NodeId,
    pub(crate) command: String,
    pub(crate) key: String,
    pub(crate) fingerprint: Vec<u8>,
    pub(crate) asker: Asker,
    pub(crate) state: State,
    pub(crate) created_at: Timestamp,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) ended_at: Option<Timestamp>,
    pub(crate) expires_at: Option<Timestamp>,
    /// The result, when it was small and is young.
    pub(crate) payload: Option<Payload>,
    pub(crate) trouble: Option<Trouble>,
    /// What its result held that is seen or heard. Told in lists alone.
    pub(crate) media: Vec<MediaRow>,
}

/// An end that came without anybody's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settled {
    pub(crate) id: String,
    pub(crate) node: NodeId,
    pub(crate) command: String,
    pub(crate) state: State,
}

/// What waited too long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expired {
    pub(crate) ended: Vec<Settled>,
    /// When the next one has.
    pub(crate) next: Option<Timestamp>,
}

/// Something that waited for its node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) id: String,
    pub(crate) command: String,
    pub(crate) params: Option<String>,
    pub(crate) timeout_ms: i64,
    pub(crate) key: String,
    pub(crate) fingerprint: Vec<u8>,
    pub(crate) session_key: Option<String>,
    pub(crate) asker: Asker,
    pub(crate) created_at: Timestamp,
}

/// How an invocation ended. There is one end, and the store refuses a second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) state: State,
    pub(crate) payload: Payload,
    /// What was kept of the payload as media.
    pub(crate) media: Vec<MediaId>,
    pub(crate) trouble: Option<Trouble>,
}

impl End {
    pub(crate) fn ok(payload: Payload) -> Self {
        Self {
            state: State::Ok,
            payload,
            media: Vec::new(),
            trouble: None,
        }
    }

    pub(crate) fn failed(state: State, trouble: Trouble) -> Self {
        Self {
            state,
            payload: Payload::default(),
            media: Vec::new(),
            trouble: Some(trouble),
        }
    }
}

/// What became of a new invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    New,
    /// The key was used before.
    Known(Box<InvocationRecord>),
    /// Too many wait for this node already.
    Full,
}
