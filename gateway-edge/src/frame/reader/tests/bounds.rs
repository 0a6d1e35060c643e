//! What is refused before it takes memory.

use super::*;

#[test]
fn an_unmasked_frame_is_refused_before_its_payload_comes() {
    assert_eq!(read(&[vec![0x81, 0x05]]), (vec![], Some(1002)));
}

#[test]
fn too_large_is_told_from_the_head_and_counts_all_fragments() {
    let mut announced = vec![0x81, 0xff];
    announced.extend(((LIMIT + 1) as u64).to_be_bytes());
    announced.extend(MASK);
    assert_eq!(read(&[announced]), (vec![], Some(1009)));

    let half = vec![b'x'; LIMIT / 2 + 1];
    assert_eq!(
        read(&[frame(0x01, &half), frame(0x80, &half)]),
        (vec![], Some(1009))
    );
}

#[test]
fn a_length_with_its_highest_bit_set_is_refused() {
    let mut bytes = vec![0x81, 0xff];
    bytes.extend((1_u64 << 63).to_be_bytes());
    bytes.extend(MASK);

    assert_eq!(read(&[bytes]), (vec![], Some(1002)));
}

#[test]
fn an_idle_reader_holds_no_memory() {
    let mut reader = reader();
    let bytes = [text("x".repeat(5000)), frame(0x89, b"ping"), frame(0x8a, b"pong")].concat();
    let mut input = bytes.as_slice();
    while reader.read(&mut input).unwrap().is_some() {}

    assert_eq!((reader.held(), reader.control.capacity()), (0, 0));
}

#[test]
fn fragments_are_told_with_what_they_brought() {
    let mut reader = reader();
    let bytes = [frame(0x01, b"abc"), frame(0x00, b""), frame(0x80, b"d")].concat();
    let mut input = bytes.as_slice();
    let seen: Vec<Incoming> = std::iter::from_fn(|| reader.read(&mut input).unwrap()).collect();

    assert_eq!(
        seen,
        [
            Incoming::Fragment(3),
            Incoming::Fragment(0),
            Incoming::Text("abcd".to_owned())
        ]
    );
}

#[test]
fn a_message_for_which_there_is_no_memory_is_refused_and_gives_back_what_it_had() {
    let budget = Budget::new(20_000, 0);
    let mut held = budget.lease();
    held.grow(10_000).unwrap();
    let mut reader = Reader::new(LIMIT, budget.lease());
    let bytes = text("x".repeat(30_000));

    let refused = bytes
        .chunks(1_000)
        .find_map(|mut piece| reader.read(&mut piece).err());

    assert_eq!(refused, Some(Close::OVERLOADED));
    drop(reader);
    assert_eq!(budget.used(), 10_000);
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_end_the_same_way(bytes in prop::collection::vec(any::<u8>(), 0..300), piece in 1_usize..40) {
        let whole = read_in_pieces(&bytes, bytes.len().max(1));
        prop_assert_eq!(read_in_pieces(&bytes, piece), whole);
    }

    #[test]
    fn any_text_in_any_fragments_comes_back(parts in prop::collection::vec(".{0,40}", 1..6)) {
        let last = parts.len() - 1;
        let frames: Vec<u8> = parts.iter().enumerate().flat_map(|(i, part)| {
            let first = u8::from(i == 0) | if i == last { 0x80 } else { 0 };
            frame(first, part.as_bytes())
        }).collect();
        prop_assert_eq!(read_in_pieces(&frames, 7), said(&parts.concat()));
    }
}
