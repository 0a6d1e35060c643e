//! Discord's own Markdown: what looks like it and is none is escaped, so that a model's words are shown as they were meant.

use crate::markup::{Piece, Style, told_behind};

/// The whole as `content` takes it.
pub(super) fn markdown(pieces: &[Piece]) -> String {
    let mut text = String::new();
    let mut quote: Option<usize> = None;
    for (at, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Words(said, style) => {
                words(&mut text, said, style);
                // Only pages are led to.
                if let Some(to) = told_behind(pieces, at).filter(|to| !is_web(to)) {
                    text.push_str(&format!(" ({})", escaped(to, false)));
                }
            }
            Piece::Code { language, text: code } => {
                let is_name = |c: char| c.is_ascii_alphanumeric() || "+#-_.".contains(c);
                let language = if language.chars().all(is_name) {
                    language.as_str()
                } else {
                    ""
                };
                // A fence within would end it.
                let code = code.replace("```", "`\u{200b}``");
                text.push_str(&format!("```{language}\n{code}\n```"));
            }
            Piece::QuoteBegins => quote = Some(text.len()),
            Piece::QuoteEnds => {
                let quoted = text.split_off(quote.take().unwrap_or(text.len()));
                let lines: Vec<String> = quoted.split('\n').map(|line| format!("> {line}")).collect();
                text.push_str(&lines.join("\n"));
            }
        }
    }
    text
}

fn words(text: &mut String, said: &str, style: &Style) {
    for (at, line) in said.split('\n').enumerate() {
        if at > 0 {
            text.push('\n');
        }
        // Markup takes no blank beside its letters.
        let inner = line.trim();
        if inner.is_empty() {
            text.push_str(line);
            continue;
        }
        let (before, rest) = line.split_at(line.len() - line.trim_start().len());
        text.push_str(before);
        styled(text, inner, style);
        text.push_str(rest.strip_prefix(inner).unwrap_or_default());
    }
}

fn styled(text: &mut String, words: &str, style: &Style) {
    let link = style.link.as_deref().filter(|to| is_web(to));
    if style.code {
        let code = code(words);
        match link {
            Some(to) => text.push_str(&format!("[{code}]({})", address(to))),
            None => text.push_str(&code),
        }
        return;
    }
    let marks = [(style.bold, "**"), (style.italic, "*"), (style.strike, "~~")];
    let marks: Vec<&str> = marks
        .into_iter()
        .filter_map(|(on, mark)| on.then_some(mark))
        .collect();
    text.extend(marks.iter().copied());
    match link {
        // An address is shown as itself.
        Some(to) if to == words => text.push_str(to),
        Some(to) => {
            text.push_str(&format!("[{}]({})", escaped(words, false), address(to)));
        }
        None => {
            let begins = text.is_empty() || text.ends_with('\n');
            text.push_str(&escaped(words, begins));
        }
    }
    text.extend(marks.iter().rev().copied());
}

fn code(words: &str) -> String {
    let (fence, pad) = if words.contains('`') {
        ("``", " ")
    } else {
        ("`", "")
    };
    format!("{fence}{pad}{}{pad}{fence}", words.replace("``", "`\u{200b}`"))
}

/// An address that ends where its link does.
fn address(to: &str) -> String {
    to.replace(')', "%29").replace(char::is_whitespace, "%20")
}

fn is_web(to: &str) -> bool {
    ["http://", "https://"].iter().any(|scheme| {
        to.get(..scheme.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(scheme))
    })
}

/// Words that mean themselves. Within an address nothing is escaped: it would not lead there any more.
fn escaped(words: &str, begins: bool) -> String {
    let mut text = String::with_capacity(words.len());
    for (at, word) in words.split(' ').enumerate() {
        if at > 0 {
            text.push(' ');
        }
        if is_web(word) {
            text.push_str(word);
            continue;
        }
        for (place, c) in word.char_indices() {
            let heads_a_line = begins && at == 0 && place == 0 && matches!(c, '#' | '-' | '>');
            if heads_a_line || matches!(c, '\\' | '*' | '_' | '~' | '`' | '|' | '<' | '[') {
                text.push('\\');
            }
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::markdown;
    use crate::markup::{Document, pieces};

    fn shown(text: &str) -> String {
        markdown(&pieces(&Document::parse(text)))
    }

    #[test]
    fn what_a_model_writes_is_shown_as_it_was_meant() {
        for (written, wanted) in [
            ("plain", "plain"),
            (
                "**bold** and *italic* and ~~gone~~",
                "**bold** and *italic* and ~~gone~~",
            ),
            ("***both***", "***both***"),
            ("# Title\n\nbody", "**Title**\n\nbody"),
            ("`x < y`", "`x < y`"),
            ("``a`b``", "`` a`b ``"),
            ("```rust\nlet x = 1;\n```", "```rust\nlet x = 1;\n```"),
            ("[text](https://a.b/c_d)", "[text](https://a.b/c_d)"),
            ("<https://a.b/c_d>", "https://a.b/c_d"),
            ("see https://a.b/c_d_e now_", "see https://a.b/c_d_e now\\_"),
            (
                "see https://a.b/__main__.html, *x*",
                "see https://a.b/__main__.html, *x*",
            ),
            ("[`tokio`](https://a.b)", "[`tokio`](https://a.b)"),
            (
                "[call](tel:+491) or <mailto:a@b.c>",
                "call (tel:+491) or mailto:a@b.c",
            ),
            ("[local](docs/a.md)", "local (docs/a.md)"),
            ("> said\n> more", "> said\n> more"),
            ("- a\n- b", "• a\n• b"),
            (r"\*not bold\* a_b ||x||", r"\*not bold\* a\_b \|\|x\|\|"),
            (r"\# no title", r"\# no title"),
            ("<@7> and <b>", r"\<@7> and \<b>"),
        ] {
            assert_eq!(shown(written), wanted, "{written}");
        }
    }
}
