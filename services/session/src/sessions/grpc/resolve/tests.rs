use super::*;

#[test]
fn a_title_is_written_as_the_page_writes_it_into_an_address() {
    assert_eq!(slug_of("Plan the trip, please!"), "plan-the-trip-please");
    assert_eq!(slug_of("  Fix bug #42 in cafe  "), "fix-bug-42-in");
    assert_eq!(slug_of("42 cafe"), "", "it could be taken for a short id");
    assert_eq!(slug_of("Grün"), "gr-n");
}

#[test]
fn a_short_id_is_some_hexadecimal_digits() {
    assert_eq!(short_id_of("D02D5B0F").unwrap(), "d02d5b0f");
    assert_eq!(short_id_of("d02d5b0f-c2f5").unwrap(), "d02d5b0fc2f5");
    assert!(short_id_of("d02d5").is_err());
    assert!(short_id_of("not-a-uuid").is_err());
}
