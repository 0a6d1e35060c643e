//! The cases 1 to 7 and 10 of the Autobahn suite, by table. Every case is read whole, byte by byte and in odd pieces.

mod bounds;

use proptest::prelude::*;

use super::*;
use crate::budget::Budget;

const LIMIT: usize = 70_000;
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A masked frame with the first byte as given, so that a case may set what it likes.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..126 => bytes.push(0x80 | u8::try_from(len).unwrap()),
        len @ 126..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
        len => {
            bytes.push(0x80 | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes.extend(
        payload
            .iter()
            .zip(MASK.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    bytes
}

fn text(payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(0x81, payload.as_ref())
}

fn reader() -> Reader {
    Reader::new(LIMIT, Budget::new(10 * LIMIT, 0).lease())
}

/// What comes whole out of the bytes, without the fragments on the way, and how it ends.
fn read_in_pieces(bytes: &[u8], piece: usize) -> (Vec<Incoming>, Option<u16>) {
    let mut reader = reader();
    let mut seen = Vec::new();
    for mut input in bytes.chunks(piece) {
        loop {
            match reader.read(&mut input) {
                Ok(Some(Incoming::Fragment(_))) => (),
                Ok(Some(incoming)) => seen.push(incoming),
                Ok(None) => break,
                Err(close) => return (seen, Some(close.code)),
            }
        }
    }
    (seen, None)
}

fn read(frames: &[Vec<u8>]) -> (Vec<Incoming>, Option<u16>) {
    let bytes = frames.concat();
    let whole = read_in_pieces(&bytes, bytes.len().max(1));
    assert_eq!(read_in_pieces(&bytes, 1), whole, "byte by byte");
    assert_eq!(read_in_pieces(&bytes, 997), whole, "in odd pieces");
    whole
}

fn said(payload: &str) -> (Vec<Incoming>, Option<u16>) {
    (vec![Incoming::Text(payload.to_owned())], None)
}

#[test]
fn case_1_texts_of_every_length_come_whole_and_binary_is_refused() {
    for len in [0, 1, 125, 126, 127, 128, 65_535, 65_536, LIMIT] {
        assert_eq!(
            read(&[text("*".repeat(len))]),
            said(&"*".repeat(len)),
            "{len} bytes"
        );
    }
    assert_eq!(read(&[frame(0x82, b"\x00\xff")]), (vec![], Some(1003)));
}

#[test]
fn case_2_pings_bring_their_payload_and_pongs_need_no_ping() {
    assert_eq!(read(&[frame(0x89, b"")]), (vec![Incoming::Ping(vec![])], None));
    assert_eq!(
        read(&[frame(0x89, &[0xfe; 125])]),
        (vec![Incoming::Ping(vec![0xfe; 125])], None)
    );
    assert_eq!(read(&[frame(0x89, &[0xfe; 126])]), (vec![], Some(1002)));
    assert_eq!(read(&[frame(0x8a, b"unasked")]), (vec![Incoming::Pong], None));
}

#[test]
fn case_3_reserved_bits_are_refused_wherever_they_stand() {
    for bits in [0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70] {
        for kind in [0x81, 0x88, 0x89, 0x8a] {
            assert_eq!(read(&[frame(kind | bits, b"x")]), (vec![], Some(1002)));
        }
    }
}

#[test]
fn case_4_reserved_opcodes_are_refused() {
    for kind in [3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        assert_eq!(
            read(&[text("before"), frame(0x80 | kind, b"x")]),
            (said("before").0, Some(1002))
        );
    }
}

#[test]
fn case_5_fragments_join_and_control_frames_pass_between_them() {
    let (first, middle, last) = (
        frame(0x01, b"fragment1"),
        frame(0x00, b"+"),
        frame(0x80, b"fragment2"),
    );
    let ping = frame(0x89, b"hey");

    assert_eq!(
        read(&[first.clone(), middle.clone(), last.clone()]),
        said("fragment1+fragment2")
    );
    assert_eq!(
        read(&[first.clone(), ping, last.clone()]).0,
        [
            Incoming::Ping(b"hey".to_vec()),
            Incoming::Text("fragment1fragment2".to_owned())
        ]
    );
    assert_eq!(
        read(&[frame(0x01, b""), frame(0x00, b""), frame(0x80, b"")]),
        said("")
    );
    let refused: [&[Vec<u8>]; 5] = [
        &[frame(0x09, b"fragmented ping"), last.clone()],
        &[frame(0x0a, b"fragmented pong"), last.clone()],
        &[middle],
        &[last],
        &[first.clone(), first],
    ];
    for frames in refused {
        assert_eq!(read(frames), (vec![], Some(1002)));
    }
    assert_eq!(read(&[frame(0x02, b"binary in fragments")]), (vec![], Some(1003)));
}

#[test]
fn case_6_text_is_utf8_even_when_a_character_is_cut_by_a_fragment() {
    let kappa = "κόσμε";
    assert_eq!(read(&[text(kappa)]), said(kappa));
    let pieces: Vec<Vec<u8>> = kappa.bytes().map(|byte| frame(0x00, &[byte])).collect();
    let mut frames = vec![frame(0x01, b"")];
    frames.extend(pieces);
    frames.push(frame(0x80, b""));
    assert_eq!(read(&frames), said(kappa));
    for good in [
        "\u{7f}",
        "\u{80}",
        "\u{7ff}",
        "\u{800}",
        "\u{ffff}",
        "\u{10000}",
        "\u{10ffff}",
        "\u{fffe}",
        "\u{d7ff}",
    ] {
        assert_eq!(read(&[text(good)]), said(good));
    }
    let bad: [&[u8]; 14] = [
        b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80\x65\x64",
        b"\x80",
        b"\xbf",
        b"\xc0\xaf",
        b"\xe0\x80\xaf",
        b"\xf0\x80\x80\xaf",
        b"\xf8\x88\x80\x80\x80",
        b"\xfc\x84\x80\x80\x80\x80",
        b"\xed\xa0\x80",
        b"\xed\xbf\xbf",
        b"\xf4\x90\x80\x80",
        b"\xfe",
        b"\xff",
        b"\xce",
    ];
    for payload in bad {
        assert_eq!(read(&[text(payload)]), (vec![], Some(1007)), "{payload:x?}");
    }
    let unfinished = frame(0x01, b"\xf4\x90\x80");
    assert_eq!(
        read(&[unfinished]),
        (vec![], Some(1007)),
        "refused at its bad byte, not at its end"
    );
}

#[test]
fn case_7_close_frames_carry_a_code_that_may_be_sent_and_a_reason_in_utf8() {
    let close = |code: u16, reason: &[u8]| frame(0x88, &[&code.to_be_bytes(), reason].concat());

    assert_eq!(read(&[frame(0x88, b"")]), (vec![Incoming::Close(None)], None));
    assert_eq!(read(&[frame(0x88, b"\x03")]), (vec![], Some(1002)));
    assert_eq!(
        read(&[close(1000, &[b'*'; 123])]),
        (vec![Incoming::Close(Some(1000))], None)
    );
    assert_eq!(read(&[close(1000, &[b'*'; 124])]), (vec![], Some(1002)));
    assert_eq!(
        read(&[close(1000, b"\xce\xba\xe1\xbd\xb9\xed\xa0\x80")]),
        (vec![], Some(1007))
    );
    for code in [
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999,
    ] {
        assert_eq!(
            read(&[close(code, b"")]),
            (vec![Incoming::Close(Some(code))], None),
            "{code}"
        );
    }
    for code in [
        0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535,
    ] {
        assert_eq!(read(&[close(code, b"")]), (vec![], Some(1002)), "{code}");
    }
}

#[test]
fn case_10_a_long_text_in_many_pieces_comes_whole() {
    let payload = "*".repeat(65_536);
    let bytes = text(&payload);

    assert_eq!(read_in_pieces(&bytes, 1300), said(&payload));
}
