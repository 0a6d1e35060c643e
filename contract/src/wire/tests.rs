use super::*;

fn records(wire: &[u8]) -> Result<Vec<(u32, Raw<'_>)>, Malformed> {
    let mut reader = Reader::new(wire);
    std::iter::from_fn(|| reader.next().transpose()).collect()
}

#[test]
fn records_are_read_one_by_one() {
    let wire = [
        0x08, 0x96, 0x01, 0x12, 0x02, b'h', b'i', 0x1d, 1, 0, 0, 0, 0x21, 2, 0, 0, 0, 0, 0, 0, 0,
    ];

    let read = records(&wire).unwrap();

    let expected = [
        (1, Raw::Varint(150)),
        (2, Raw::Bytes(b"hi")),
        (3, Raw::Fixed32(1)),
        (4, Raw::Fixed64(2)),
    ];
    assert_eq!(read, expected);
}

#[test]
fn a_group_is_skipped_with_what_it_holds() {
    let wire = [0x0b, 0x13, 0x08, 0x01, 0x14, 0x1a, 0x01, 0xff, 0x0c, 0x08, 0x05];

    assert_eq!(records(&wire).unwrap(), [(1, Raw::Group), (1, Raw::Varint(5))]);
}

#[test]
fn broken_bytes_are_named() {
    assert_eq!(records(&[0x08]), Err(Malformed::Short));
    assert_eq!(records(&[0x12, 0x05, b'a']), Err(Malformed::Short));
    assert_eq!(
        records(&[0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
        Err(Malformed::Short)
    );
    assert_eq!(records(&[0x0d, 1, 2]), Err(Malformed::Short));
    assert_eq!(
        records(&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]),
        Err(Malformed::Varint)
    );
    assert_eq!(records(&[0x00, 0x01]), Err(Malformed::Tag));
    assert_eq!(records(&[0x0e]), Err(Malformed::Tag));
    assert_eq!(records(&[0x0c]), Err(Malformed::Group));
    assert_eq!(records(&[0x0b, 0x14]), Err(Malformed::Group));
    assert_eq!(records(&[0x0b; 100_000]), Err(Malformed::Group));
    assert_eq!(records(&[0x0b, 0x0b]), Err(Malformed::Short));
}

#[test]
fn varints_are_written_as_they_are_read() {
    for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
        let mut wire = vec![0x08];
        write_varint(value, &mut wire);

        assert_eq!(records(&wire).unwrap(), [(1, Raw::Varint(value))]);
    }
}
