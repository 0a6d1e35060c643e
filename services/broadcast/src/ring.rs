//! The newest events, bounded in number and bytes. An offset never comes back within an epoch.

use std::collections::VecDeque;

use gatehouse_proto::broadcast::v1::Event;

/// Events that are kept: minutes of a busy house, for an edge that restarts within seconds.
const EVENTS_MAX: usize = 65_536;

/// Bytes of payload that are kept. The memory of the whole house is to stay below 80 MiB.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// What an item costs beside its payload: the struct, the strings and the queue's slot, measured as about 300 bytes.
const OVERHEAD_BYTES: usize = 300;

/// One place of the stream.
#[derive(Clone, Debug, PartialEq)]
enum Item {
    Event(Box<Event>),
    /// Events were lost here before they reached the ring.
    Gap,
}

/// The ring.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    items: VecDeque<Item>,
    /// The offset of the newest item; 0 before the first.
    head: u64,
    bytes: usize,
}

/// What follows an offset.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Page {
    /// The events, in order.
    pub(crate) events: Vec<Event>,
    /// Something before the first of them is lost.
    pub(crate) gap: bool,
    /// The offset to go on from.
    pub(crate) next: u64,
}

impl Ring {
    pub(crate) fn head(&self) -> u64 {
        self.head
    }

    /// Adds an event and returns its offset.
    pub(crate) fn push(&mut self, mut event: Event) -> u64 {
        event.offset = self.head + 1;
        self.add(Item::Event(Box::new(event)))
    }

    /// Notes that events were lost.
    pub(crate) fn push_gap(&mut self) {
        self.add(Item::Gap);
    }

    fn add(&mut self, item: Item) -> u64 {
        self.head += 1;
        self.bytes += size(&item);
        self.items.push_back(item);
        while self.items.len() > EVENTS_MAX || self.bytes > BYTES_MAX {
            let Some(oldest) = self.items.pop_front() else {
                break;
            };
            self.bytes -= size(&oldest);
        }
        self.head
    }

    /// Whether everything after this offset is still here.
    pub(crate) fn holds(&self, after: u64) -> bool {
        after <= self.head && after >= self.tail()
    }

    /// The offset before the oldest item.
    fn tail(&self) -> u64 {
        self.head - u64::try_from(self.items.len()).unwrap_or(self.head)
    }

    /// At most `count` events after an offset. A reader that fell behind the oldest item is told so and goes on from there.
    pub(crate) fn page(&self, after: u64, count: usize) -> Page {
        let behind = !self.holds(after);
        let start = if behind { self.tail() } else { after };
        let mut page = Page {
            gap: behind,
            next: start,
            events: Vec::new(),
        };
        let skip = usize::try_from(start - self.tail()).unwrap_or(usize::MAX);
        for item in self.items.iter().skip(skip).take(count) {
            match item {
                Item::Event(event) => page.events.push((**event).clone()),
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
        Item::Event(event) => OVERHEAD_BYTES + event.payload.len(),
        Item::Gap => OVERHEAD_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(bytes: usize) -> Event {
        Event {
            payload: vec![0; bytes].into(),
            ..Event::default()
        }
    }

    #[test]
    fn a_reader_gets_everything_after_its_offset_in_order() {
        let mut ring = Ring::default();
        for _ in 0..5 {
            ring.push(event(1));
        }

        let page = ring.page(2, 2);

        assert_eq!(
            page.events.iter().map(|event| event.offset).collect::<Vec<_>>(),
            [3, 4]
        );
        assert_eq!((page.next, page.gap), (4, false));
        assert_eq!(
            ring.page(5, 9),
            Page {
                next: 5,
                ..Page::default()
            }
        );
    }

    #[test]
    fn a_lost_stretch_is_told_before_what_follows_it() {
        let mut ring = Ring::default();
        ring.push(event(1));
        ring.push_gap();
        ring.push(event(1));

        let before = ring.page(0, 9);
        let after = ring.page(before.next, 9);

        assert_eq!((before.events.len(), before.gap), (1, false));
        assert_eq!((after.events.len(), after.gap, after.next), (1, true, 3));
    }

    #[test]
    fn a_reader_that_fell_out_of_the_ring_is_told() {
        let mut ring = Ring::default();
        for _ in 0..20 {
            ring.push(event(BYTES_MAX / 10));
        }

        let page = ring.page(1, 100);

        assert!(page.gap && !ring.holds(1));
        assert!(page.events.len() < 10, "bounded in bytes");
        assert_eq!(page.next, 20);
    }

    #[test]
    fn an_offset_of_another_epoch_is_told() {
        let mut ring = Ring::default();
        ring.push(event(1));

        assert!(ring.page(99, 1).gap);
    }

    proptest! {
        #[test]
        fn paging_from_anywhere_sees_each_event_once(pushes in prop::collection::vec(0_u8..8, 0..200), count in 1_usize..7, from in 0_u64..50) {
            let mut ring = Ring::default();
            let mut expected = Vec::new();
            for push in &pushes {
                if *push == 0 { ring.push_gap(); } else { expected.push(ring.push(event(1))); }
            }
            let from = from.min(ring.head());
            expected.retain(|offset| *offset > from);

            let (mut at, mut seen) = (from, Vec::new());
            while at < ring.head() {
                let page = ring.page(at, count);
                prop_assert!(page.next > at, "every page goes on");
                seen.extend(page.events.iter().map(|event| event.offset));
                at = page.next;
            }

            prop_assert_eq!(seen, expected);
        }
    }
}
