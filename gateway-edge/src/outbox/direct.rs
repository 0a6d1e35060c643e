//! The short way out: while nothing waits, events go to the socket at once, in one plain write.
//!
//! It is what happens nearly always. The pieces of small frames are put side by side first, which costs less than handing the
//! kernel a list of them. A queue is made only for what the kernel does not take.

use std::io::{self, IoSlice};

use super::{Frame, Full, Outbox};
use crate::{event::Event, frame::writer::HEAD_MAX};

/// Bytes that are put side by side at most. A larger event goes through the queue, where its body is shared: copying it for
/// each connection would cost more than it saves.
const JOINED_MAX: usize = 16 * 1024;

impl Outbox {
    /// Writes events while nothing waits, and queues what `write` does not take; [`Outbox::flush`] finds out why it did not.
    pub(crate) fn send_events<'e>(
        &mut self,
        events: impl Iterator<Item = &'e Event> + Clone,
        mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> Result<(), Full> {
        let mut events = events.peekable();
        while self.is_empty()
            && let Some(first) = events.peek()
            && room(first) <= JOINED_MAX
        {
            let mut bytes = Vec::with_capacity(room(first));
            let mut rest = events.clone();
            let mut seq = self.seq;
            while let Some(event) = rest.next_if(|event| bytes.len() + room(event) <= JOINED_MAX) {
                let frame = Frame::of(event, &mut seq);
                frame
                    .pieces()
                    .iter()
                    .for_each(|piece| bytes.extend_from_slice(piece));
            }
            let written = write(&[IoSlice::new(&bytes)]).unwrap_or(0);
            if written < bytes.len() {
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
            self.cost += frame.cost();
            self.frames.push_back(frame);
        }
        Ok(())
    }
}

/// Bytes that the frame of an event takes at most.
fn room(event: &Event) -> usize {
    HEAD_MAX + event.body.len() + super::TAIL_MAX
}
