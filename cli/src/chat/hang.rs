//! Lines of a list whose words go on below themselves, and not below the name before them.

use super::wrap;

/// Names end here and words begin.
const WORDS_AT: usize = 21;

/// In fewer columns words are better off with the whole width.
const WORDS_MIN: usize = 20;

/// The text, each line of it folded with its words in their column.
pub(super) fn hung(text: &str, columns: usize) -> String {
    let room = columns.saturating_sub(WORDS_AT);
    if room < WORDS_MIN {
        return text.to_owned();
    }
    let below = format!("\n{:WORDS_AT$}", "");
    let folded = |line: &str| match line.split_at_checked(WORDS_AT) {
        Some((name, words)) if name.ends_with(' ') => {
            let rows = wrap::rows(words, room);
            let rows: Vec<_> = rows.iter().map(|row| row.trim_end()).collect();
            format!("{name}{}", rows.join(&below))
        }
        Some(_) | None => line.to_owned(),
    };
    text.lines().map(folded).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_do_not_fit_go_on_in_their_own_column() {
        let help = "  /reset             Begin this conversation anew; what follows is its first message.\n  /stop              stop";

        let told = hung(help, 60);

        assert_eq!(
            told,
            "  /reset             Begin this conversation anew; what\n                     follows is its first message.\n  /stop              stop"
        );
        assert_eq!(hung(help, 30), help, "no room for a column");
        assert_eq!(hung(help, 200), help);
    }
}
