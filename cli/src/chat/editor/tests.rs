use std::os::unix::fs::PermissionsExt;

use super::*;

fn editor() -> Editor {
    Editor::new(Recall::open(None))
}

fn press(editor: &mut Editor, code: KeyCode, modifiers: KeyModifiers) -> Act {
    editor.key(KeyEvent::new(code, modifiers))
}

fn control(editor: &mut Editor, c: char) -> Act {
    press(editor, KeyCode::Char(c), KeyModifiers::CONTROL)
}

fn plain(editor: &mut Editor, code: KeyCode) -> Act {
    press(editor, code, KeyModifiers::NONE)
}

fn write(editor: &mut Editor, text: &str) {
    for c in text.chars() {
        assert_eq!(plain(editor, KeyCode::Char(c)), Act::Nothing);
    }
}

fn submitted(editor: &mut Editor) -> String {
    match plain(editor, KeyCode::Enter) {
        Act::Submit(typed) => typed.text,
        other => panic!("not whole: {other:?}"),
    }
}

/// Says something, as the chat does.
fn say(editor: &mut Editor, text: &str) {
    write(editor, text);
    let text = submitted(editor);
    editor.remember(&text);
}

#[test]
fn keys_move_and_delete_as_in_a_shell() {
    let mut editor = editor();
    write(&mut editor, "helo wörld 日本");
    control(&mut editor, 'a');
    for _ in 0..3 {
        plain(&mut editor, KeyCode::Right);
    }
    write(&mut editor, "l");
    control(&mut editor, 'e');
    plain(&mut editor, KeyCode::Backspace);
    control(&mut editor, 'w');
    press(&mut editor, KeyCode::Backspace, KeyModifiers::ALT);
    control(&mut editor, 'y');
    control(&mut editor, 'y');

    assert_eq!(submitted(&mut editor), "hello wörld wörld ");
    assert!(editor.line.is_empty());
}

#[test]
fn a_paste_is_one_message_however_many_lines_it_has() {
    let mut editor = editor();
    let pasted: String = (0..200).map(|n| format!("line {n} 日本\r\n")).collect();
    write(&mut editor, "look: ");

    assert_eq!(editor.paste(&pasted), Act::Nothing);

    let shown = editor.face(80, 10).rows.join("\n");
    assert_eq!(shown, "> look: [200 lines pasted]");
    write(&mut editor, "!");
    let text = submitted(&mut editor);
    assert_eq!(text, format!("look: {}!", pasted.replace("\r\n", "\n")));
}

#[test]
fn a_paste_of_a_line_that_is_longer_than_a_terminal_takes_is_whole() {
    let mut editor = editor();
    let long = "x".repeat(100_000);

    assert_eq!(editor.paste(&long), Act::Nothing);

    assert_eq!(editor.face(80, 10).rows, ["> [100000 characters pasted]"]);
    assert_eq!(submitted(&mut editor), long);
}

#[test]
fn a_paste_that_is_longer_than_a_message_may_be_is_refused_and_what_was_typed_stays() {
    let mut editor = editor();
    write(&mut editor, "kept");

    let refused = editor.paste(&"x".repeat(MESSAGE_BYTES_MAX));

    assert!(
        matches!(&refused, Act::Refused(why) if why.contains("1 MiB")),
        "{refused:?}"
    );
    assert_eq!(submitted(&mut editor), "kept");
}

#[test]
fn a_folded_paste_is_deleted_like_one_character() {
    let mut editor = editor();
    write(&mut editor, "a");
    editor.paste(&"long\n".repeat(50));
    plain(&mut editor, KeyCode::Backspace);

    assert_eq!(submitted(&mut editor), "a");
}

#[test]
fn several_lines_are_typed_with_alt_enter_a_backslash_or_quotes() {
    let mut editor = editor();
    write(&mut editor, "one");
    press(&mut editor, KeyCode::Enter, KeyModifiers::ALT);
    write(&mut editor, "two\\");
    assert_eq!(plain(&mut editor, KeyCode::Enter), Act::Nothing);
    write(&mut editor, "three");
    assert_eq!(submitted(&mut editor), "one\ntwo\nthree");

    write(&mut editor, "\"\"\"");
    assert_eq!(plain(&mut editor, KeyCode::Enter), Act::Nothing);
    write(&mut editor, "x");
    assert_eq!(plain(&mut editor, KeyCode::Enter), Act::Nothing);
    write(&mut editor, "\"\"\"");
    assert_eq!(submitted(&mut editor), "\"\"\"\nx\n\"\"\"");
}

