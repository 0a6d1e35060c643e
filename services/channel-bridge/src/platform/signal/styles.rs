//! Signal's text styles: plain words, and beside them which of them look how, counted in UTF-16.

use crate::{
    adapter::{TextLimit, TextShape, TextUnit},
    markup::{Document, Piece, Style, pieces, plain, split, told_behind},
};

/// Signal's programs make a file of a text that is longer, in bytes: addresses that stand behind their links are counted.
pub(super) const MESSAGE_BYTES_MAX: usize = 2000;
/// So little of a text, in bytes, is not cut any more for its addresses, because one alone is longer than a message.
const ROOM_MIN: usize = 8;

/// What one message says and how it looks.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Styled {
    pub(super) text: String,
    /// `start:length:STYLE`, as signal-cli takes them.
    pub(super) styles: Vec<String>,
    /// UTF-16 units of the text.
    units: usize,
}

/// A text as messages: one, unless the addresses of its links add more than it has room for. The same text gives the same messages.
pub(super) fn messages(text: &str) -> Vec<Styled> {
    cut(text, MESSAGE_BYTES_MAX)
}

fn cut(text: &str, room: usize) -> Vec<Styled> {
    let shown = pieces(&Document::parse(text));
    let styled = Styled::of(&shown);
    if styled.text.trim().is_empty() && text.len() <= MESSAGE_BYTES_MAX {
        return vec![Styled::plain(text)];
    }
    if styled.text.len() <= MESSAGE_BYTES_MAX {
        return vec![styled];
    }
    let half = room / 2;
    if half < ROOM_MIN {
        let limit = TextLimit::new(TextUnit::Bytes, MESSAGE_BYTES_MAX, TextShape::Plain);
        let parts = limit.split("", &plain(&shown), 0);
        return parts.iter().map(|part| Styled::plain(part)).collect();
    }
    let parts = split(TextUnit::Bytes, text, half);
    parts.iter().flat_map(|part| cut(part, half)).collect()
}

impl Styled {
    fn plain(text: &str) -> Self {
        let mut styled = Self::default();
        styled.put(text);
        styled
    }

    pub(super) fn of(pieces: &[Piece]) -> Self {
        let mut styled = Self::default();
        let mut in_quote = false;
        for (at, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Words(words, style) => {
                    let from = styled.units;
                    styled.say(words, in_quote);
                    styled.look(from, style);
                    // Where a link leads stands behind its words.
                    if let Some(to) = told_behind(pieces, at) {
                        styled.put(&format!(" ({to})"));
                    }
                }
                Piece::Code { language: _, text } => {
                    let from = styled.units;
                    styled.say(text, in_quote);
                    let code = Style {
                        code: true,
                        ..Style::default()
                    };
                    styled.look(from, &code);
                }
                Piece::QuoteBegins => {
                    in_quote = true;
                    styled.put("> ");
                }
                Piece::QuoteEnds => in_quote = false,
            }
        }
        styled
    }

    fn say(&mut self, words: &str, in_quote: bool) {
        if in_quote {
            self.put(&words.replace('\n', "\n> "));
        } else {
            self.put(words);
        }
    }

    fn put(&mut self, words: &str) {
        self.text.push_str(words);
        self.units += words.encode_utf16().count();
    }

    fn look(&mut self, from: usize, style: &Style) {
        let length = self.units - from;
        let names = [
            (style.bold, "BOLD"),
            (style.italic, "ITALIC"),
            (style.strike, "STRIKETHROUGH"),
            (style.code, "MONOSPACE"),
        ];
        if length > 0 {
            let names = names.into_iter().filter(|(on, _)| *on);
            self.styles
                .extend(names.map(|(_, name)| format!("{from}:{length}:{name}")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MESSAGE_BYTES_MAX, Styled, messages};
    use crate::markup::{Document, pieces};

    #[test]
    fn links_whose_addresses_have_no_room_in_one_message_are_whole_in_several() {
        let link = |n: usize| format!("[page {n}](https://example.org/{}/{n:03})", "a".repeat(80));
        let links: Vec<String> = (0..60).map(link).collect();
        let long = format!("[x](https://example.org/{})", "ä".repeat(3000));
        for text in [links.join(" "), links.join("\n\n"), long.clone()] {
            let messages = messages(&text);
            assert!(messages.len() > 1);
            assert!(
                messages
                    .iter()
                    .all(|message| message.text.len() <= MESSAGE_BYTES_MAX)
            );
        }
        let shown = messages(&links.join(" "));
        for n in 0..60 {
            let wanted = format!("page {n} (https://example.org/{}/{n:03})", "a".repeat(80));
            assert!(shown.iter().any(|message| message.text.contains(&wanted)), "{n}");
        }
        assert_eq!(messages("**x**").len(), 1);
    }

    fn shown(markdown: &str) -> (String, Vec<String>) {
        let Styled { text, styles, units } = Styled::of(&pieces(&Document::parse(markdown)));
        assert_eq!(units, text.encode_utf16().count());
        (text, styles)
    }

    #[test]
    fn styles_are_counted_in_utf16_and_words_stay_plain() {
        for (markdown, text, styles) in [
            ("plain *", "plain *", vec![]),
            ("🎉 **bold** x", "🎉 bold x", vec!["3:4:BOLD"]),
            ("***both***", "both", vec!["0:4:BOLD", "0:4:ITALIC"]),
            (
                "~~gone~~ `c`",
                "gone c",
                vec!["0:4:STRIKETHROUGH", "5:1:MONOSPACE"],
            ),
            ("```\nx\ny\n```", "x\ny", vec!["0:3:MONOSPACE"]),
            ("[there](https://a.b)!", "there (https://a.b)!", vec![]),
            ("https://a.b/__main__.html", "https://a.b/__main__.html", vec![]),
            ("www.a.b/_x_", "www.a.b/_x_", vec![]),
            ("[**a**b](https://a.b)", "ab (https://a.b)", vec!["0:1:BOLD"]),
            (
                "[`tokio`](https://a.b)",
                "tokio (https://a.b)",
                vec!["0:5:MONOSPACE"],
            ),
            ("> said\n> more", "> said\n> more", vec![]),
        ] {
            let styles: Vec<String> = styles.into_iter().map(str::to_owned).collect();
            assert_eq!(shown(markdown), (text.to_owned(), styles), "{markdown}");
        }
    }
}
