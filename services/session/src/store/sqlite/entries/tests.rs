use super::*;

#[test]
fn a_preview_is_one_line_of_bounded_length() {
    assert_eq!(clip(" a\nb ", 10), "a b");
    assert_eq!(clip("äöüäöü", 4), "äöü…");
}
