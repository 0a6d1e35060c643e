//! Reads what a client sends. Incremental: bytes go in as they come, whole messages and control frames come out.
//!
//! It holds memory only between the first and the last byte of a message, never more than the limit, never more than has
//! really arrived and never more than its budget has: a head that announces 25 MiB reserves nothing. UTF-8 is checked as the
//! bytes come, so that a bad text ends at its bad byte and not at its last one.

use super::{
    head::{Frame, HeadBuffer},
    message::{Message, unmask},
    opcode,
};
use crate::{budget::Lease, close::Close};

#[cfg(test)]
mod tests;

/// One thing a client said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// A whole text message.
    Text(String),
    /// A frame of a message that is not whole yet, with the bytes that it brought.
    Fragment(usize),
    /// Wants its payload back.
    Ping(Vec<u8>),
    /// A sign of life.
    Pong,
    /// The client closes, with its code if it gave one.
    Close(Option<u16>),
}

/// Reads frames of one connection.
#[derive(Debug)]
pub(crate) struct Reader {
    limit: usize,
    head: HeadBuffer,
    frame: Option<Frame>,
    /// The text message under way.
    message: Message,
    /// Whether a text message waits for its next fragment.
    fragmented: bool,
    /// The control frame under way; it may stand between two fragments of a message.
    control: Vec<u8>,
}

impl Reader {
    /// A reader that refuses messages of more than `limit` bytes, and leases the memory for them.
    pub(crate) fn new(limit: usize, lease: Lease) -> Self {
        Self {
            limit,
            head: HeadBuffer::default(),
            frame: None,
            message: Message::new(lease),
            fragmented: false,
            control: Vec::new(),
        }
    }

    /// Sets the limit and the budget for the messages from here on. The last one is parsed.
    pub(crate) fn allow(&mut self, limit: usize, lease: Lease) {
        debug_assert!(self.message.len() == 0, "between two messages");
        self.limit = limit;
        self.message = Message::new(lease);
    }

    /// The memory that an unfinished message takes.
    pub(crate) fn held(&self) -> usize {
        self.message.capacity()
    }

    /// Bytes of the frame under way that have not come yet.
    pub(crate) fn missing(&self) -> usize {
        self.frame.map_or(0, |frame| frame.len - frame.taken)
    }

    /// What was leased for the text that was given out last, to be held for as long as that.
    pub(crate) fn hand_over(&mut self) -> Lease {
        self.message.hand_over()
    }

    /// Takes bytes from the front of `input` until something is whole. `None`: all of it was taken, more is needed.
    ///
    /// # Errors
    ///
    /// The close that the peer has earned. Nothing may be read after it.
    pub(crate) fn read(&mut self, input: &mut &[u8]) -> Result<Option<Incoming>, Close> {
        if self.frame.is_none() {
            self.frame = self.read_head(input)?;
        }
        let Some(frame) = self.frame else { return Ok(None) };
        let frame = self.read_payload(frame, input)?;
        if frame.taken < frame.len {
            self.frame = Some(frame);
            return Ok(None);
        }
        self.frame = None;
        self.finish(frame).map(Some)
    }

    fn read_head(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, Close> {
        let frame = self.head.read(input, self.fragmented)?;
        let over = frame.is_some_and(|frame| {
            frame.is_data() && self.message.len().saturating_add(frame.len) > self.limit
        });
        if over { Err(Close::TOO_LARGE) } else { Ok(frame) }
    }

    fn read_payload(&mut self, mut frame: Frame, input: &mut &[u8]) -> Result<Frame, Close> {
        let missing = frame.len - frame.taken;
        let (piece, rest) = input.split_at(input.len().min(missing));
        *input = rest;
        if frame.is_data() {
            let total = if frame.last {
                self.message.len() + missing
            } else {
                self.limit
            };
            self.message.reserve(piece.len(), total)?;
            self.message.extend(piece, frame.mask, frame.taken)?;
        } else {
            let before = self.control.len();
            self.control.extend_from_slice(piece);
            let new = self.control.get_mut(before..).unwrap_or_default();
            unmask(new, frame.mask, frame.taken);
        }
        frame.taken += piece.len();
        Ok(frame)
    }

    fn finish(&mut self, frame: Frame) -> Result<Incoming, Close> {
        match frame.opcode {
            opcode::PING => Ok(Incoming::Ping(std::mem::take(&mut self.control))),
            opcode::PONG => {
                self.control = Vec::new();
                Ok(Incoming::Pong)
            }
            opcode::CLOSE => close_code(&std::mem::take(&mut self.control)).map(Incoming::Close),
            _ if !frame.last => {
                self.fragmented = true;
                Ok(Incoming::Fragment(frame.len))
            }
            _ => {
                self.fragmented = false;
                self.message.take().map(Incoming::Text)
            }
        }
    }
}

/// The code of a close frame, if it is one that may be sent (RFC 6455, 7.4).
fn close_code(payload: &[u8]) -> Result<Option<u16>, Close> {
    let code = match payload {
        [] => return Ok(None),
        [high, low, ..] => u16::from_be_bytes([*high, *low]),
        [_] => return Err(Close::PROTOCOL),
    };
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Close::PROTOCOL);
    }
    match std::str::from_utf8(payload.get(2..).unwrap_or_default()) {
        Ok(_) => Ok(Some(code)),
        Err(_) => Err(Close::UTF8),
    }
}
