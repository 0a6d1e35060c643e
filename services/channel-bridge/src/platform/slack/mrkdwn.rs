//! Slack's mrkdwn: one letter on either side of words, no way to escape one, and names that are called by `<…>`. So what a model writes
//! is kept from calling anybody, and a letter that only looks like markup is followed by a blank of no width.

use crate::{
    markup::{Document, Piece, Style, is_followed, pieces},
    platform::web::letters::{GAP, quote, unmarked, words},
};

/// A text as Slack shows it.
pub(super) fn shown(text: &str) -> String {
    let written = mrkdwn(&pieces(&Document::parse(text)));
    if written.trim().is_empty() {
        text.to_owned()
    } else {
        written
    }
}

/// The whole as `text` takes it.
fn mrkdwn(pieces: &[Piece]) -> String {
    let mut text = String::new();
    let mut quoted: Option<usize> = None;
    for piece in pieces {
        match piece {
            Piece::Words(said, style) => {
                // Between the letters of code a link is only letters: leading there is worth more.
                let style = &Style {
                    code: style.code && style.link.is_none(),
                    ..style.clone()
                };
                words(&mut text, said, style, |line| inner(line, style));
            }
            Piece::Code {
                language: _,
                text: code,
            } => {
                let code = escaped(&code.replace("```", &format!("`{GAP}`{GAP}`")));
                text.push_str(&format!("```\n{code}\n```"));
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

/// One line of words as it stands between the letters of its style.
fn inner(words: &str, style: &Style) -> String {
    // What is no address would be a name that is called: `<!channel>`, `<@U1>`.
    match style.link.as_deref().filter(|to| is_followed(to)) {
        Some(to) => {
            let address = escaped(&to.replace('|', "%7C").replace(char::is_whitespace, "%20"));
            if words == to {
                format!("<{address}>")
            } else {
                format!("<{address}|{}>", escaped(&words.replace('|', "/")))
            }
        }
        None if style.code => escaped(&words.replace('`', &format!("{GAP}'"))),
        None => escaped(&unmarked(words)),
    }
}

fn escaped(words: &str) -> String {
    words
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::{GAP, mrkdwn};
    use crate::markup::{Document, pieces};

    fn shown(markdown: &str) -> String {
        mrkdwn(&pieces(&Document::parse(markdown))).replace(GAP, "·")
    }

    #[test]
    fn what_a_model_writes_is_shown_as_it_was_meant() {
        for (markdown, wanted) in [
            ("plain", "plain"),
            ("a < b & c > d", "a &lt; b &amp; c &gt; d"),
            (
                "**bold** and *italic* and ~~gone~~",
                "*bold*· and _italic_· and ~gone~·",
            ),
            ("***both***", "*_both_*·"),
            ("un**bold**ed", "un·*bold*·ed"),
            ("# Title\n\nbody", "*Title*·\n\nbody"),
            ("`x < y`", "`x &lt; y`·"),
            ("```rust\nlet x = 1;\n```", "```\nlet x = 1;\n```"),
            ("[text](https://a.b/?c=d&e=f)", "<https://a.b/?c=d&amp;e=f|text>"),
            ("<https://a.b>", "<https://a.b>"),
            ("see https://a.b/_next_/*a*.", "see <https://a.b/_next_/*a*>."),
            ("www.a.b/_x_", "<http://www.a.b/_x_|www.a.b/_x_>"),
            ("[`tokio`](https://a.b)", "<https://a.b|tokio>"),
            (
                "[note](obsidian://open?vault=x)",
                "note (obsidian://open?vault=x)",
            ),
            ("> said\n> more", "> said\n> more"),
            ("- a\n- b", "• a\n• b"),
            ("snake_case and 2 * 3 * 4", "snake_case and 2 * 3 * 4"),
            (r"\*not bold\*", "*·not bold*"),
        ] {
            assert_eq!(shown(markdown), wanted, "{markdown}");
        }
    }

    #[test]
    fn nobody_is_called_by_what_a_model_writes() {
        for markdown in [
            "<!channel> hello",
            "[all](!channel)",
            "<@U1>",
            "`<!here>`",
            "[x](<!here>)",
            "[a](https://b|c>d)",
        ] {
            let shown = shown(markdown);
            for call in ["<!", "<@", "<#"] {
                assert!(!shown.contains(call), "{markdown}: {shown}");
            }
        }
    }
}
