//! Signal's text styles: plain words, and beside them which of them look how, counted in UTF-16.

use crate::markup::{Piece, Style};

/// What one message says and how it looks.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Styled {
    pub(super) text: String,
    /// `start:length:STYLE`, as signal-cli takes them.
    pub(super) styles: Vec<String>,
    /// UTF-16 units of the text.
    units: usize,
}

impl Styled {
    pub(super) fn of(pieces: &[Piece]) -> Self {
        let mut styled = Self::default();
        let mut in_quote = false;
        for (at, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Words(words, style) => {
                    let from = styled.units;
                    styled.say(words, in_quote);
                    styled.look(from, style);
                    styled.link(words, style, pieces.get(at + 1));
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

    /// Where a link leads stands behind its words. It may consist of several pieces, one of them bold.
    fn link(&mut self, words: &str, style: &Style, next: Option<&Piece>) {
        let goes_on = matches!(next, Some(Piece::Words(_, next)) if next.link == style.link);
        let Some(to) = style.link.as_deref().filter(|_| !goes_on) else {
            return;
        };
        if to != words && to.strip_prefix("mailto:") != Some(words) {
            self.put(&format!(" ({to})"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Styled;
    use crate::markup::{Document, pieces};

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
            ("> said\n> more", "> said\n> more", vec![]),
        ] {
            let styles: Vec<String> = styles.into_iter().map(str::to_owned).collect();
            assert_eq!(shown(markdown), (text.to_owned(), styles), "{markdown}");
        }
    }
}
