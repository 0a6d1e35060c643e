//! What waits to be written to one socket, and its backpressure: a bounded queue of frames whose bodies are shared with all others.
//! A connection adds its own number to an event when the event is queued, so numbers follow the order of the socket and have
//! no hole. Behind a slow reader, deltas of one run that still wait become one: the older one keeps its place and its number,
//! takes the newer one's body, and the text that grows is the two texts joined. Nothing of it is lost, and a reader that
//! catches up has less to read.

use std::{
    collections::{HashMap, VecDeque},
    io::{self, IoSlice},
    sync::Arc,
};

use bytes::Bytes;

use self::frame::{FRAME_COST, Frame};
use crate::{
    budget::Lease,
    event::{Event, Merge},
    frame::opcode,
};

mod direct;
mod frame;
#[cfg(test)]
mod tests;

/// Slices handed to the kernel at once: 25 frames of up to five pieces. Linux takes 1,024; more than this gains nothing.
const SLICES_MAX: usize = 128;

/// The reader is too far behind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// Frames that wait for one socket.
#[derive(Debug)]
pub(crate) struct Outbox {
    frames: VecDeque<Frame>,
    /// The place in the connection's life of the frame at the front.
    first: u64,
    /// Bytes of the frame at the front that are written.
    written: usize,
    /// What all waiting frames cost.
    cost: usize,
    limit: usize,
    /// What of it nobody else has: the bodies of events are shared by all who wait for them.
    own: usize,
    /// The part of the edge's memory that is leased for `own`.
    lease: Lease,
    /// The last number given to an event.
    seq: u64,
    /// Waiting frames that a newer event may be merged into, by their place.
    open: HashMap<Lane, u64>,
    /// The waiting PONG, by its place. A newer one replaces it (RFC 6455, 5.5.3).
    pong: Option<u64>,
    /// The waiting PING, by its place. A second one would ask nothing new.
    ping: Option<u64>,
}

/// Events are merged with their like only.
type Lane = (Arc<str>, Arc<str>);

impl Outbox {
    /// An empty outbox that holds at most `limit` bytes, and leases what it holds for its connection alone.
    pub(crate) fn new(limit: usize, lease: Lease) -> Self {
        Self {
            frames: VecDeque::new(),
            first: 0,
            written: 0,
            cost: 0,
            limit,
            own: 0,
            lease,
            seq: 0,
            open: HashMap::new(),
            pong: None,
            ping: None,
        }
    }

    /// Whether everything is written.
    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// What waits, in bytes.
    pub(crate) fn cost(&self) -> usize {
        self.cost
    }

    /// What waits for this connection alone, in bytes.
    pub(crate) fn own(&self) -> usize {
        self.own
    }

    /// Queues a text that is for this connection alone.
    pub(crate) fn push_text(&mut self, text: Bytes) -> Result<(), Full> {
        self.push(Frame::private(opcode::TEXT, text))
    }

    /// Queues the answer to a PING, in the place of one that waits.
    pub(crate) fn push_pong(&mut self, payload: Vec<u8>) -> Result<(), Full> {
        let frame = Frame::private(opcode::PONG, payload.into());
        if let Some(waiting) = self.pong.and_then(|place| self.untouched(place)) {
            let older = std::mem::replace(waiting, frame);
            let newer = waiting.cost();
            // At most 125 bytes more, and only once: that is within any limit.
            self.cost = (self.cost + newer).saturating_sub(older.cost());
            self.own = (self.own + newer).saturating_sub(older.cost());
            return Ok(());
        }
        let place = self.end();
        self.push(frame)?;
        self.pong = Some(place);
        Ok(())
    }

    /// Queues a question for a sign of life, unless one waits.
    pub(crate) fn push_ping(&mut self) -> Result<(), Full> {
        if self.ping.is_some_and(|place| self.untouched(place).is_some()) {
            return Ok(());
        }
        let place = self.end();
        self.push(Frame::private(opcode::PING, Bytes::new()))?;
        self.ping = Some(place);
        Ok(())
    }

    /// Queues the last words. They are never refused: they come once, are small, and say why the connection ends.
    pub(crate) fn push_close(&mut self, payload: Vec<u8>) {
        self.add(Frame::private(opcode::CLOSE, payload.into()));
    }

