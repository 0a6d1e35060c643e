//! How many tokens a text is, estimated: every model counts in its own way, and its tokenizer is megabytes of tables that are wrong
//! for the next one.
//!
//! The figures were fitted to OpenAI's `o200k_base` and `cl100k_base` and to Llama 3 (November 2026), so that the estimate is rarely
//! below what these count. Estimate by count, in this order of models: English prose 1.1, 1.1, 1.1; Markdown 1.2, 1.2, 1.2; Rust 1.3,
//! 1.3, 1.3; JSON 1.1, 1.1, 1.1; German 1.05, 0.93, 0.93; Russian 1.8, 1.0, 1.6; Chinese 1.5, 1.1, 1.4; Japanese 1.4, 1.1, 1.8; Korean
//! 1.7, 1.0, 1.7; Arabic 1.9, 1.0, 1.8; Hindi 3.3, 1.0, 1.9; Base64 1.0, 1.0, 1.0. Against Llama 2's old one of 32,000 words: English
//! 1.0, Rust 1.0, Chinese 0.9. What is missing there is covered by the margin of [`crate::window`].

/// A letter more or less does not matter, a rounding at every word does: all figures are hundredths of a token.
const UNIT: u64 = 100;

/// No word is shorter than this, and a space before it is part of it.
const WORD: u64 = 110;
/// Long words come in pieces of four and a half letters.
const LETTER: u64 = 22;
/// Digits: in threes for most models, one by one for some.
const DIGIT: u64 = 50;
const NUMBER: u64 = 25;
/// A run of spaces, as before a line of code.
const GAP: u64 = 60;
const SPACE: u64 = 12;
/// A sign, one behind another as in `"})`, and each further one of the same kind.
const SIGN: u64 = 85;
const SIGN_BEHIND: u64 = 50;
const SIGN_AGAIN: u64 = 25;
/// Letters and digits without an end are no word of any language, but a key, a hash or Base64: these have two tokens for three signs.
const DENSE: u64 = 72;
const DENSE_BYTES_MIN: usize = 40;

/// The tokens of a text.
pub(crate) fn estimate(text: &str) -> u64 {
    let (mut rest, mut hundredths, mut is_behind_sign) = (text, 0, false);
    while let Some(first) = rest.chars().next() {
        let end = if first.is_ascii_alphanumeric() {
            end_of_run(rest, |c| c.is_ascii_alphanumeric())
        } else if first.is_whitespace() {
            end_of_run(rest, char::is_whitespace)
        } else {
            end_of_run(rest, |c| c == first)
        };
        let (run, after) = rest.split_at(end);
        hundredths += run_cost(run, first, is_behind_sign);
        is_behind_sign = first.is_ascii_punctuation();
        rest = after;
    }
    hundredths.div_ceil(UNIT)
}

fn end_of_run(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX / 1_000)
}

fn run_cost(run: &str, first: char, is_behind_sign: bool) -> u64 {
    let length = count(run.len());
    if first.is_ascii_alphanumeric() {
        return if run.len() > DENSE_BYTES_MIN {
            length * DENSE
        } else {
            word_cost(run.as_bytes())
        };
    }
    if first.is_whitespace() {
        return if run == " " { 0 } else { GAP + length * SPACE };
    }
    if first.is_ascii() {
        let sign = if is_behind_sign { SIGN_BEHIND } else { SIGN };
        return sign + (length - 1) * SIGN_AGAIN;
    }
    count(run.chars().count()) * letter_cost(first)
}

/// A word in the pieces that tokenizers see: `HttpError404` is `Http`, `Error` and `404`.
fn word_cost(word: &[u8]) -> u64 {
    let mut cost = 0;
    let pieces = word.chunk_by(|before, after| {
        before.is_ascii_digit() == after.is_ascii_digit()
            && !(before.is_ascii_lowercase() && after.is_ascii_uppercase())
    });
    for piece in pieces {
        let length = count(piece.len());
        cost += if piece.first().is_some_and(u8::is_ascii_digit) {
            NUMBER + length * DIGIT
        } else {
            WORD.max(length * LETTER)
        };
    }
    cost
}

/// One letter of a script other than plain Latin.
fn letter_cost(letter: char) -> u64 {
    match u32::from(letter) {
        0..0x250 => 90,        // Latin with marks: it breaks a word in two
        0x250..0x600 => 55,    // Greek, Cyrillic, Armenian, Hebrew
        0x600..0x900 => 85,    // Arabic
        0x900..0x2000 => 115,  // the scripts of India and South-East Asia
        0x2000..0x2e80 => 150, // signs, arrows, boxes
        0x2e80..0xac00 => 120, // Chinese and Japanese
        0xac00..0xd7b0 => 130, // Korean
        0xd7b0..0x10000 => 120,
        _ => 320, // emoji
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts with what `o200k_base`, `cl100k_base` and Llama 3 count for them, written down once from the tokenizers themselves.
    const COUNTED: &[(&str, [u64; 3])] = &include!("tokens/counted.in");

    #[test]
    fn an_estimate_is_rarely_below_what_models_count_and_never_far_above_for_what_people_write() {
        for (text, counts) in COUNTED {
            let estimate = estimate(text);
            for counted in *counts {
                assert!(
                    estimate * 100 >= counted * 90,
                    "{estimate} for {counted}: less than the margin covers: {text}"
                );
            }
            let most = counts.iter().copied().max().unwrap();
            assert!(estimate * 100 <= most * 160, "{estimate} for {most}: {text}");
        }
    }

    #[test]
    fn keys_and_hashes_weigh_more_than_words_of_their_length() {
        let key = "aG91c2Uga2V5cyBhcmUgbm90IHdvcmRzIGFuZCBub3QgcHJvc2UgZWl0aGVyIQ";
        let words = "spare keys are not words and they are not any prose either, ok";

        assert!(
            estimate(key) > 2 * estimate(words),
            "{} {}",
            estimate(key),
            estimate(words)
        );
    }

    #[test]
    fn nothing_is_nothing_and_more_is_never_less() {
        assert_eq!(estimate(""), 0);
        let mut last = 0;
        for length in 0..300 {
            let now = estimate(&"ab c1\n é 中😀".chars().cycle().take(length).collect::<String>());
            assert!(now >= last, "{length}");
            last = now;
        }
    }
}
