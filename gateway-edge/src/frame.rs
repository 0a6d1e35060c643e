//! RFC 6455 as the edge speaks it: text and control frames, no extension, no subprotocol.
//!
//! The edge has its own codec because the hub writes to sockets itself: one shared body for all connections, a few own bytes
//! before and after it, handed to the kernel without a copy. Both halves are plain state without input or output.

mod head;
mod message;
pub(crate) mod reader;
pub(crate) mod writer;

/// The kinds of frames.
pub(crate) mod opcode {
    pub(crate) const CONTINUATION: u8 = 0x0;
    pub(crate) const TEXT: u8 = 0x1;
    pub(crate) const BINARY: u8 = 0x2;
    pub(crate) const CLOSE: u8 = 0x8;
    pub(crate) const PING: u8 = 0x9;
    pub(crate) const PONG: u8 = 0xA;
}