    /// Queues an event under the next number, or merges it into one that waits.
    pub(crate) fn push_event(&mut self, event: &Event) -> Result<(), Full> {
        let Some(merge) = &event.merge else {
            // An event between two deltas may change what the older one means, so they are not merged past it.
            self.open.retain(|(name, _), _| *name != event.name);
            return self.push_numbered(event, None);
        };
        let lane = (Arc::clone(&event.name), Arc::clone(&merge.key));
        if let Some(frame) = self
            .open
            .get(&lane)
            .copied()
            .and_then(|place| self.untouched(place))
        {
            let before = (frame.cost(), frame.own());
            frame.absorb(event, merge);
            let after = (frame.cost(), frame.own());
            self.cost = (self.cost + after.0).saturating_sub(before.0);
            self.own = (self.own + after.1).saturating_sub(before.1);
            return if self.cost > self.limit { Err(Full) } else { Ok(()) };
        }
        let place = self.end();
        self.push_numbered(event, Some(merge))?;
        self.open.insert(lane, place);
        Ok(())
    }

    /// Uses up a number without an event: the announced hole that makes a client read its state anew.
    pub(crate) fn skip_number(&mut self) {
        self.seq += 1;
    }

    /// Forgets what waits, apart from a frame that is partly written: a closing word must follow a whole frame.
    pub(crate) fn give_up(&mut self) {
        self.frames.truncate(usize::from(self.written > 0));
        self.frames.shrink_to_fit();
        self.open = HashMap::new();
        (self.pong, self.ping) = (None, None);
        self.cost = self.frames.iter().map(Frame::cost).sum();
        self.own = self.frames.iter().map(Frame::own).sum();
    }

    /// What the frame that is partly written costs, if there is one.
    pub(crate) fn under_way(&self) -> usize {
        let first = self.frames.front().filter(|_| self.written > 0);
        first.map_or(0, Frame::own)
    }

    /// Forgets everything. Nothing more may be written: the peer has a part of a frame.
    pub(crate) fn clear(&mut self) {
        self.written = 0;
        self.give_up();
        self.settle();
    }

    /// Leases what waits now. Called when something was queued or written: once for each change, not for each frame.
    pub(crate) fn settle(&mut self) {
        self.lease.set(self.own);
    }

    /// Hands frames to `write` until all are written or it fails; `WouldBlock` comes back like any other error.
    pub(crate) fn flush(
        &mut self,
        mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<()> {
        while !self.frames.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let mut used = 0;
            let mut skip = self.written;
            let pieces = self.frames.iter().flat_map(Frame::pieces);
            for (slot, piece) in slices.iter_mut().zip(pieces.filter_map(|piece| {
                let left = piece.get(skip.min(piece.len())..).unwrap_or_default();
                skip -= piece.len() - left.len();
                (!left.is_empty()).then_some(left)
            })) {
                *slot = IoSlice::new(piece);
                used += 1;
            }
            let count = write(slices.get(..used).unwrap_or_default())?;
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.advance(count);
        }
        Ok(())
    }

    fn push_numbered(&mut self, event: &Event, merge: Option<&Merge>) -> Result<(), Full> {
        let mut seq = self.seq;
        let mut frame = Frame::of(event, &mut seq);
        frame.merge = merge.cloned();
        self.push(frame)?;
        self.seq = seq;
        Ok(())
    }

    fn push(&mut self, frame: Frame) -> Result<(), Full> {
        let cost = frame.cost();
        if self.cost + cost > self.limit {
            return Err(Full);
        }
        self.add(frame);
        Ok(())
    }

    fn add(&mut self, frame: Frame) {
        self.cost += frame.cost();
        self.own += frame.own();
        self.frames.push_back(frame);
    }

    /// The place of the next frame.
    fn end(&self) -> u64 {
        self.first + self.frames.len() as u64
    }

    /// The frame at this place, if not a byte of it is written.
    fn untouched(&mut self, place: u64) -> Option<&mut Frame> {
        let index = usize::try_from(place.checked_sub(self.first)?).ok()?;
        if index == 0 && self.written > 0 {
            None
        } else {
            self.frames.get_mut(index)
        }
    }

    fn advance(&mut self, count: usize) {
        self.written += count;
        while let Some(frame) = self.frames.front() {
            let len = frame.len();
            if self.written < len {
                return;
            }
            self.cost = self.cost.saturating_sub(len + FRAME_COST);
            self.own = self.own.saturating_sub(frame.own());
            self.written -= len;
            self.frames.pop_front();
            self.first += 1;
        }
        // Drained: an idle connection keeps no memory here.
        self.frames = VecDeque::new();
        if !self.open.is_empty() {
            self.open = HashMap::new();
        }
    }
}
