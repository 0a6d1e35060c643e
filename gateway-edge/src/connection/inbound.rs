//! The reading side of a socket: one task for each connection takes bytes as they come and hands out whole messages.
//!
//! It answers control frames by itself, lets the other connections go first after each turn, waits when the peer asks faster than
//! its share, and does not read from a peer that does not read. Between two messages it holds no memory.

use std::{io, sync::Arc};

use bytes::Bytes;
use tokio::task::yield_now;

use super::{
    Connection,
    pace::{Pace, Shares},
};
use crate::{
    budget::{FREE_BYTES, Lease},
    close::Close,
    frame::reader::{Incoming, Reader},
};

/// What is read at once of a large frame. It lives on the stack only while something is there to read.
const READ_BYTES: usize = 16 * 1024;

/// What is read at once otherwise: many small frames may wait for their turn in what was read, for each of many connections.
const SMALL_READ_BYTES: usize = 4 * 1024;

/// How a message was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It began a request.
    Begun,
    /// It was answered or dropped on the spot.
    Done,
}

/// A whole message.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) text: String,
    /// The memory of it.
    _lease: Lease,
}

/// What comes from one peer.
#[derive(Debug)]
pub(crate) struct Inbound {
    connection: Arc<Connection>,
    reader: Reader,
    pace: Pace,
    /// What was read, and waits for the next turn.
    left: Bytes,
    /// Whether a message for which memory is leased is under way; the sweep looks at how long.
    holds: bool,
}

/// What a look at the input brought.
enum Seen {
    Text(Text),
    /// It is the others' turn.
    Enough,
    /// Everything that has come is taken in.
    Nothing,
    /// The peer has gone.
    Gone,
}

impl Inbound {
    /// Reads from a connection, beginning with what came with the upgrade request.
    pub(crate) fn new(
        connection: Arc<Connection>,
        early: &[u8],
        limit: usize,
        lease: Lease,
        shares: Arc<Shares>,
    ) -> Self {
        Self {
            connection,
            reader: Reader::new(limit, lease),
            pace: Pace::new(shares),
            // A copy: the original keeps the HTTP server's whole buffer alive.
            left: Bytes::copy_from_slice(early),
            holds: false,
        }
    }

    /// Sets the limit and the budget for the messages from here on.
    pub(crate) fn allow(&mut self, limit: usize, lease: Lease) {
        self.reader.allow(limit, lease);
    }

    /// Counts the last message by how it was taken. `idle`: nothing was under way before it.
    pub(crate) fn taken(&mut self, taken: Taken, idle: bool) {
        match taken {
            Taken::Begun if idle => self.pace.waits(),
            Taken::Begun | Taken::Done => self.pace.request(),
        }
    }

    /// The next message. `None`: the connection is over, or about to end.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped: what was read stays.
    pub(crate) async fn next(&mut self) -> Option<Text> {
        loop {
            if self.pace.is_full() {
                self.pace.next_turn();
                yield_now().await;
            }
            if let Some((until, delayed)) = self.pace.delay() {
                // Boxed, because it is the exception and the task of a connection should be small.
                Box::pin(self.connection.pause(until)).await;
                drop(delayed);
            }
            if self.connection.is_closing() || self.connection.gone.is_cancelled() {
                return None;
            }
            match self.look() {
                Seen::Text(text) => return Some(text),
                Seen::Enough => continue,
                Seen::Nothing => self.note_memory(),
                Seen::Gone => {
                    self.connection.peer_has_ended();
                    return None;
                }
            }
            if !self.connection.readable().await {
                return None;
            }
        }
    }

    /// Takes in what was read before, or else what has come.
    fn look(&mut self) -> Seen {
        if !self.left.is_empty() {
            let read = std::mem::take(&mut self.left);
            let mut input = &*read;
            let seen = self.take_in(&mut input);
            self.left = if input.is_empty() {
                Bytes::new()
            } else {
                read.slice_ref(input)
            };
            return seen;
        }
        let mut buffer = [0; READ_BYTES];
        let size = if self.reader.missing() > SMALL_READ_BYTES {
            READ_BYTES
        } else {
            SMALL_READ_BYTES
        };
        let room = buffer.get_mut(..size).unwrap_or_default();
        match self.connection.stream.try_read(room) {
            Ok(0) => Seen::Gone,
            Ok(count) => {
                self.pace.read(count);
                let mut input = buffer.get(..count).unwrap_or_default();
                let seen = self.take_in(&mut input);
                self.left = Bytes::copy_from_slice(input);
                seen
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Seen::Nothing,
            Err(_) => Seen::Gone,
        }
    }

    /// Takes bytes from the front of `input` until a message is whole or the turn is over.
    fn take_in(&mut self, input: &mut &[u8]) -> Seen {
        while !input.is_empty() {
            if self.pace.is_full() {
                return Seen::Enough;
            }
            let read = self.reader.read(input);
            let counted = match read {
                Ok(None) => break,
                Ok(Some(Incoming::Text(text))) => {
                    self.pace.frame();
                    let _lease = self.reader.hand_over();
                    return Seen::Text(Text { text, _lease });
                }
                Ok(Some(other)) => self.answer(other),
                Err(close) => Err(close),
            };
            if let Err(close) = counted {
                self.connection.close(&close);
            }
            if self.connection.is_closing() {
                *input = &[];
            }
        }
        Seen::Nothing
    }

    fn answer(&mut self, incoming: Incoming) -> Result<(), Close> {
        self.pace.frame();
        match incoming {
            Incoming::Fragment(bytes) => self.pace.fragment(bytes)?,
            Incoming::Ping(payload) => {
                self.pace.control()?;
                self.connection.pong(payload);
            }
            Incoming::Pong => {
                self.pace.control()?;
                self.connection.mark_alive();
            }
            Incoming::Close(code) => {
                self.connection.peer_has_ended();
                self.connection.close(&Close {
                    code: code.unwrap_or(1000),
                    reason: "".into(),
                });
            }
            Incoming::Text(_) => (),
        }
        Ok(())
    }

    /// Tells the sweep about a message that is under way and holds memory, so that it ends one that does not come.
    fn note_memory(&mut self) {
        let held = self.reader.held();
        let holds = held > FREE_BYTES;
        if holds || self.holds {
            self.connection.holds(if holds { held } else { 0 });
            self.holds = holds;
        }
    }
}
