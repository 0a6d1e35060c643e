//! An outbox that is full, and what passes its bound.

use super::*;

#[test]
fn a_full_outbox_refuses_and_merging_counts_too() {
    let mut outbox = outbox(1000);
    outbox.push_event(&delta("a", "x", 1)).unwrap();

    assert_eq!(outbox.push_text(vec![b'x'; 800].into()), Err(Full));
    assert_eq!(outbox.push_event(&delta("a", &"y".repeat(900), 2)), Err(Full));
}

#[test]
fn giving_up_keeps_only_the_frame_that_is_half_written() {
    let mut outbox = outbox(BYTES_MAX);
    let mut bytes = Vec::new();
    outbox.push_text("first".into()).unwrap();
    outbox.push_text("second".into()).unwrap();
    let mut once = true;
    let _ = outbox.flush(|slices| {
        if std::mem::take(&mut once) {
            take(&mut bytes, slices, 3)
        } else {
            Ok(0)
        }
    });

    outbox.give_up();
    outbox.push_close(b"\x03\xf0".to_vec());
    outbox
        .flush(|slices| take(&mut bytes, slices, usize::MAX))
        .unwrap();

    assert_eq!(payloads(&bytes).len(), 2);
    assert!(payloads(&bytes)[0].contains("first"));
}

#[test]
fn an_announced_hole_is_one_number() {
    let mut outbox = outbox(BYTES_MAX);
    outbox.push_event(&event("tick", "{}")).unwrap();
    outbox.skip_number();
    outbox.push_event(&event("tick", "{}")).unwrap();

    assert!(drain(&mut outbox)[1].ends_with(r#""seq":3}"#));
}

#[test]
fn a_newer_pong_takes_the_place_of_one_that_waits_and_a_second_ping_asks_nothing() {
    let mut outbox = outbox(BYTES_MAX);
    outbox.push_text("before".into()).unwrap();

    for n in 0..100_000 {
        outbox.push_pong(format!("{n}").into_bytes()).unwrap();
        outbox.push_ping().unwrap();
    }
    let waiting = outbox.cost();

    assert!(waiting < 1_000, "{waiting} bytes");
    assert_eq!(drain(&mut outbox), ["before", "99999", ""]);
    assert_eq!((outbox.cost(), outbox.own()), (0, 0));
    outbox.push_ping().unwrap();
    outbox.push_pong(b"again".to_vec()).unwrap();
    assert_eq!(
        drain(&mut outbox),
        ["", "again"],
        "the next ones are asked and answered"
    );
}

#[test]
fn a_pong_that_is_partly_written_is_ended_before_the_newest_follows() {
    let (mut outbox, mut bytes, mut left) = (outbox(BYTES_MAX), Vec::new(), 3);
    outbox.push_pong(b"first".to_vec()).unwrap();
    let _ = outbox.flush(|slices| {
        let count = take(&mut bytes, slices, left)?;
        left -= count;
        Ok(count)
    });

    outbox.push_pong(b"second".to_vec()).unwrap();
    outbox.push_pong(b"third".to_vec()).unwrap();
    outbox
        .flush(|slices| take(&mut bytes, slices, usize::MAX))
        .unwrap();

    assert_eq!(payloads(&bytes), ["first", "third"]);
}

#[test]
fn control_frames_count_in_the_bound_and_only_the_last_words_pass_it() {
    let mut outbox = outbox(FRAME_COST);

    assert_eq!(outbox.push_pong(vec![0; 125]), Err(Full));
    assert_eq!(outbox.push_ping(), Err(Full));
    outbox.push_close(vec![3, 240]);
    assert_eq!(drain(&mut outbox).len(), 1);
}

#[test]
fn what_waits_for_one_connection_alone_is_leased_and_shared_bodies_are_not() {
    let budget = Budget::new(BYTES_MAX, 0);
    let mut outbox = Outbox::new(BYTES_MAX, budget.lease());

    outbox
        .push_event(&event("chat", &format!(r#"{{"n":"{}"}}"#, "x".repeat(10_000))))
        .unwrap();
    outbox.settle();
    assert_eq!(budget.used(), FRAME_COST);
    outbox.push_text("x".repeat(10_000).into()).unwrap();
    outbox.push_event(&delta("a", &"x".repeat(1_000), 1)).unwrap();
    outbox.push_event(&delta("a", &"y".repeat(1_000), 2)).unwrap();
    outbox.settle();
    assert_eq!(
        budget.used(),
        3 * FRAME_COST + 10_000 + 2_000,
        "a joined text is its own"
    );

    drain(&mut outbox);
    outbox.settle();
    assert_eq!(budget.used(), 0);
}
