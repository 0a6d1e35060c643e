use proptest::prelude::*;

use super::*;

fn events(events: usize) -> PageMax {
    PageMax {
        events,
        bytes: usize::MAX,
    }
}

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

    let page = ring.page(2, events(2));

    assert_eq!(
        page.events.iter().map(|event| event.offset).collect::<Vec<_>>(),
        [3, 4]
    );
    assert_eq!((page.next, page.gap), (4, false));
    assert_eq!(
        ring.page(5, events(9)),
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

    let before = ring.page(0, events(9));
    let after = ring.page(before.next, events(9));

    assert_eq!((before.events.len(), before.gap), (1, false));
    assert_eq!((after.events.len(), after.gap, after.next), (1, true, 3));
}

#[test]
fn a_reader_that_fell_out_of_the_ring_is_told() {
    let mut ring = Ring::default();
    for _ in 0..20 {
        ring.push(event(BYTES_MAX / 10));
    }

    let page = ring.page(1, events(100));

    assert!(page.gap && !ring.holds(1));
    assert!(page.events.len() < 10, "bounded in bytes");
    assert_eq!(page.next, 20);
}

#[test]
fn a_page_is_bounded_in_bytes_and_never_empty_for_the_size_of_its_first_event() {
    let mut ring = Ring::default();
    for bytes in [100, 100, 5_000, 100] {
        ring.push(event(bytes));
    }
    let max = PageMax {
        events: 9,
        bytes: 1_000,
    };

    let (mut at, mut sizes) = (0, Vec::new());
    while at < ring.head() {
        let page = ring.page(at, max);
        sizes.push(page.events.len());
        at = page.next;
    }

    assert_eq!(sizes, [2, 1, 1]);
}

#[test]
fn an_event_does_not_hold_the_request_that_it_came_in() {
    let request = bytes::Bytes::from(vec![0; 1024 * 1024]);
    let mut ring = Ring::default();

    ring.push(Event {
        payload: request.slice(0..10),
        ..Event::default()
    });

    assert!(request.is_unique(), "the ring shares the buffer of a request");
}

#[test]
fn the_ring_counts_what_its_items_take() {
    let mut ring = Ring::default();
    for _ in 0..2 * EVENTS_MAX {
        ring.push(event(1));
    }
    let slots = ring.items.capacity() * size_of::<Item>();
    let encoded = |item: &Item| match item {
        // glibc: a header of 8 bytes, in steps of 16, at least 32.
        Item::Event(encoded) => (encoded.len() + 8).next_multiple_of(16).max(32),
        Item::Gap => 0,
    };
    let held: usize = ring.items.iter().map(encoded).sum::<usize>() + slots;

    assert!(
        held <= ring.bytes + ring.items.len() * 16,
        "{held} of {}",
        ring.bytes
    );
    assert!(ring.bytes <= BYTES_MAX);
    assert_eq!(
        ring.items.len(),
        EVENTS_MAX,
        "small events are bounded by their number"
    );
    assert_eq!(ring.items.capacity(), EVENTS_MAX, "a full ring does not grow");
}

#[test]
fn the_newest_event_is_kept_whatever_its_size() {
    let mut ring = Ring::default();
    ring.push(event(1));
    ring.push(event(2 * BYTES_MAX));

    assert_eq!(ring.page(1, events(9)).events.len(), 1);
    ring.push(event(1));
    assert_eq!(ring.page(2, events(9)).events.len(), 1);
    assert!(!ring.holds(1), "the large one made room");
}

#[test]
fn an_offset_of_another_epoch_is_told() {
    let mut ring = Ring::default();
    ring.push(event(1));

    assert!(ring.page(99, events(1)).gap);
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
            let page = ring.page(at, events(count));
            prop_assert!(page.next > at, "every page goes on");
            seen.extend(page.events.iter().map(|event| event.offset));
            at = page.next;
        }

        prop_assert_eq!(seen, expected);
    }
}
