//! Whether the gateway token can be guessed. Written down by a person it may be a word, a row of keys or one character many
//! times; none of these takes a guesser long, whatever its length. What Gatehouse makes itself has 256 bits.

/// Shorter tokens are refused: sixteen random characters are more guesses than the gateway will ever take.
pub(crate) const TOKEN_CHARS_MIN: usize = 16;

/// Fewer different characters are a pattern. Sixteen random digits have fewer once in fifty thousand times.
const DISTINCT_MIN: usize = 5;

/// Characters that do not follow from the one before them: neither the same nor its neighbour. `0123456789abcdef` has two.
const SURPRISES_MIN: usize = 4;

/// Words of examples, forms and habits. What is left without them has to be a token by itself.
const WORDS: &[&str] = &[
    "changeme",
    "change",
    "please",
    "replace",
    "password",
    "passwort",
    "secret",
    "gatehouse",
    "openclaw",
    "gateway",
    "token",
    "default",
    "example",
    "insert",
    "placeholder",
    "qwertyuiop",
    "qwertzuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwerty",
    "letmein",
    "welcome",
    "admin",
    "your",
    "here",
    "this",
    "with",
    "test",
];

/// What has to be left of a token without [`WORDS`].
const REST_CHARS_MIN: usize = 6;

/// A password that a person remembers; who guesses gets ten tries in five minutes.
pub(crate) const PASSWORD_CHARS_MIN: usize = 10;

/// Why a token is refused. `None`: it is strong enough.
pub(crate) fn weakness(token: &str) -> Option<String> {
    weakness_of(token, TOKEN_CHARS_MIN)
}

/// The same for a password.
pub(crate) fn weakness_of_password(password: &str) -> Option<String> {
    weakness_of(password, PASSWORD_CHARS_MIN)
}

fn weakness_of(token: &str, chars_min: usize) -> Option<String> {
    let chars: Vec<char> = token.chars().collect();
    if chars.len() < chars_min {
        return Some(format!("has fewer than {chars_min} characters"));
    }
    let mut distinct = chars.clone();
    distinct.sort_unstable();
    distinct.dedup();
    // One that repeats itself has to do so for half its length: any random text may end as it begins.
    let repeats = period(&chars) * 3 <= chars.len() * 2;
    if repeats || distinct.len() < DISTINCT_MIN || surprises(&chars) < SURPRISES_MIN {
        return Some("follows a pattern".to_owned());
    }
    let lower = token.to_lowercase();
    let whole: Vec<char> = lower.chars().filter(|c| c.is_alphanumeric()).collect();
    let mut rest: String = whole.iter().collect();
    for word in WORDS {
        rest = rest.replace(word, "");
    }
    let left: Vec<char> = rest.chars().collect();
    let is_words = left.len() < whole.len() && (left.len() < REST_CHARS_MIN || surprises(&left) < 2);
    is_words.then(|| "is made of words that everybody tries".to_owned())
}

/// After how many characters a text repeats itself; its length if it does not.
fn period(chars: &[char]) -> usize {
    (1..=chars.len())
        .find(|period| chars.iter().zip(chars.iter().skip(*period)).all(|(a, b)| a == b))
        .unwrap_or(chars.len())
}

/// How many characters do not follow from the one before.
fn surprises(chars: &[char]) -> usize {
    let follows = |a: char, b: char| {
        u32::from(a).abs_diff(u32::from(b)) <= 1 || (a, b) == ('9', '0') || (a, b) == ('0', '9')
    };
    let within = chars
        .windows(2)
        .filter(|pair| matches!(pair, [a, b] if !follows(*a, *b)))
        .count();
    within + usize::from(!chars.is_empty())
}

#[cfg(test)]
mod tests {
    use gatehouse_core::Secret;

    use super::*;

    #[test]
    fn what_can_be_guessed_is_refused_with_the_reason() {
        for token in [
            "",
            "short",
            "fifteen-charact",
            "aaaaaaaaaaaaaaaa",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "                ",
            "abababababababab",
            "abcdabcdabcdabcdabcd",
            "1234567890123456",
            "12345678901234567890",
            "0123456789abcdef",
            "abcdefghijklmnopqrstuvwxyz",
            "zyxwvutsrqponmlk",
            "1111222233334444",
            "aabbccddeeffgghh",
            "passwordpassword",
            "password12345678",
            "changeme-changeme",
            "change-me-please",
            "your-token-goes-here",
            "replace-this-with-your-secret",
            "gatehouse-gateway-token",
            "qwertyuiopasdfghjkl",
            "secret-token-000000",
        ] {
            assert!(weakness(token).is_some(), "{token}");
        }
    }

    #[test]
    fn what_is_random_or_long_enough_passes() {
        for token in [
            "kX9#mQ2vL7pR4wZ8",
            "4f9a1c7be03d58264f9b",
            "8371946205173948",
            "correct-horse-battery-staple",
            "correcthorsebatterystaple",
            "the-token-0123456789",
            "8171946205173928",
        ] {
            assert_eq!(weakness(token), None, "{token}");
        }
        for _ in 0..200 {
            let token = Secret::generate();
            assert_eq!(weakness(token.expose()), None);
        }
    }
}
