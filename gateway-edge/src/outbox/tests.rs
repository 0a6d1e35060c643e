mod bounds;

use gatehouse_contract::Access;

use super::{frame::Tail, *};
use crate::{budget::Budget, event::Audience, limits::BUFFERED_BYTES_MAX as BYTES_MAX};

fn outbox(limit: usize) -> Outbox {
    Outbox::new(limit, Budget::new(limit, 0).lease())
}

fn event(name: &str, payload: &str) -> Event {
    Event::new(name, Audience::everybody(Access::Read), payload.as_bytes(), None)
}

/// A delta of a run: the text that grows, and something that is always the newest.
fn delta(run: &str, text: &str, newest: u32) -> Event {
    let payload = format!(r#"{{"deltaText":"{text}","n":{newest}}}"#);
    event("chat", &payload).merged_by(&format!("{run}/i"), Some(14..14 + text.len()))
}

/// Everything that waits, as the payloads of its frames.
fn drain(outbox: &mut Outbox) -> Vec<String> {
    let mut bytes = Vec::new();
    outbox
        .flush(|slices| take(&mut bytes, slices, usize::MAX))
        .unwrap();
    payloads(&bytes)
}

fn take(bytes: &mut Vec<u8>, slices: &[IoSlice<'_>], max: usize) -> io::Result<usize> {
    let all: Vec<u8> = slices
        .iter()
        .flat_map(|slice| slice.iter().copied())
        .take(max)
        .collect();
    bytes.extend_from_slice(&all);
    if all.is_empty() {
        Err(io::ErrorKind::WouldBlock.into())
    } else {
        Ok(all.len())
    }
}

fn payloads(mut bytes: &[u8]) -> Vec<String> {
    let mut seen = Vec::new();
    while let [_, short, rest @ ..] = bytes {
        let (len, rest) = match short {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            127 => (
                usize::try_from(u64::from_be_bytes(rest[..8].try_into().unwrap())).unwrap(),
                &rest[8..],
            ),
            short => (usize::from(*short), rest),
        };
        seen.push(String::from_utf8_lossy(&rest[..len]).into_owned());
        bytes = &rest[len..];
    }
    seen
}

#[test]
fn events_are_numbered_from_one_and_texts_are_not() {
    let mut outbox = outbox(BYTES_MAX);

    outbox.push_event(&event("tick", "{}")).unwrap();
    outbox.push_text("hello".into()).unwrap();
    outbox.push_event(&event("tick", "{}")).unwrap();

    assert_eq!(
        drain(&mut outbox),
        [
            r#"{"type":"event","event":"tick","payload":{},"seq":1}"#,
            "hello",
            r#"{"type":"event","event":"tick","payload":{},"seq":2}"#
        ]
    );
}

#[test]
fn what_goes_to_a_node_as_a_node_takes_no_number() {
    let mut outbox = outbox(BYTES_MAX);

    outbox
        .push_event(&Event::new(
            "node.invoke.request",
            Audience::everybody(Access::Node),
            b"{}",
            None,
        ))
        .unwrap();
    outbox.push_event(&event("tick", "{}")).unwrap();

    let frames = drain(&mut outbox);
    assert_eq!(
        frames[0],
        r#"{"type":"event","event":"node.invoke.request","payload":{}}"#
    );
    assert!(frames[1].ends_with(r#","seq":1}"#));
}

#[test]
fn the_largest_number_fits() {
    assert_eq!(
        Tail::of(Some(u64::MAX)).as_slice(),
        br#","seq":18446744073709551615}"#
    );
}

#[test]
fn waiting_deltas_of_a_run_become_one_and_no_number_is_lost() {
    let mut outbox = outbox(BYTES_MAX);

    outbox.push_event(&delta("a", "one", 1)).unwrap();
    outbox.push_event(&event("tick", "{}")).unwrap();
    outbox.push_event(&delta("b", "other", 1)).unwrap();
    outbox.push_event(&delta("a", " two", 2)).unwrap();
    outbox.push_event(&delta("a", r#" \"three\""#, 3)).unwrap();
    outbox.push_event(&event("chat", r#"{"state":"final"}"#)).unwrap();

    assert_eq!(
        drain(&mut outbox),
        [
            r#"{"type":"event","event":"chat","payload":{"deltaText":"one two \"three\"","n":3},"seq":1}"#,
            r#"{"type":"event","event":"tick","payload":{},"seq":2}"#,
            r#"{"type":"event","event":"chat","payload":{"deltaText":"other","n":1},"seq":3}"#,
            r#"{"type":"event","event":"chat","payload":{"state":"final"},"seq":4}"#,
        ]
    );
    assert_eq!(outbox.cost, 0);
}

#[test]
fn deltas_are_not_merged_past_another_event_of_their_name() {
    let mut outbox = outbox(BYTES_MAX);

    outbox.push_event(&delta("a", "one", 1)).unwrap();
    outbox.push_event(&event("chat", r#"{"replace":true}"#)).unwrap();
    outbox.push_event(&delta("a", "two", 2)).unwrap();

    assert_eq!(drain(&mut outbox).len(), 3);
}

#[test]
fn a_frame_that_is_partly_written_is_left_alone() {
    let mut outbox = outbox(BYTES_MAX);
    let mut bytes = Vec::new();

    outbox.push_event(&delta("a", "one", 1)).unwrap();
    let mut budget = 20;
    let blocked = outbox.flush(|slices| {
        let count = take(&mut bytes, slices, budget)?;
        budget -= count;
        Ok(count)
    });
    assert_eq!(blocked.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    outbox.push_event(&delta("a", "two", 2)).unwrap();
    outbox.push_event(&delta("a", "three", 3)).unwrap();
    outbox
        .flush(|slices| take(&mut bytes, slices, usize::MAX))
        .unwrap();

    let frames = payloads(&bytes);
    assert_eq!(frames.len(), 2);
    assert!(frames[0].contains(r#""deltaText":"one","n":1"#) && frames[0].ends_with(r#""seq":1}"#));
    assert!(frames[1].contains(r#""deltaText":"twothree","n":3"#) && frames[1].ends_with(r#""seq":2}"#));
}

#[test]
fn frames_survive_any_pace_of_the_socket() {
    for pace in [1, 2, 3, 7, 64, 1000] {
        let mut outbox = outbox(BYTES_MAX);
        let mut bytes = Vec::new();
        for n in 0..60 {
            outbox
                .push_event(&event("chat", &format!(r#"{{"n":"{}"}}"#, "x".repeat(n * 5))))
                .unwrap();
        }

        outbox.flush(|slices| take(&mut bytes, slices, pace)).unwrap();

        let frames = payloads(&bytes);
        assert_eq!(frames.len(), 60, "pace {pace}");
        assert!(frames[59].ends_with(r#""seq":60}"#));
    }
}

#[test]
fn events_that_pass_straight_through_and_events_that_wait_are_one_stream() {
    let events: Vec<Event> = (0..30)
        .map(|n| match n % 3 {
            0 => event("tick", "{}"),
            1 => delta("a", &"x".repeat(n), 1),
            _ => event("chat", &format!(r#"{{"n":"{}"}}"#, "y".repeat(n * 7))),
        })
        .collect();
    let whole = {
        let (mut outbox, mut bytes) = (outbox(BYTES_MAX), Vec::new());
        let sent = outbox.send_events(events.iter(), &mut Vec::new(), |frames| {
            take(&mut bytes, &[IoSlice::new(frames)], usize::MAX)
        });
        sent.unwrap();
        assert!(outbox.is_empty() && outbox.cost == 0, "nothing waits");
        bytes
    };
    assert_eq!(payloads(&whole).len(), 30);
    assert!(payloads(&whole)[29].ends_with(r#","seq":30}"#));

    // A socket that takes so many bytes and then no more until it is asked again: the same bytes in the end.
    for room in [0, 1, 2, 5, 57, 58, 59, 300, 1_000, whole.len() - 1] {
        let (mut outbox, mut bytes, mut left) = (outbox(BYTES_MAX), Vec::new(), room);
        let sent = outbox.send_events(events.iter(), &mut Vec::new(), |frames| {
            let count = take(&mut bytes, &[IoSlice::new(frames)], left)?;
            left -= count;
            Ok(count)
        });
        sent.unwrap();
        assert!(!outbox.is_empty(), "room {room}");
        outbox
            .flush(|slices| take(&mut bytes, slices, usize::MAX))
            .unwrap();

        assert_eq!(payloads(&bytes), payloads(&whole), "room {room}");
        assert_eq!((outbox.cost, outbox.seq), (0, 30), "room {room}");
    }
}

#[test]
fn a_half_written_event_is_ended_even_when_there_is_no_room_for_it() {
    let (mut outbox, mut bytes, mut left) = (outbox(100), Vec::new(), 10);
    let events = [event("chat", &"1".repeat(500)), event("tick", "{}")];

    let sent = outbox.send_events(events.iter(), &mut Vec::new(), |frames| {
        let count = take(&mut bytes, &[IoSlice::new(frames)], left)?;
        left -= count;
        Ok(count)
    });
    assert_eq!(sent, Err(Full));
    outbox.give_up();
    outbox
        .flush(|slices| take(&mut bytes, slices, usize::MAX))
        .unwrap();

    assert_eq!(payloads(&bytes).len(), 1);
    assert!(payloads(&bytes)[0].ends_with(r#","seq":1}"#));
}
