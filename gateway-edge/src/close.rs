//! Why the gateway closes a socket: the codes of RFC 6455 and of the protocol, each with the words that go with it.

use std::borrow::Cow;

/// A close reason must fit into a control frame beside the code (RFC 6455, 5.5).
const REASON_MAX: usize = 123;

/// One ending of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Close {
    /// The code on the wire.
    pub(crate) code: u16,
    /// The words on the wire, at most 123 bytes.
    pub(crate) reason: Cow<'static, str>,
}

impl Close {
    /// The handshake did not come in time, or its first frame could not be read. The protocol says nothing more then.
    pub(crate) const SILENT: Self = Self::fixed(1000, "");
    /// The peer broke RFC 6455.
    pub(crate) const PROTOCOL: Self = Self::fixed(1002, "protocol error");
    /// Frames are text.
    pub(crate) const BINARY: Self = Self::fixed(1003, "binary frames are not spoken here");
    /// A text was not UTF-8.
    pub(crate) const UTF8: Self = Self::fixed(1007, "invalid utf-8");
    /// The first frame was JSON, but no request.
    pub(crate) const NOT_A_REQUEST: Self = Self::fixed(1008, "invalid request frame");
    /// The peer does not read what it is sent.
    pub(crate) const SLOW_CONSUMER: Self = Self::fixed(1008, "slow consumer");
    /// More PING and PONG frames than a connection needs.
    pub(crate) const CONTROL_FLOOD: Self =
        Self::fixed(1008, "too many control frames; send a PING every few seconds");
    /// A message in many small pieces, each of which costs as much as a large one.
    pub(crate) const FRAGMENT_FLOOD: Self =
        Self::fixed(1008, "too many small fragments; send messages in larger pieces");
    /// A message that was begun holds memory and does not come.
    pub(crate) const MESSAGE_TOO_SLOW: Self = Self::fixed(1008, "a message took too long to come");
    /// A frame or message is over the limit.
    pub(crate) const TOO_LARGE: Self = Self::fixed(1009, "frame too large");
    /// The place of a socket that has not said who it is was needed for another; a client may come back at once.
    pub(crate) const EVICTED: Self =
        Self::fixed(1013, "too many sockets wait for their connect; say it at once");
    /// The edge ends; a client may come back at once.
    pub(crate) const RESTART: Self = Self::fixed(1012, "service restart");
    /// The edge cannot check a credential yet.
    pub(crate) const STARTING: Self = Self::fixed(1013, "gateway starting");
    /// Nobody can decide about a device that is not known; a client may come back soon.
    pub(crate) const PAIRING_AWAY: Self =
        Self::fixed(1013, "the config service does not answer; try again later");
    /// The memory for messages is in use; a client may come back soon.
    pub(crate) const OVERLOADED: Self = Self::fixed(1013, "too many large messages at once; try again later");
    /// The credential that opened this connection is no longer good for it.
    pub(crate) const AUTH_CHANGED: Self =
        Self::fixed(4001, "the token, its scopes or the device's pairing changed");

    const fn fixed(code: u16, reason: &'static str) -> Self {
        Self {
            code,
            reason: Cow::Borrowed(reason),
        }
    }

    /// A refusal whose close frame repeats the message, cut at a character where it is too long.
    pub(crate) fn with_reason(code: u16, message: &str) -> Self {
        let mut end = message.len().min(REASON_MAX);
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        let reason = message.split_at_checked(end).map_or("", |(head, _)| head);
        Self {
            code,
            reason: Cow::Owned(reason.to_owned()),
        }
    }

    /// The same words under another code.
    pub(crate) fn with_code(mut self, code: u16) -> Self {
        self.code = code;
        self
    }

    /// Whether the peer sent what no client has a use for.
    pub(crate) fn is_flood(&self) -> bool {
        [Self::CONTROL_FLOOD, Self::FRAGMENT_FLOOD].contains(self)
    }

    /// The payload of the close frame.
    pub(crate) fn payload(&self) -> Vec<u8> {
        let mut payload = Vec::with_capacity(2 + self.reason.len());
        payload.extend_from_slice(&self.code.to_be_bytes());
        payload.extend_from_slice(self.reason.as_bytes());
        payload
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_is_cut_at_a_character() {
        let close = Close::with_reason(1008, &"ü".repeat(100));

        assert_eq!(close.reason.len(), 122, "61 whole characters of two bytes");
        assert!(close.payload().len() <= 125);
    }
}
