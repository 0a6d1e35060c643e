//! One frame that waits, and what it costs.

use std::io;

use bytes::Bytes;

use crate::{
    event::{Event, Merge},
    frame::{opcode, writer::Head},
};

/// What a waiting frame costs beside its bytes, so that many small ones are bounded too.
pub(super) const FRAME_COST: usize = 200;

/// A frame for one socket. Its body may be shared with others.
#[derive(Debug)]
pub(super) struct Frame {
    head: Head,
    /// The shared body, or what of it comes before the text that grew.
    before: Bytes,
    grown: Vec<u8>,
    after: Bytes,
    tail: Tail,
    pub(super) merge: Option<Merge>,
    /// Whether the body is for this connection alone.
    private: bool,
}

/// Bytes of the longest end of a frame: `,"seq":18446744073709551615}`.
pub(super) const TAIL_MAX: usize = 28;

/// The end of an event's frame, kept inline.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tail {
    bytes: [u8; TAIL_MAX],
    len: u8,
}

impl Tail {
    pub(super) const NONE: Self = Self {
        bytes: [0; TAIL_MAX],
        len: 0,
    };

    pub(super) fn of(seq: Option<u64>) -> Self {
        let mut tail = Self::NONE;
        let mut rest = tail.bytes.as_mut_slice();
        let written = match seq {
            Some(seq) => io::Write::write_fmt(&mut rest, format_args!(r#","seq":{seq}}}"#)),
            None => io::Write::write_all(&mut rest, b"}"),
        };
        debug_assert!(written.is_ok(), "28 bytes hold the largest number");
        let left = rest.len();
        tail.len = u8::try_from(TAIL_MAX - left).unwrap_or(0);
        tail
    }

    /// The end of an event's frame under the number after `seq`, which moves on to it.
    pub(super) fn next(event: &Event, seq: &mut u64) -> Self {
        *seq += u64::from(event.numbered);
        Self::of(event.numbered.then_some(*seq))
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl Frame {
    /// An event's frame under the number after `seq`, which moves on to it.
    pub(super) fn of(event: &Event, seq: &mut u64) -> Self {
        Self::whole(opcode::TEXT, event.body.clone(), Tail::next(event, seq))
    }

    pub(super) fn whole(opcode: u8, body: Bytes, tail: Tail) -> Self {
        let head = Head::new(opcode, body.len() + usize::from(tail.len));
        Self {
            head,
            before: body,
            grown: Vec::new(),
            after: Bytes::new(),
            tail,
            merge: None,
            private: false,
        }
    }

    /// A frame for this connection alone.
    pub(super) fn private(opcode: u8, body: Bytes) -> Self {
        Self {
            private: true,
            ..Self::whole(opcode, body, Tail::NONE)
        }
    }

    pub(super) fn pieces(&self) -> [&[u8]; 5] {
        [
            self.head.as_slice(),
            &self.before,
            &self.grown,
            &self.after,
            self.tail.as_slice(),
        ]
    }

    pub(super) fn len(&self) -> usize {
        self.pieces().iter().map(|piece| piece.len()).sum()
    }

    pub(super) fn cost(&self) -> usize {
        self.len() + FRAME_COST
    }

    /// The part of the cost that nobody else has.
    pub(super) fn own(&self) -> usize {
        let body = if self.private { self.before.len() } else { 0 };
        body + self.grown.len() + FRAME_COST
    }

    /// Takes in a newer event of the same lane: its body, with the growing texts joined.
    pub(super) fn absorb(&mut self, newer: &Event, merge: &Merge) {
        match (&merge.append, self.merge.take().and_then(|merge| merge.append)) {
            (Some(new), old) => {
                if self.grown.is_empty() {
                    let text = old.and_then(|range| self.before.get(range));
                    self.grown = text.unwrap_or_default().to_vec();
                }
                self.grown
                    .extend_from_slice(newer.body.get(new.clone()).unwrap_or_default());
                self.before = newer.body.slice(..new.start);
                self.after = newer.body.slice(new.end..);
            }
            (None, _) => {
                self.before = newer.body.clone();
                (self.grown, self.after) = (Vec::new(), Bytes::new());
            }
        }
        self.merge = Some(merge.clone());
        let payload: usize = self.pieces().iter().skip(1).map(|piece| piece.len()).sum();
        self.head = Head::new(opcode::TEXT, payload);
    }
}
