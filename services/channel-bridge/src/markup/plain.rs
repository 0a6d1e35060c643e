//! Words without styles, for a platform that knows none or does not take ours. Where a link leads stands behind it.

use super::layout::{Piece, told_behind};

/// The whole in plain words.
pub(crate) fn plain(pieces: &[Piece]) -> String {
    let mut text = String::new();
    let mut quote: Option<usize> = None;
    for (at, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Words(words, _) | Piece::Code { text: words, .. } => text.push_str(words),
            Piece::QuoteBegins => quote = Some(text.len()),
            Piece::QuoteEnds => {
                let quoted = text.split_off(quote.take().unwrap_or(text.len()));
                let lines: Vec<String> = quoted.split('\n').map(|line| format!("> {line}")).collect();
                text.push_str(&lines.join("\n"));
            }
        }
        if let Some(to) = told_behind(pieces, at) {
            text.push_str(&format!(" ({to})"));
        }
    }
    text
}
