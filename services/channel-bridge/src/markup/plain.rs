//! Words without styles, for a platform that knows none or does not take ours. Where a link leads stands behind it.

use super::layout::Piece;

/// The whole in plain words.
pub(crate) fn plain(pieces: &[Piece]) -> String {
    let mut text = String::new();
    let mut link: Option<(&str, usize)> = None;
    let mut quote: Option<usize> = None;
    for piece in pieces {
        let leads = match piece {
            Piece::Words(_, style) => style.link.as_deref(),
            Piece::Code { .. } | Piece::QuoteBegins | Piece::QuoteEnds => None,
        };
        // A link may consist of several pieces, one of them bold.
        if link.is_some_and(|(to, _)| Some(to) != leads) {
            end_link(&mut text, link.take());
        }
        if let Some(to) = leads {
            link = link.or(Some((to, text.len())));
        }
        match piece {
            Piece::Words(words, _) | Piece::Code { text: words, .. } => text.push_str(words),
            Piece::QuoteBegins => quote = Some(text.len()),
            Piece::QuoteEnds => {
                let quoted = text.split_off(quote.take().unwrap_or(text.len()));
                let lines: Vec<String> = quoted.split('\n').map(|line| format!("> {line}")).collect();
                text.push_str(&lines.join("\n"));
            }
        }
    }
    end_link(&mut text, link);
    text
}

fn end_link(text: &mut String, link: Option<(&str, usize)>) {
    let Some((to, from)) = link else { return };
    let shown = text.get(from..).unwrap_or_default();
    if shown != to && to.strip_prefix("mailto:") != Some(shown) {
        text.push_str(&format!(" ({to})"));
    }
}
