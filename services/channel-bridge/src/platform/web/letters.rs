//! Markup of one letter on either side of words, as Slack and WhatsApp have it: there is no way to escape one, so a blank of no width
//! stands where a letter would be read for what it is not.

use crate::markup::Style;

/// Nothing that is seen, between two letters that would be read as one.
pub(in crate::platform) const GAP: char = '\u{200b}';

/// Says words in a style, line by line: markup takes no blank beside its letters, and none is seen there. `inner` writes what stands
/// between them.
pub(in crate::platform) fn words(
    text: &mut String,
    said: &str,
    style: &Style,
    inner: impl Fn(&str) -> String,
) {
    for (at, line) in said.split('\n').enumerate() {
        if at > 0 {
            text.push('\n');
        }
        let seen = line.trim();
        if seen.is_empty() {
            text.push_str(line);
            continue;
        }
        let (before, rest) = line.split_at(line.len() - line.trim_start().len());
        text.push_str(before);
        wrapped(text, &inner(seen), style);
        text.push_str(rest.strip_prefix(seen).unwrap_or_default());
    }
}

fn wrapped(text: &mut String, inner: &str, style: &Style) {
    let marks = [
        (style.code, '`'),
        (style.bold, '*'),
        (style.italic, '_'),
        (style.strike, '~'),
    ];
    let marks: Vec<char> = marks
        .into_iter()
        .filter_map(|(on, mark)| on.then_some(mark))
        .collect();
    // Within a word a letter of markup is only a letter.
    let touches = text
        .chars()
        .next_back()
        .is_some_and(|c| !c.is_whitespace() && c != GAP);
    if !marks.is_empty() && touches {
        text.push(GAP);
    }
    text.extend(&marks);
    text.push_str(inner);
    text.extend(marks.iter().rev());
    if !marks.is_empty() {
        text.push(GAP);
    }
}

/// Each line of what stands behind `from`, as quoted.
pub(in crate::platform) fn quote(text: &mut String, from: usize) {
    let quoted = text.split_off(from);
    let lines: Vec<String> = quoted.split('\n').map(|line| format!("> {line}")).collect();
    text.push_str(&lines.join("\n"));
}

/// Words in which a letter that would begin markup is kept from it.
pub(in crate::platform) fn unmarked(words: &str) -> String {
    let mut text = String::with_capacity(words.len());
    let (mut chars, mut before) = (words.chars().peekable(), ' ');
    while let Some(c) = chars.next() {
        text.push(c);
        let begins = matches!(c, '*' | '_' | '~' | '`') && !before.is_alphanumeric();
        if begins && chars.peek().is_some_and(|next| !next.is_whitespace()) {
            text.push(GAP);
        }
        before = c;
    }
    text
}
