use super::*;

#[test]
fn columns_line_up_and_rows_do_not_end_in_spaces() {
    let mut table = Table::new(&["SERVICE", "STATE"]);
    table.row(vec![(None, "edge".into()), (Some(Ink::Green), "serving".into())]);
    table.row(vec![(None, "channel-bridge".into()), (None, String::new())]);

    let text = table.render(Style::plain());

    assert_eq!(
        text,
        "SERVICE         STATE\nedge            serving\nchannel-bridge\n"
    );
}

#[test]
fn a_colour_does_not_move_the_columns() {
    let mut table = Table::new(&["A", "B"]);
    table.row(vec![(Some(Ink::Red), "x".into()), (None, "y".into())]);

    assert!(table.render(Style::colored()).contains("\x1b[31mx\x1b[0m  y"));
}

#[test]
fn nothing_from_elsewhere_reaches_the_terminal_as_a_command() {
    assert_eq!(printable("a\x1b]0;evil\x07b\nc"), "a\u{fffd}]0;evil\u{fffd}b\nc");
}

#[test]
fn a_line_break_in_a_cell_begins_no_row() {
    let mut table = Table::new(&["A", "B"]);
    table.row(vec![(None, "x\ny".into()), (None, "\x1b[2J".into())]);

    assert_eq!(table.render(Style::plain()), "A     B\nx\\ny  \\u{1b}[2J\n");
}

#[test]
fn a_table_fits_into_a_terminal_and_keeps_its_names_whole() {
    let mut table = Table::new(&["SESSION", "TITLE"]);
    table.row(vec![
        (None, "agent:main:main".into()),
        (None, "日本語のとても長い題名です".into()),
    ]);
    table.row(vec![
        (None, "agent:main:main:with-a-long-name".into()),
        (None, "x".repeat(100)),
    ]);

    let text = table.render_within(Style::plain(), 50);

    assert!(text.lines().all(|line| line.width() <= 50), "{text}");
    assert!(
        text.contains("agent:main:main:with-a-long-name  xxx") && text.contains('…'),
        "{text}"
    );
    let narrow = table.render_within(Style::plain(), 10);
    assert!(narrow.contains("agent:main:main:with-a-long-name"), "{narrow}");
    assert_eq!(
        table.render_within(Style::plain(), 500),
        table.render(Style::plain())
    );
}

#[test]
fn durations_are_said_in_one_unit() {
    assert_eq!(ago(-5), "0 ms");
    assert_eq!(ago(1_500), "1 s");
    assert_eq!(ago(7_200_000), "2 h");
    assert_eq!(ago(200_000_000), "2 d");
}
