//! WhatsApp's markup: one letter on either side of words, and no links but addresses.

use crate::{
    markup::{Piece, Style, tells, told_behind},
    platform::web::letters::{GAP, quote, unmarked, words},
};

/// The whole as `text.body` takes it.
pub(super) fn marked(pieces: &[Piece]) -> String {
    let mut text = String::new();
    let mut quoted: Option<usize> = None;
    for (at, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Words(said, style) => {
                words(&mut text, said, style, |line| inner(line, style));
                if let Some(to) = told_behind(pieces, at) {
                    text.push_str(&format!(" ({to})"));
                }
            }
            Piece::Code {
                language: _,
                text: code,
            } => {
                let code = code.replace("```", &format!("`{GAP}`{GAP}`"));
                text.push_str(&format!("```{code}```"));
            }
            Piece::QuoteBegins => quoted = Some(text.len()),
            Piece::QuoteEnds => {
                let from = quoted.take().unwrap_or(text.len());
                quote(&mut text, from);
            }
        }
    }
    text
}

fn inner(words: &str, style: &Style) -> String {
    let is_address = style.link.as_deref().is_some_and(|to| tells(words, to));
    if style.code {
        words.replace('`', &format!("{GAP}'"))
    } else if is_address {
        words.to_owned()
    } else {
        unmarked(words)
    }
}

#[cfg(test)]
mod tests {
    use super::{GAP, marked};
    use crate::markup::{Document, pieces};

    fn shown(markdown: &str) -> String {
        marked(&pieces(&Document::parse(markdown))).replace(GAP, "·")
    }

    #[test]
    fn what_a_model_writes_is_shown_as_it_was_meant() {
        for (markdown, wanted) in [
            ("plain & <b>", "plain & <b>"),
            (
                "**bold** and *italic* and ~~gone~~",
                "*bold*· and _italic_· and ~gone~·",
            ),
            ("# Title\n\nbody", "*Title*·\n\nbody"),
            ("`x < y`", "`x < y`·"),
            ("```rust\nlet x = 1;\n```", "```let x = 1;```"),
            ("[text](https://a.b/c) end", "text (https://a.b/c) end"),
            ("<https://a.b/c_d_e>", "https://a.b/c_d_e"),
            ("https://a.b/_next_/*a*", "https://a.b/_next_/*a*"),
            ("www.a.b/_x_", "www.a.b/_x_"),
            ("[`tokio`](https://a.b)", "`tokio`· (https://a.b)"),
            ("[note](obsidian://open)", "note (obsidian://open)"),
            ("> said\n> more", "> said\n> more"),
            ("- a\n- b", "• a\n• b"),
            (r"\*not bold\*", "*·not bold*"),
        ] {
            assert_eq!(shown(markdown), wanted, "{markdown}");
        }
    }
}
