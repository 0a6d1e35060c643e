//! Telegram's HTML: few tags, each closed where it was opened, and no text that could be one.

use crate::markup::{Piece, Style, is_followed};

/// What a name of a language may consist of, so that it is one.
const LANGUAGE_CHARS: &str = "+#-_.";
/// The longest of them, in bytes.
const LANGUAGE_BYTES_MAX: usize = 32;

/// The whole as `sendMessage` takes it with `parse_mode: HTML`.
pub(super) fn html(pieces: &[Piece]) -> String {
    let mut html = String::new();
    for piece in pieces {
        match piece {
            Piece::Words(text, style) => words(&mut html, text, style),
            Piece::Code { language, text } => code(&mut html, language, text),
            Piece::QuoteBegins => html.push_str("<blockquote>"),
            Piece::QuoteEnds => html.push_str("</blockquote>"),
        }
    }
    html
}

fn words(html: &mut String, text: &str, style: &Style) {
    // A tag around nothing that is seen says nothing.
    if text.trim().is_empty() {
        return escape(html, text);
    }
    let link = style.link.as_deref().filter(|to| is_followed(to));
    let tags = [
        (style.bold, "b"),
        (style.italic, "i"),
        (style.strike, "s"),
        // Code stands in nothing else, not even in a link: leading there is worth more.
        (style.code && link.is_none(), "code"),
    ];
    let tags: Vec<&str> = tags
        .into_iter()
        .filter_map(|(on, tag)| on.then_some(tag))
        .collect();
    if let Some(to) = link {
        html.push_str("<a href=\"");
        escape(html, to);
        html.push_str("\">");
    }
    for tag in &tags {
        html.push_str(&format!("<{tag}>"));
    }
    escape(html, text);
    for tag in tags.iter().rev() {
        html.push_str(&format!("</{tag}>"));
    }
    if link.is_some() {
        html.push_str("</a>");
    }
}

fn code(html: &mut String, language: &str, text: &str) {
    let is_name = |c: char| c.is_ascii_alphanumeric() || LANGUAGE_CHARS.contains(c);
    let named = !language.is_empty() && language.len() <= LANGUAGE_BYTES_MAX && language.chars().all(is_name);
    if named {
        html.push_str(&format!("<pre><code class=\"language-{language}\">"));
    } else {
        html.push_str("<pre>");
    }
    escape(html, text);
    html.push_str(if named { "</code></pre>" } else { "</pre>" });
}

fn escape(html: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            other => html.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::html;
    use crate::markup::{Document, pieces};

    fn shown(markdown: &str) -> String {
        html(&pieces(&Document::parse(markdown)))
    }

    #[test]
    fn what_a_model_writes_is_shown_as_it_was_meant() {
        for (markdown, wanted) in [
            ("plain", "plain"),
            ("a < b & c > d", "a &lt; b &amp; c &gt; d"),
            (
                "**bold** and *italic* and ~~gone~~",
                "<b>bold</b> and <i>italic</i> and <s>gone</s>",
            ),
            ("***both***", "<b><i>both</i></b>"),
            ("# Title\n\nbody", "<b>Title</b>\n\nbody"),
            ("one\ntwo\n\nthree", "one\ntwo\n\nthree"),
            ("`x < y`", "<code>x &lt; y</code>"),
            ("**see `x` now**", "<b>see </b><code>x</code><b> now</b>"),
            (
                "```rust\nlet x = \"<\";\n```\nend",
                "<pre><code class=\"language-rust\">let x = &quot;&lt;&quot;;</code></pre>\nend",
            ),
            ("```a\" b\nx\n```", "<pre>x</pre>"),
            (
                "[text](https://a.b/?c=d&e=f)",
                "<a href=\"https://a.b/?c=d&amp;e=f\">text</a>",
            ),
            ("[you](tg://user?id=7)", "you (tg://user?id=7)"),
            ("[a](docs/a.md) [b](#b)", "a (docs/a.md) b"),
            (
                "**[`tokio`](https://docs.rs/tokio)**",
                "<a href=\"https://docs.rs/tokio\">tokio</a>",
            ),
            (
                "https://a.b/__main__.html",
                "<a href=\"https://a.b/__main__.html\">https://a.b/__main__.html</a>",
            ),
            ("> said\n> > before", "<blockquote>said\nbefore</blockquote>"),
            ("- a\n- b\n  - c", "• a\n• b\n  • c"),
            ("3. a\n4. b", "3. a\n4. b"),
            ("- [x] done\n- [ ] not", "☑ done\n☐ not"),
            ("a\n\n---\n\nb", "a\n\n———\n\nb"),
            (
                "| a | b |\n|---|---|\n| 1 | 2 |",
                "<pre>a | b\n--+--\n1 | 2</pre>",
            ),
            ("<b>not ours</b>", "&lt;b&gt;not ours&lt;/b&gt;"),
            (
                "![cat](https://a.b/c.png)",
                "<a href=\"https://a.b/c.png\">cat</a>",
            ),
        ] {
            assert_eq!(shown(markdown), wanted, "{markdown}");
        }
    }

    #[test]
    fn a_table_that_no_phone_shows_in_columns_is_shown_row_by_row_with_its_links() {
        assert_eq!(
            shown("| name | where |\n|---|---|\n| a | [there](https://a.b) |\n| c | d |"),
            "• <b>name</b>: a\n  <b>where</b>: <a href=\"https://a.b\">there</a>\n• <b>name</b>: c\n  <b>where</b>: d"
        );
    }
}
