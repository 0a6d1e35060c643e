use super::markdown;

#[test]
fn what_teams_reads_stays_as_it_is() {
    let text = "Some **bold**, _slanted_ and ~~old~~ words, `code`, a [link](https://example.org/a).\n\n\
                - one\n- two\n   - deeper\n\n1. first\n2. second";

    assert_eq!(markdown(text), text);
}

#[test]
fn headings_are_bold_and_pictures_are_links() {
    assert_eq!(
        markdown("# Title\n\n![a cat](https://example.org/cat.png)"),
        "**Title**\n\n[a cat](https://example.org/cat.png)"
    );
}

#[test]
fn a_table_is_a_block_of_code_with_columns() {
    assert_eq!(
        markdown("| day | tea |\n|---|---|\n| Monday | mint |\n| Tue | `black` |"),
        "```\nday    | tea\n-------+------\nMonday | mint\nTue    | black\n```"
    );
}

#[test]
fn nobody_is_mentioned_and_no_tag_is_made_by_what_the_assistant_writes() {
    assert_eq!(
        markdown("<at>Everyone</at> & <script>x</script>"),
        "&lt;at&gt;Everyone&lt;/at&gt; &amp; &lt;script&gt;x&lt;/script&gt;"
    );
    assert_eq!(markdown("[x](javascript:alert(1))"), "[x](#)");
}

#[test]
fn code_is_not_touched() {
    assert_eq!(
        markdown("```rust,ignore\nlet a = b < c && *d;\n\n\n  e\n```\nafter"),
        "```rust\nlet a = b < c && *d;\n\n\n  e\n```\n\nafter"
    );
    assert_eq!(markdown("``a ` b``"), "`` a ` b ``");
}

#[test]
fn quotes_keep_their_mark_on_each_line() {
    assert_eq!(markdown("> one\n> two\n\nthree"), "> one\n> two\n\nthree");
}

#[test]
fn signs_that_are_only_signs_stay_signs() {
    assert_eq!(
        markdown("2 * 3 \\* 4 = snake_case"),
        "2 \\* 3 \\* 4 = snake\\_case"
    );
}

#[test]
fn the_examples_of_commonmark_are_written_whatever_they_hold() {
    for text in [
        "",
        "\n\n",
        "> > > deep\n> > less",
        "- a\n\n  b\n\n      c",
        "[a]: /url\n\n[a]",
        "***\n---\n___",
        "`",
        "| a |\n|---|",
        "* * *\n+ x\n\n\n+ y",
        "<!-- x -->\n<div>\n</div>",
        "&amp; &copy; &#35;",
        "\u{0}\u{202e}",
    ] {
        let once = markdown(text);
        assert!(!once.contains("<at>"), "{text}: {once}");
    }
}
