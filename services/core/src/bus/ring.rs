//! The newest events, bounded in number and bytes. An offset never comes back within an epoch.
//!
//! An event is kept as it is encoded, in an allocation of its own. A decoded one is a struct of seven parts around a slice of
//! the request that it came in, and holds all of that request's buffer for as long as it is kept: 16 MiB of payload of small
//! events were 120 MiB of memory that way.

use std::collections::VecDeque;

use gatehouse_proto::broadcast::v1::Event;
use prost::Message;

use super::Kept;

/// Events that are kept: minutes of a busy gateway, for an edge that restarts within seconds.
const EVENTS_MAX: usize = 65_536;

/// Memory that is kept. The six processes are to stay below 80 MiB together, and ten times the load of a home fills this in
/// two minutes; a subscriber that is further behind reads its state anew, which costs less than it would to catch up.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// What an item costs beside its encoded bytes: its slot, which the queue may have twice (it doubles), and the allocator's
/// header with what is lost by rounding up.
const OVERHEAD_BYTES: usize = 2 * size_of::<Item>() + 16;

/// One place of the stream.
#[derive(Clone, Debug, PartialEq)]
enum Item {
    /// An event, encoded.
    Event(Box<[u8]>),
    /// Events were lost here before they reached the ring.
    Gap,
}

/// The ring.
#[derive(Debug, Default)]
pub(super) struct Ring {
    items: VecDeque<Item>,
    /// The offset of the newest item; 0 before the first.
    head: u64,
    bytes: usize,
}

/// What follows an offset.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Page {
    /// The events, in order.
    pub(super) events: Vec<Event>,
    /// Something before the first of them is lost.
    pub(super) gap: bool,
    /// The offset to go on from.
    pub(super) next: u64,
}

/// How much one page may hold. One event is always there, whatever its size.
#[derive(Clone, Copy, Debug)]
pub(super) struct PageMax {
    /// Events.
    pub(super) events: usize,
    /// Bytes of encoded events.
    pub(super) bytes: usize,
}

impl Ring {
    pub(super) fn head(&self) -> u64 {
        self.head
    }

    pub(super) fn kept(&self) -> Kept {
        Kept {
            events: self.items.len(),
            events_max: EVENTS_MAX,
            bytes: self.bytes,
            bytes_max: BYTES_MAX,
        }
    }

    /// Adds an event and returns its offset.
    pub(super) fn push(&mut self, mut event: Event) -> u64 {
        event.offset = self.head + 1;
        self.add(Item::Event(event.encode_to_vec().into_boxed_slice()))
    }

    /// Notes that events were lost.
    pub(super) fn push_gap(&mut self) {
        self.add(Item::Gap);
    }

    /// Makes room first, so that the queue of a full ring never doubles. The newest item is kept whatever its size: the
    /// largest request bounds it, and a ring without it would make every subscriber read its state anew.
    fn add(&mut self, item: Item) -> u64 {
        let size = size(&item);
        while self.items.len() >= EVENTS_MAX || self.bytes + size > BYTES_MAX {
            let Some(oldest) = self.items.pop_front() else {
                break;
            };
            self.bytes -= self::size(&oldest);
        }
        self.head += 1;
        self.bytes += size;
        self.items.push_back(item);
        self.head
    }

    /// Whether everything after this offset is still here.
    pub(super) fn holds(&self, after: u64) -> bool {
        after <= self.head && after >= self.tail()
    }

    /// The offset before the oldest item.
    fn tail(&self) -> u64 {
        self.head - u64::try_from(self.items.len()).unwrap_or(self.head)
    }

    /// The events after an offset, as many as a page may hold. A reader that fell behind the oldest item is told so and goes
    /// on from there.
    pub(super) fn page(&self, after: u64, max: PageMax) -> Page {
        let behind = !self.holds(after);
        let start = if behind { self.tail() } else { after };
        let mut page = Page {
            gap: behind,
            next: start,
            events: Vec::new(),
        };
        let skip = usize::try_from(start - self.tail()).unwrap_or(usize::MAX);
        let mut bytes = 0;
        for item in self.items.iter().skip(skip).take(max.events) {
            match item {
                Item::Event(encoded) => {
                    bytes += encoded.len();
                    if bytes > max.bytes && !page.events.is_empty() {
                        break;
                    }
                    page.events
                        .push(Event::decode(&**encoded).expect("the ring encoded it"));
                }
                Item::Gap if page.events.is_empty() => page.gap = true,
                Item::Gap => break, // the gap belongs before what follows it
            }
            page.next += 1;
        }
        page
    }
}

fn size(item: &Item) -> usize {
    match item {
        Item::Event(encoded) => OVERHEAD_BYTES + encoded.len(),
        Item::Gap => OVERHEAD_BYTES,
    }
}

#[cfg(test)]
mod tests;
