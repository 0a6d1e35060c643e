use proptest::prelude::*;
use unicode_segmentation::UnicodeSegmentation;

use super::{Document, Piece, parse::options, pieces, plain, split, write::write};
use crate::adapter::TextUnit;

/// The specification with its examples, which `make test` brings where npm is.
const SPECIFICATION: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../tests/page/node_modules/commonmark-spec/spec.txt"
);
/// Around each example; a line with a point parts what is written from what is shown.
const FENCE: &str = "````````````````````````````````";
const UNIT: TextUnit = TextUnit::Utf16;

/// What is written in the examples of CommonMark. `None` on a machine without npm, where nothing could bring them.
fn examples() -> Option<Vec<String>> {
    let Ok(specification) = std::fs::read_to_string(SPECIFICATION) else {
        let npm = std::process::Command::new("npm").arg("--version").output();
        assert!(npm.is_err(), "{SPECIFICATION} is missing: `make test` brings it");
        return None;
    };
    let (mut examples, mut example): (_, Option<String>) = (Vec::new(), None);
    for line in specification.lines() {
        match &mut example {
            None if line.starts_with(FENCE) && line.ends_with("example") => example = Some(String::new()),
            Some(_) if line == "." => examples.extend(example.take()),
            Some(written) => *written += &format!("{}\n", line.replace('→', "\t")),
            None => {}
        }
    }
    Some(examples)
}

