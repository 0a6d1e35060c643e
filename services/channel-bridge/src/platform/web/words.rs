//! What a message holds beside words of its own, in words: what it answers, what it hands on, what it asks others.

use gatehouse_core::content::Media;

/// How much of another message is repeated for the model, in characters.
const QUOTED_CHARS_MAX: usize = 500;
/// Answers of a poll that are named.
const ANSWERS_MAX: usize = 12;

/// Another message, line by line as mail quotes it. `None`: there is nothing to be quoted.
pub(in crate::platform) fn quoted(text: &str) -> Option<String> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let mut words: String = text.chars().take(QUOTED_CHARS_MAX).collect();
    if words.len() < text.len() {
        words.push('…');
    }
    let lines: Vec<String> = words.lines().map(|line| format!("> {line}")).collect();
    Some(lines.join("\n"))
}

/// What somebody hands on that was said elsewhere, by whom where that is known. The files are handed on beside it.
pub(in crate::platform) fn forwarded(text: &str, by: Option<&str>) -> String {
    let head = match by.map(str::trim).filter(|by| !by.is_empty()) {
        Some(by) => format!("[forwarded, from {by}]"),
        None => "[forwarded]".to_owned(),
    };
    match quoted(text) {
        Some(quoted) => format!("{head}\n{quoted}"),
        None => head,
    }
}

/// A file that is only spoken of: it was seen before.
pub(in crate::platform) fn file(media: &Media) -> String {
    kind(media.mime_type.as_deref(), media.name.as_deref())
}

/// The same, by its type and name.
pub(in crate::platform) fn kind(mime_type: Option<&str>, name: Option<&str>) -> String {
    let kind = match mime_type.and_then(|kind| kind.split('/').next()) {
        Some("image") => "image",
        Some("audio") => "audio",
        Some("video") => "video",
        _ => "file",
    };
    match name {
        Some(name) => format!("[{kind}: {name}]"),
        None => format!("[{kind}]"),
    }
}

/// What somebody lets others vote on.
pub(in crate::platform) fn poll<'a>(question: &str, answers: impl IntoIterator<Item = &'a str>) -> String {
    let answers: Vec<&str> = answers.into_iter().take(ANSWERS_MAX).collect();
    match answers.is_empty() {
        true => format!("[poll: {question}]"),
        false => format!("[poll: {question} {}]", answers.join(" / ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_of_ones_own_is_told_in_words() {
        assert_eq!(quoted(" \n"), None);
        assert_eq!(quoted("one\ntwo").as_deref(), Some("> one\n> two"));
        assert!(quoted(&"x".repeat(501)).is_some_and(|quoted| quoted.ends_with("x…")));
        assert_eq!(forwarded("one", Some("Bert")), "[forwarded, from Bert]\n> one");
        assert_eq!(forwarded("", None), "[forwarded]");
        assert_eq!(kind(Some("image/png"), None), "[image]");
        assert_eq!(kind(None, Some("bill.pdf")), "[file: bill.pdf]");
        assert_eq!(poll("tea?", ["yes", "no"]), "[poll: tea? yes / no]");
        assert_eq!(poll("tea?", []), "[poll: tea?]");
    }
}
