use super::{CONTENT_CHARS_MAX, messages, nonce};

#[test]
fn markup_that_adds_too_much_makes_more_messages_and_loses_no_word() {
    let text = "a_b*c ".repeat(316);

    let parts = messages(text.trim());

    assert!(parts.len() > 1);
    assert!(parts.iter().all(|part| part.chars().count() <= CONTENT_CHARS_MAX));
    let seen: String = parts
        .concat()
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '\\')
        .collect();
    assert_eq!(seen, "a_b*c".repeat(316));
}

#[test]
fn a_nonce_is_the_same_for_every_attempt_and_another_for_every_message() {
    assert_eq!(nonce("k", 0), nonce("k", 0));
    assert_ne!(nonce("k", 0), nonce("k", 1));
    assert_ne!(nonce("k", 0), nonce("l", 0));
    assert_eq!(nonce("k", 0).len(), 25);
}