#[test]
fn arrows_go_through_the_lines_first_and_then_through_what_was_said_before() {
    let mut editor = editor();
    say(&mut editor, "first");
    say(&mut editor, "second");
    write(&mut editor, "ab");
    control(&mut editor, 'j');
    write(&mut editor, "cd");

    plain(&mut editor, KeyCode::Up);
    assert_eq!(editor.before_cursor(), "ab");
    plain(&mut editor, KeyCode::Up);
    assert_eq!(editor.before_cursor(), "second");
    plain(&mut editor, KeyCode::Up);
    plain(&mut editor, KeyCode::Up);
    assert_eq!(editor.before_cursor(), "first");
    plain(&mut editor, KeyCode::Down);
    plain(&mut editor, KeyCode::Down);
    assert_eq!(submitted(&mut editor), "ab\ncd", "what was begun is not lost");
}

#[test]
fn what_was_said_before_is_found_by_a_word_of_it() {
    let mut editor = editor();
    for text in ["how is the Weather", "tell a joke", "weather in Oslo"] {
        say(&mut editor, text);
    }
    control(&mut editor, 'r');
    write(&mut editor, "weath");
    assert_eq!(editor.face(80, 5).rows, ["(search weath) weather in Oslo"]);
    control(&mut editor, 'r');
    assert_eq!(submitted(&mut editor), "how is the Weather");

    control(&mut editor, 'r');
    write(&mut editor, "nothing like it");
    assert!(editor.face(80, 5).rows.concat().contains("nothing with"));
    control(&mut editor, 'g');
    assert!(editor.line.is_empty());
}

#[test]
fn the_next_chat_knows_what_was_said_and_nobody_else_can_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deep/history");
    let mut editor = Editor::new(Recall::open(Some(file.clone())));
    write(&mut editor, "two\\");
    plain(&mut editor, KeyCode::Enter);
    write(&mut editor, "lines");
    let text = submitted(&mut editor);
    editor.remember(&text);
    say(&mut editor, " a secret begins with a space");

    let mut next = Editor::new(Recall::open(Some(file.clone())));

    plain(&mut next, KeyCode::Up);
    assert_eq!(submitted(&mut next), "two\nlines");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!std::fs::read_to_string(&file).unwrap().contains("secret"));
}

#[test]
fn a_wide_character_is_never_cut_at_the_edge_and_the_cursor_stands_behind_it() {
    let mut editor = editor();
    write(&mut editor, "日本語日本語");

    let face = editor.face(10, 5);

    assert_eq!(face.rows, ["> 日本語", "  日本語"]);
    assert_eq!(face.cursor, (1, 8));
}

#[test]
fn a_long_message_shows_the_rows_around_the_cursor_and_how_many_there_are() {
    let mut editor = editor();
    for n in 0..30 {
        write(&mut editor, &format!("{n}"));
        control(&mut editor, 'j');
    }

    let face = editor.face(80, 6);

    assert_eq!(face.rows.len(), 6);
    assert_eq!(face.rows.last().unwrap(), "  (5 of 31 rows)");
    assert_eq!(face.cursor, (4, 2));
}

#[test]
fn what_is_pasted_cannot_command_the_terminal() {
    let mut editor = editor();
    editor.paste("a\x1b[2Jb\u{9b}c");

    assert!(!editor.face(80, 5).rows.concat().contains(['\x1b', '\u{9b}']));
}

#[test]
fn tab_completes_what_is_clear_and_lists_what_is_not() {
    let mut editor = editor();
    write(&mut editor, "/s");
    let listed = editor.face(80, 10).below.join("\n");
    assert!(
        listed.contains("/status") && listed.contains("/switch"),
        "{listed}"
    );
    write(&mut editor, "w");
    assert_eq!(plain(&mut editor, KeyCode::Tab), Act::Complete);
    editor.offer(menu::commands("sw").collect());
    assert_eq!(editor.before_cursor(), "/switch ");

    editor.offer(vec![
        Candidate::new("agent:main:main", ""),
        Candidate::new("agent:main:work", "plans"),
    ]);
    assert_eq!(editor.before_cursor(), "/switch agent:main:");
    plain(&mut editor, KeyCode::Tab);
    plain(&mut editor, KeyCode::Tab);
    assert_eq!(submitted(&mut editor), "/switch agent:main:work");
}

#[test]
fn a_text_that_comes_back_stands_before_what_was_typed_meanwhile() {
    let mut editor = editor();
    write(&mut editor, "new");

    editor.restore("old");

    assert_eq!(submitted(&mut editor), "old\nnew");
}
