//! The head of a frame from a client: two bytes that are judged as soon as they are there, a length and a mask.

use super::opcode;
use crate::close::Close;

/// The longest head: two bytes, a 64-bit length and a mask.
const HEAD_MAX: usize = 14;

/// A frame whose head is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) opcode: u8,
    /// Whether a message ends with it.
    pub(super) last: bool,
    pub(super) mask: [u8; 4],
    /// Payload bytes that have come, for the place in the mask.
    pub(super) taken: usize,
    pub(super) len: usize,
}

impl Frame {
    /// Whether it carries a piece of a message.
    pub(super) fn is_data(&self) -> bool {
        self.opcode < opcode::CLOSE
    }
}

/// The bytes of a head that have come.
#[derive(Debug, Default)]
pub(super) struct HeadBuffer {
    bytes: [u8; HEAD_MAX],
    len: usize,
}

impl HeadBuffer {
    /// Takes bytes from the front of `input` until the head is whole.
    pub(super) fn read(&mut self, input: &mut &[u8], fragmented: bool) -> Result<Option<Frame>, Close> {
        while self.len < self.needed() {
            let Some((byte, rest)) = input.split_first() else {
                return Ok(None);
            };
            self.push(*byte);
            *input = rest;
            if self.len == 2 {
                // A head that is already wrong is refused before its length and payload come.
                self.check(fragmented)?;
            }
        }
        let frame = self.parse()?;
        self.len = 0;
        Ok(Some(frame))
    }

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
            (_, 127) => HEAD_MAX,
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

    fn parse(&self) -> Result<Frame, Close> {
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
