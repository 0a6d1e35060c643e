//! Text as IRC knows it: a line has 512 bytes in all, and mIRC's formatting codes are no part of what was said.

use crate::adapter::Case;

/// What servers put in front of a line when they hand it on: `:nick!user@host `. Nick up to 32, user with `~` up to 12, host
/// up to 64 bytes, and four separators: more than ours is ever likely to be, and the same before and after a reconnect,
/// so that a message is always cut in the same places.
pub(super) const PREFIX_BYTES: usize = 1 + 32 + 1 + 12 + 1 + 64 + 1;

/// Whether a text speaks to this nick: the nick stands in it as a whole word.
pub(crate) fn mentions(case: Case, text: &str, nick: &str) -> bool {
    let part_of_nick = |c: char| c.is_alphanumeric() || "[]\\`_^{|}-~".contains(c);
    !nick.is_empty() && text.split(|c| !part_of_nick(c)).any(|word| case.same(word, nick))
}

/// Who holds a nick, from the reply to USERHOST: `nick*=+user@host`; the star marks an operator, the sign tells whether away.
pub(crate) fn holds<'a>(reply: &'a str, nick: &str) -> Option<&'a str> {
    reply.split(' ').find_map(|entry| {
        let (name, holder) = entry.split_once('=')?;
        let same = Case::Ascii.same(name.trim_end_matches('*'), nick);
        same.then(|| holder.strip_prefix(['+', '-'])).flatten()
    })
}

/// The text without mIRC formatting: bold, italics, underline, strike-through, monospace, reverse, reset and colours.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{02}' | '\u{0f}' | '\u{11}' | '\u{16}' | '\u{1d}' | '\u{1e}' | '\u{1f}' => {}
            '\u{03}' => {
                skip_digits(&mut rest);
                if rest.peek() == Some(&',') {
                    let mut after = rest.clone();
                    after.next();
                    if after.peek().is_some_and(char::is_ascii_digit) {
                        rest = after;
                        skip_digits(&mut rest);
                    }
                }
            }
            '\0' | '\r' | '\n' => {}
            c => plain.push(c),
        }
    }
    plain
}

fn skip_digits(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    for _ in 0..2 {
        if rest.next_if(char::is_ascii_digit).is_none() {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{TEXT, isupport::LINE_BYTES},
        Case, PREFIX_BYTES, mentions, plain,
    };

    fn split(target: &str, text: &str, reserve: usize) -> Vec<String> {
        TEXT.split(target, text, reserve)
    }

    #[test]
    fn a_mention_is_the_nick_as_a_whole_word() {
        for text in ["gate: hello", "hello, Gate!", "GATE", "@gate what", "(gate)"] {
            assert!(mentions(Case::Ascii, text, "gate"), "{text}");
        }
        for text in [
            "gatehouse: hello",
            "the gate_ is open",
            "irrigate",
            "",
            "gate-keeper",
        ] {
            assert!(!mentions(Case::Ascii, text, "gate"), "{text}");
        }
        assert!(!mentions(Case::Ascii, "anything", ""));
    }

    #[test]
    fn formatting_is_no_part_of_what_was_said() {
        assert_eq!(plain("\u{02}bold\u{0f} \u{03}04,12red\u{03} 5"), "bold red 5");
        assert_eq!(plain("\u{03}4,x"), ",x");
        assert_eq!(plain("\u{03}123"), "3");
    }

    #[test]
    fn a_message_is_cut_at_line_breaks_then_spaces_then_characters() {
        assert_eq!(split("#home", "one\n\ntwo\r\nthree", 0), ["one", "two", "three"]);

        let words = "word ".repeat(200);
        let lines = split("#home", &words, 0);
        assert!(lines.len() > 1);
        assert!(
            lines
                .iter()
                .all(|line| line.split(' ').all(|word| word == "word"))
        );

        let solid = "ä".repeat(600);
        assert_eq!(split("#home", &solid, 0).concat(), solid);
    }

    #[test]
    fn nothing_makes_nothing_and_control_characters_go() {
        assert!(split("#home", " \n\t\n", 0).is_empty());
        assert_eq!(split("#home", "\u{01}ACTION x\u{01}\0", 0), ["ACTION x"]);
    }

    proptest! {
        #[test]
        fn every_line_fits_with_the_prefix_and_no_word_is_lost(
            text in "(\\PC|[\n\r ]){0,2000}", target in "#[a-z]{1,60}", reserve in 0_usize..20,
        ) {
            let lines = split(&target, &text, reserve);

            for line in &lines {
                let whole = PREFIX_BYTES + format!("PRIVMSG {target} :{line}\r\n").len() + reserve;
                prop_assert!(whole <= LINE_BYTES, "{whole}");
                prop_assert!(!line.contains(['\r', '\n', '\0', '\u{01}']), "a control character");
                prop_assert!(!line.trim().is_empty());
            }
            let solid = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(solid(&lines.concat()), solid(&text));
        }
    }
}
