//! Reads what a client sends. Incremental: bytes go in as they come, whole messages and control frames come out.
//!
//! It holds memory only between the first and the last byte of a message, never more than the limit and never more than has
//! really arrived: a head that announces 25 MiB reserves nothing. UTF-8 is checked as the bytes come, so that a bad text ends
//! at its bad byte and not at its last one.

use super::opcode;
use crate::close::Close;

#[cfg(test)]
mod tests;

/// One thing a client said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// A whole text message.
    Text(String),
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
    /// The text message under way: joined fragments, unmasked.
    message: Vec<u8>,
    /// How much of `message` is known to be UTF-8.
    valid: usize,
    /// Whether a text message waits for its next fragment.
    fragmented: bool,
    /// The control frame under way; it may stand between two fragments of a message.
    control: Vec<u8>,
}

#[derive(Debug)]
struct HeadBuffer {
    bytes: [u8; 14],
    len: usize,
}

/// A frame whose head is known.
#[derive(Debug, Clone, Copy)]
struct Frame {
    opcode: u8,
    last: bool,
    mask: [u8; 4],
    /// Payload bytes that have come, for the place in the mask.
    taken: usize,
    len: usize,
}

impl Reader {
    /// A reader that refuses messages of more than `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            head: HeadBuffer {
                bytes: [0; 14],
                len: 0,
            },
            frame: None,
            message: Vec::new(),
            valid: 0,
            fragmented: false,
            control: Vec::new(),
        }
    }

    /// Sets the limit for the messages from here on.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Takes bytes from the front of `input` until something is whole. `None`: all of it was taken, more is needed.
    ///
    /// # Errors
    ///
    /// The close that the peer has earned. Nothing may be read after it.
    pub(crate) fn read(&mut self, input: &mut &[u8]) -> Result<Option<Incoming>, Close> {
        loop {
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
            if let Some(whole) = self.finish(frame)? {
                return Ok(Some(whole));
            }
        }
    }

    fn read_head(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, Close> {
        loop {
            let needed = self.head.needed();
            if self.head.len == needed {
                let frame = self.head.parse(self.fragmented)?;
                self.head.len = 0;
                let joined = self.message.len().saturating_add(frame.len);
                let over = frame.opcode < opcode::CLOSE && joined > self.limit;
                return if over {
                    Err(Close::TOO_LARGE)
                } else {
                    Ok(Some(frame))
                };
            }
            let Some((byte, rest)) = input.split_first() else {
                return Ok(None);
            };
            self.head.push(*byte);
            *input = rest;
            if self.head.len == 2 {
                // A head that is already wrong is refused before its length and payload come.
                self.head.check(self.fragmented)?;
            }
        }
    }

    fn read_payload(&mut self, mut frame: Frame, input: &mut &[u8]) -> Result<Frame, Close> {
        let (piece, rest) = input.split_at(input.len().min(frame.len - frame.taken));
        *input = rest;
        let target = if frame.opcode < opcode::CLOSE {
            &mut self.message
        } else {
            &mut self.control
        };
        let mask = frame.mask.iter().cycle().skip(frame.taken % 4);
        target.extend(piece.iter().zip(mask).map(|(byte, mask)| byte ^ mask));
        frame.taken += piece.len();
        if frame.opcode < opcode::CLOSE {
            self.check_text()?;
        }
        Ok(frame)
    }

    /// Checks what is new in the message. A character may still be cut at the end of it.
    fn check_text(&mut self) -> Result<(), Close> {
        let new = self.message.get(self.valid..).unwrap_or_default();
        match std::str::from_utf8(new) {
            Ok(_) => self.valid = self.message.len(),
            Err(error) if error.error_len().is_none() => self.valid += error.valid_up_to(),
            Err(_) => return Err(Close::UTF8),
        }
        Ok(())
    }

    fn finish(&mut self, frame: Frame) -> Result<Option<Incoming>, Close> {
        match frame.opcode {
            opcode::PING => Ok(Some(Incoming::Ping(std::mem::take(&mut self.control)))),
            opcode::PONG => {
                self.control = Vec::new();
                Ok(Some(Incoming::Pong))
            }
            opcode::CLOSE => {
                close_code(&std::mem::take(&mut self.control)).map(|code| Some(Incoming::Close(code)))
            }
            _ if !frame.last => {
                self.fragmented = true;
                Ok(None)
            }
            _ => {
                self.fragmented = false;
                self.valid = 0;
                let message = std::mem::take(&mut self.message);
                String::from_utf8(message)
                    .map(|text| Some(Incoming::Text(text)))
                    .map_err(|_| Close::UTF8)
            }
        }
    }
}

impl HeadBuffer {
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    /// How long this head is, as far as one can tell.
    fn needed(&self) -> usize {
        match (self.len, self.bytes[1] & 0x7f) {
            (0 | 1, _) => 2,
            (_, 126) => 8,
            (_, 127) => 14,
            (_, _) => 6,
        }
    }

    /// What the first two bytes say must be allowed here.
    fn check(&self, fragmented: bool) -> Result<(), Close> {
        let [first, second, ..] = self.bytes;
        let (last, kind, short) = (first & 0x80 != 0, first & 0x0f, second & 0x7f);
        let reserved = first & 0x70 != 0;
        let unmasked = second & 0x80 == 0;
        if reserved || unmasked {
            return Err(Close::PROTOCOL);
        }
        match kind {
            opcode::CONTINUATION if fragmented => Ok(()),
            opcode::TEXT if !fragmented => Ok(()),
            opcode::BINARY if !fragmented => Err(Close::BINARY),
            opcode::CLOSE | opcode::PING | opcode::PONG if last && short < 126 => Ok(()),
            _ => Err(Close::PROTOCOL),
        }
    }

    fn parse(&self, fragmented: bool) -> Result<Frame, Close> {
        self.check(fragmented)?;
        let b = &self.bytes;
        let (len, mask) = match b[1] & 0x7f {
            126 => (
                u64::from(u16::from_be_bytes([b[2], b[3]])),
                [b[4], b[5], b[6], b[7]],
            ),
            127 => {
                let len = u64::from_be_bytes([b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9]]);
                if len >> 63 != 0 {
                    return Err(Close::PROTOCOL);
                }
                (len, [b[10], b[11], b[12], b[13]])
            }
            short => (u64::from(short), [b[2], b[3], b[4], b[5]]),
        };
        let len = usize::try_from(len).map_err(|_| Close::TOO_LARGE)?;
        Ok(Frame {
            opcode: b[0] & 0x0f,
            last: b[0] & 0x80 != 0,
            mask,
            taken: 0,
            len,
        })
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
