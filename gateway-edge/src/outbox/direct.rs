//! The short way out: while nothing waits, events go to the socket at once, in one plain write.
//!
//! It is what happens nearly always. The pieces of small frames are put side by side first, which costs less than handing the
//! kernel a list of them. A queue is made only for what the kernel does not take.

use std::io;

use super::{
    Full, Outbox,
    frame::{Frame, TAIL_MAX, Tail},
};
use crate::{
    event::Event,
    frame::{
        opcode,
        writer::{HEAD_MAX, Head},
    },
};

/// Bytes that are put side by side at most. A larger event goes through the queue, where its body is shared: copying it for
/// each connection would cost more than it saves.
const JOINED_MAX: usize = 16 * 1024;

impl Outbox {
    /// Writes events while nothing waits, and queues what `write` does not take; [`Outbox::flush`] finds out why it did not.
    /// `joined` is room to put frames side by side; what it holds is nobody's.
    pub(crate) fn send_events<'e>(
        &mut self,
        events: impl Iterator<Item = &'e Event> + Clone,
        joined: &mut Vec<u8>,
        mut write: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> Result<(), Full> {
        let mut events = events.peekable();
        while self.is_empty()
            && let Some(first) = events.peek()
            && room(first) <= JOINED_MAX
        {
            joined.clear();
            let mut rest = events.clone();
            let mut seq = self.seq;
            while let Some(event) = rest.next_if(|event| joined.len() + room(event) <= JOINED_MAX) {
                let tail = Tail::next(event, &mut seq);
                let head = Head::new(opcode::TEXT, event.body.len() + tail.as_slice().len());
                for piece in [head.as_slice(), &event.body, tail.as_slice()] {
                    joined.extend_from_slice(piece);
                }
            }
            let written = write(joined).unwrap_or(0);
            if written < joined.len() {
                return self.queue_rest(events, written);
            }
            (self.seq, events) = (seq, rest);
        }
        events.try_for_each(|event| self.push_event(event))
    }

    /// Queues events of which so many bytes are written already.
    fn queue_rest<'e>(
        &mut self,
        events: impl Iterator<Item = &'e Event>,
        mut written: usize,
    ) -> Result<(), Full> {
        for event in events {
            if written == 0 || !self.is_empty() {
                self.push_event(event)?;
                continue;
            }
            let frame = Frame::of(event, &mut self.seq);
            if let Some(left) = written.checked_sub(frame.len()) {
                written = left;
                continue;
            }
            // Partly written: it is never refused, because what follows on the socket must follow a whole frame.
            self.written = written;
            self.add(frame);
        }
        Ok(())
    }
}

/// Bytes that the frame of an event takes at most.
fn room(event: &Event) -> usize {
    HEAD_MAX + event.body.len() + TAIL_MAX
}
