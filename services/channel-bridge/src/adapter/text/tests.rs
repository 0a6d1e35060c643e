use proptest::prelude::*;
use unicode_segmentation::UnicodeSegmentation;

use super::{TextLimit, TextShape, TextUnit};

const UNITS: [TextUnit; 4] = [
    TextUnit::Bytes,
    TextUnit::Chars,
    TextUnit::Utf16,
    TextUnit::Graphemes,
];

fn split(shape: TextShape, max: usize, text: &str) -> Vec<String> {
    TextLimit::new(TextUnit::Bytes, max, shape).split("", text, 0)
}

#[test]
fn a_text_is_cut_at_lines_then_spaces_then_characters_and_nothing_is_lost() {
    let plain = |text, max| split(TextShape::Plain, max, text);
    assert_eq!(plain("one two", 100), ["one two"]);
    assert_eq!(plain("aaaa\nbbbb cc", 6), ["aaaa\n", "bbbb ", "cc"]);
    assert_eq!(plain("ääää", 3), ["ä", "ä", "ä", "ä"]);
    assert!(plain(" \n", 10).is_empty());
}

#[test]
fn each_platform_counts_in_its_own_unit() {
    let family = "👨‍👩‍👧"; // one grapheme, five characters, eight halves, eighteen bytes
    let text = family.repeat(4);
    for (unit, of_two) in UNITS.into_iter().zip([36, 10, 16, 2]) {
        let limit = |max| TextLimit::new(unit, max, TextShape::Plain);

        assert_eq!(
            limit(of_two).split("", &text, 0),
            [family.repeat(2), family.repeat(2)],
            "{unit:?}"
        );
        assert_eq!(limit(of_two + 1).split("", &text, 0).len(), 2, "{unit:?}");
        assert_eq!(limit(of_two - 1).split("", &text, 0).len(), 4, "{unit:?}");
    }
}

#[test]
fn an_address_that_counts_and_a_label_take_from_the_room_and_never_all_of_it() {
    let limit = TextLimit {
        address_counts: true,
        ..TextLimit::new(TextUnit::Bytes, 100, TextShape::Line)
    };
    let longest = |to: &str, reserve| {
        let lines = limit.split(to, &"x".repeat(500), reserve);
        lines.iter().map(String::len).max().unwrap()
    };

    assert_eq!(longest("", 0), 100);
    assert_eq!(longest(&"t".repeat(20), 10), 70);
    assert_eq!(longest(&"t".repeat(5000), 10), super::ROOM_MIN);
}

#[test]
fn a_grapheme_that_is_longer_than_a_message_is_cut_between_its_characters() {
    let endless = format!("a{}", "\u{301}".repeat(100_000));

    let parts = split(TextShape::Plain, 64, &endless);

    assert_eq!(parts.concat(), endless);
    assert!(parts.iter().all(|part| part.len() <= 64));
}

proptest! {
    #[test]
    fn every_part_fits_in_every_unit_and_no_grapheme_is_torn(
        text in "(\\PC|[\n ]|👨‍👩‍👧|é|🇩🇪){0,300}", max in 40_usize..200, unit in 0_usize..4,
    ) {
        let limit = TextLimit::new(UNITS[unit], max, TextShape::Plain);

        let parts = limit.split("", &text, 0);

        for part in &parts {
            prop_assert!(UNITS[unit].size(part) <= max);
        }
        let whole = parts.concat();
        prop_assert!(text.strip_prefix(&whole).is_some_and(|left| left.trim().is_empty()));
        let borders: Vec<usize> = text.grapheme_indices(true).map(|(at, _)| at).chain([text.len()]).collect();
        let mut at = 0;
        for part in &parts {
            at += part.len();
            prop_assert!(borders.contains(&at), "{at}");
        }
    }
}