/// What a reader sees, without what parts it.
fn solid(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

fn seen(markdown: &str) -> String {
    pieces(&Document::parse(markdown))
        .iter()
        .map(Piece::text)
        .collect()
}

/// Every word that the parser finds in a text.
fn words(markdown: &str) -> Vec<String> {
    use pulldown_cmark::{Event, Parser};
    let said = Parser::new_ext(markdown, options()).filter_map(|event| match event {
        Event::Text(text) | Event::Code(text) | Event::Html(text) | Event::InlineHtml(text) => {
            Some(text.into_string())
        }
        _ => None,
    });
    said.collect()
}

/// Letters alone: marks in between may be written in another way.
fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

fn room(parts: &[String]) -> usize {
    parts.iter().map(|part| UNIT.size(&seen(part))).max().unwrap_or(0)
}

#[test]
fn nothing_of_the_examples_of_commonmark_is_lost() {
    let Some(examples) = examples() else { return };
    assert!(examples.len() > 600);
    for example in examples {
        let (seen, plain) = (
            solid(&seen(&example)),
            solid(&plain(&pieces(&Document::parse(&example)))),
        );
        for word in words(&example) {
            assert!(
                seen.contains(&solid(&word)),
                "{word:?} of {example:?} in {seen:?}"
            );
            assert!(
                plain.contains(&solid(&word)),
                "{word:?} of {example:?} in {plain:?}"
            );
        }
    }
}

#[test]
fn what_is_written_down_anew_is_read_as_the_same() {
    let Some(examples) = examples() else { return };
    for example in examples {
        let document = Document::parse(&example);
        let again = Document::parse(&write(&document.blocks));

        let read =
            |document: &Document| letters(&pieces(document).iter().map(Piece::text).collect::<String>());
        assert_eq!(read(&again), read(&document), "{example:?}");
    }
}

#[test]
fn the_examples_in_one_text_are_cut_without_loss_into_parts_that_fit() {
    let Some(examples) = examples() else { return };
    // Definitions of one example would be meant by another.
    let plain = examples
        .into_iter()
        .filter(|example| !example.contains("]:") && !example.contains('<'));
    let text = plain.collect::<Vec<_>>().join("\n\n");
    for max in [100, 300, 4096] {
        let parts = split(UNIT, &text, max);

        assert!(parts.len() > 1);
        assert!(room(&parts) <= max, "{}", room(&parts));
        let whole: String = parts.iter().map(|part| seen(part)).collect();
        let missing: Vec<String> = words(&text)
            .into_iter()
            .filter(|word| !letters(word).is_empty() && !letters(&whole).contains(&letters(word)))
            .collect();
        assert_eq!(missing, Vec::<String>::new(), "{max}");
    }
}

#[test]
fn a_text_that_fits_stays_as_it_was_written() {
    for text in ["*one*\n\n- two\n", "[a]: /b\n\nsee [a]", "    code"] {
        assert_eq!(split(UNIT, text, 100), [text]);
    }
    assert!(split(UNIT, " \n\n ", 100).is_empty());
}

#[test]
fn a_text_is_cut_between_its_paragraphs() {
    let text = "one one one one\n\ntwo two two two\n\nthree three";

    assert_eq!(
        split(UNIT, text, 34),
        ["one one one one\n\ntwo two two two", "three three"]
    );
    assert_eq!(
        split(UNIT, text, 20),
        ["one one one one", "two two two two", "three three"]
    );
}

#[test]
fn code_is_cut_between_its_lines_and_each_part_is_code_in_its_language() {
    let code = format!(
        "before\n\n````rust\n{}````\n\nafter",
        "let x = \"```\";\n".repeat(20)
    );

    let parts = split(UNIT, &code, 100);

    assert!(parts.len() > 3);
    for part in &parts {
        let blocks = pieces(&Document::parse(part));
        for piece in blocks {
            match piece {
                Piece::Code { language, text } => {
                    assert_eq!(language, "rust");
                    assert!(text.lines().all(|line| line == "let x = \"```\";"), "{text}");
                }
                Piece::Words(words, _) => assert!(["before", "after"].contains(&words.trim()), "{words}"),
                Piece::QuoteBegins | Piece::QuoteEnds => panic!("no quote"),
            }
        }
    }
}

#[test]
fn a_table_is_cut_between_its_rows_and_each_part_has_its_head() {
    let rows: String = (0..40)
        .map(|row| format!("| {row} | cell of {row} |\n"))
        .collect();

    let parts = split(UNIT, &format!("| n | cell |\n|---|---|\n{rows}"), 200);

    assert!(parts.len() > 3);
    for part in &parts {
        assert!(part.starts_with("| n | cell |"), "{part}");
    }
    let whole = parts.concat();
    for row in 0..40 {
        assert_eq!(whole.matches(&format!("cell of {row} |")).count(), 1, "{row}");
    }
}

#[test]
fn a_list_is_cut_between_its_items_and_goes_on_counting() {
    let list: String = (1..=30).map(|n| format!("{n}. the item number {n}\n")).collect();

    let parts = split(UNIT, &list, 120);

    let mut shown: Vec<String> = Vec::new();
    for part in &parts {
        shown.extend(seen(part).lines().map(str::to_owned));
    }
    let wanted: Vec<String> = (1..=30).map(|n| format!("{n}. the item number {n}")).collect();
    assert_eq!(shown, wanted);
}

#[test]
fn a_link_stays_whole_and_keeps_its_address_wherever_it_is_defined() {
    let link = "[the words of a link](https://example.org/a?b=c&d)";
    let text = format!("{link} word word word word. ").repeat(20);
    let apart = format!(
        "{}\n\n[words]: https://example.org/",
        "see [words] there now\n\n".repeat(20)
    );

    for part in split(UNIT, text.trim(), 100) {
        for piece in pieces(&Document::parse(&part)) {
            let Piece::Words(words, style) = piece else {
                panic!("words alone")
            };
            assert_eq!(style.link.is_some(), words == "the words of a link", "{words}");
        }
    }
    let parts = split(UNIT, &apart, 100);
    assert!(parts.len() > 2);
    for part in parts {
        let links = pieces(&Document::parse(&part)).into_iter().filter(|piece| {
            matches!(piece, Piece::Words(words, style) if words == "words" && style.link.as_deref() == Some("https://example.org/"))
        });
        assert!(links.count() > 0, "{part}");
    }
}

#[test]
fn no_grapheme_is_torn_and_units_are_those_of_the_platform() {
    let family = "👨‍👩‍👧"; // eight halves
    let parts = split(UNIT, &family.repeat(50), 20);

    assert_eq!(parts.concat(), family.repeat(50));
    assert!(parts.iter().all(|part| part.graphemes(true).count() <= 2));
}

#[test]
fn what_stands_too_deep_is_said_and_takes_no_stack() {
    for deep in [
        ">".repeat(500_000),
        "- ".repeat(200_000),
        "*_".repeat(5_000),
        "[".repeat(20_000),
        "1. ".repeat(90),
    ] {
        let text = format!("{deep}the words");
        assert!(seen(&text).contains("words"));
        assert!(!split(UNIT, &text, 100).is_empty());
    }
}

#[test]
fn without_styles_a_link_says_where_it_leads_and_a_quote_is_marked() {
    let told = |text: &str| plain(&pieces(&Document::parse(text)));

    assert_eq!(
        told("see **[the *page*](https://a.b)** now"),
        "see the page (https://a.b) now"
    );
    assert_eq!(told("<https://a.b>"), "https://a.b");
    assert_eq!(told("> one\n> two\n\nthree"), "> one\n> two\nthree");
}

#[test]
fn what_the_lines_of_an_item_are_set_in_by_counts() {
    let text = "\n- [ aaaa](/a)\n|a|b|\n|-|-|\n|a|c|\n`|aa|a|a|`\n|a|b|\n|-|-|\n|aaaaaaa|c|\n**  aaaa a** a  aaüäaü👍aäaaüaööüaääü aa👍👍aaüö";

    for max in 40..200 {
        let parts = split(UNIT, text, max);
        assert!(room(&parts) <= max, "{} of {max}: {parts:?}", room(&parts));
    }
}

#[test]
fn a_table_that_becomes_words_keeps_its_head() {
    for text in [
        "\n|a|b|\n|-|-|\n|acccccccc|c|\n\n\n",
        "** acc**\n# \n|a|b|\n|-|-|\n|cccccccc|c|\nüöc  👍 ä   c",
    ] {
        let whole: String = split(UNIT, text, 40).iter().map(|part| seen(part)).collect();
        assert!(whole.contains("a | b"), "{whole}");
        assert_eq!(
            whole.matches("ccc").count(),
            text.matches("ccc").count(),
            "{whole}"
        );
    }
}

#[test]
fn bold_words_within_bold_words_stay_so_wherever_they_are_cut() {
    let text = "**   aa ****a a aa aa  a aaaa**a äa👍öaaä aü  ü👍ä 👍a aööa a👍👍öü äüäü**aaaa aaaa a**";

    let parts = split(UNIT, text, 46);

    assert!(room(&parts) <= 46, "{parts:?}");
    let whole: String = parts.iter().map(|part| seen(part)).collect();
    assert_eq!(solid(&whole), solid(&seen(text)), "{parts:?}");
}

proptest! {
    #[test]
    fn any_text_is_cut_into_parts_that_fit_and_nothing_of_it_is_lost(
        text in "([a-zäöü👍 ]{1,40}|\\*\\*[a-z ]{1,20}\\*\\*|`[a-z|]{1,10}`|\n\n|\n|\n- |\n1\\. |\n> |\n```\n|\n# |\\[[a-z ]{1,9}\\]\\(/[a-z]{1,9}\\)|\n\\|a\\|b\\|\n\\|-\\|-\\|\n\\|[a-z]{1,9}\\|c\\|\n){0,30}",
        max in 40_usize..200,
    ) {
        let parts = split(UNIT, &text, max);

        prop_assert!(room(&parts) <= max, "{} of {max}: {parts:?}", room(&parts));
        let whole: String = parts.iter().map(|part| letters(&seen(part))).collect();
        for word in words(&text).iter().flat_map(|words| words.split_whitespace()) {
            // A word that is longer than a part may be cut, and its letters are all there.
            if word.len() < 20 {
                prop_assert!(whole.contains(&letters(word)), "{word} in {parts:?}");
            }
        }
    }
}

#[test]
fn a_bare_address_is_a_link_and_no_letter_of_it_is_emphasis() {
    let address = "https://a.b/_next_/*x*/__main__.html";
    let link = |to: &str, words: &str| (words.to_owned(), Some(to.to_owned()));
    for (text, others) in [
        (address.to_owned(), ""),
        (format!("<{address}>"), ""),
        (format!("see {address}, *now*"), "see , now"),
        (format!("**{address}**: *and*"), ": and"),
        (format!("*at {address}* and `_x_`"), "at  and _x_"),
        (format!("- ({address})\n"), "• ()"),
        (format!("> {address}"), ""),
    ] {
        let pieces = pieces(&Document::parse(&text));
        let words = |is_link: bool| -> String {
            let of =
                |piece: &&Piece| matches!(piece, Piece::Words(_, style) if style.link.is_some() == is_link);
            pieces.iter().filter(of).map(Piece::text).collect()
        };
        assert_eq!(
            (words(true).as_str(), words(false).as_str()),
            (address, others),
            "{text}"
        );
    }
    for (text, wanted) in [
        (format!("[*w*]({address})"), link(address, "w")),
        (format!("[w][1]\n\n[1]: {address}"), link(address, "w")),
        (
            "[https://a.b/_x_](https://c.d/_y_)".to_owned(),
            link("https://c.d/_y_", "https://a.b/_x_"),
        ),
        (
            "www.a.b/_x_".to_owned(),
            link("http://www.a.b/_x_", "www.a.b/_x_"),
        ),
        ("<a@b.c>".to_owned(), link("mailto:a@b.c", "a@b.c")),
        (format!("`{address}`"), (address.to_owned(), None)),
        (format!("[w]({address})\n"), link(address, "w")),
    ] {
        let found = pieces(&Document::parse(&text))
            .into_iter()
            .find_map(|piece| match piece {
                Piece::Words(words, style) => Some((words, style.link)),
                _ => None,
            });
        assert_eq!(found, Some(wanted), "{text}");
    }
    assert_eq!(
        pieces(&Document::parse(&format!("```\n{address}\n```"))),
        [Piece::Code {
            language: String::new(),
            text: address.to_owned()
        }]
    );
}

#[test]
fn a_bare_address_is_the_same_when_it_is_written_down_anew_and_is_said_once_where_it_is_torn() {
    let text = format!("{} https://a.b/__main__.html end", "word ".repeat(60));
    let parts = split(UNIT, &text, 100);
    assert!(
        parts
            .iter()
            .any(|part| part.contains("<https://a.b/__main__.html>")),
        "{parts:?}"
    );

    let long = format!("https://a.b/{}", "x_y".repeat(100));
    let whole: String = split(UNIT, &long, 100).iter().map(|part| seen(part)).collect();
    assert_eq!(whole, long);
}

#[test]
fn code_leads_where_its_link_does_and_an_address_that_no_touch_leads_to_is_told() {
    let told = |text: &str| plain(&pieces(&Document::parse(text)));

    assert_eq!(told("**[`tokio`](https://a.b)**"), "tokio (https://a.b)");
    assert_eq!(
        told("[note](obsidian://x) [a](docs/a.md)"),
        "note (obsidian://x) a (docs/a.md)"
    );
    assert_eq!(
        told("[docs/a.md](docs/a.md) [top](#top) [x]()"),
        "docs/a.md top x"
    );
    assert_eq!(
        told("[![build](https://i.b/x.svg)](https://ci.b/run)"),
        "build (https://i.b/x.svg)"
    );
}
