use proptest::prelude::*;
use reqwest::header::HeaderName;

use super::*;

/// Fri, 27 Nov 2026 10:14:47 GMT
const NOW: u64 = 1_795_774_487;

fn wait(headers: &[(&str, &str)]) -> Option<Duration> {
    let headers = headers
        .iter()
        .map(|(name, value)| (HeaderName::try_from(*name).unwrap(), value.parse().unwrap()))
        .collect();
    read(&headers, SystemTime::UNIX_EPOCH + Duration::from_secs(NOW))
}

fn ms(ms: u64) -> Option<Duration> {
    Some(Duration::from_millis(ms))
}

#[test]
fn a_wait_is_read_in_every_form_in_which_servers_say_it() {
    for (value, expected) in [
        ("5", ms(5_000)),
        (" 1.5 ", ms(1_500)),
        ("0", ms(0)),
        ("Fri, 27 Nov 2026 10:14:52 GMT", ms(5_000)),
        ("Friday, 27-Nov-26 10:14:52 GMT", ms(5_000)),
        ("Fri Nov 27 10:14:52 2026", ms(5_000)),
        ("Fri, 27 Nov 2026 10:14:40 GMT", ms(0)),
        ("2026-11-27T10:14:52Z", ms(5_000)),
        ("20s", ms(20_000)),
        ("99999999", ms(86_400_000)),
        ("-3", None),
        ("soon", None),
        ("", None),
        ("NaN", None),
    ] {
        assert_eq!(wait(&[("retry-after", value)]), expected, "{value}");
    }
    assert_eq!(wait(&[("retry-after-ms", "250"), ("retry-after", "1")]), ms(250));
    assert_eq!(wait(&[]), None);
}

#[test]
fn a_date_is_read_by_the_servers_own_clock() {
    let headers = [
        ("retry-after", "Fri, 27 Nov 2026 12:00:05 GMT"),
        ("date", "Fri, 27 Nov 2026 12:00:00 GMT"),
    ];

    assert_eq!(wait(&headers), ms(5_000));
}

#[test]
fn the_limit_that_is_used_up_says_when_it_begins_anew() {
    for (value, expected) in [
        ("6m0s", ms(360_000)),
        ("2m59.56s", ms(179_560)),
        ("20ms", ms(20)),
        ("1h30m", ms(5_400_000)),
        ("30", ms(30_000)),
        ("1795774492", ms(5_000)),
        ("1795774492000", ms(5_000)),
        ("3 parsecs", None),
    ] {
        assert_eq!(wait(&[("x-ratelimit-reset", value)]), expected, "{value}");
    }
    let both = [
        ("x-ratelimit-reset-requests", "17s"),
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-tokens", "6m0s"),
        ("x-ratelimit-remaining-tokens", "500"),
    ];
    assert_eq!(wait(&both), ms(17_000));
    assert_eq!(
        wait(&[both[0], both[2]]),
        ms(360_000),
        "of tokens when none is known to be used up"
    );
    assert_eq!(
        wait(&[both[0], both[1], ("retry-after", "2")]),
        ms(2_000),
        "what is said outright goes first"
    );
}

#[test]
fn a_wait_is_read_from_what_an_error_says() {
    for (words, expected) in [
        (
            "Rate limit reached for gpt-4o in organization o. Please try again in 20s. Visit https://x",
            ms(20_000),
        ),
        ("Please try again in 7m12.5s.", ms(432_500)),
        ("try again in 86ms", ms(86)),
        ("Too many requests, retry after 30 seconds please", ms(30_000)),
        ("Please retry in 17.3s, thank you", ms(17_300)),
        ("try again in 2 minutes", ms(120_000)),
        ("try again in 1 hour 5 minutes", ms(3_900_000)),
        ("please try again in a while", None),
        ("try again later", None),
        ("try again in ", None),
    ] {
        assert_eq!(read_words(words), expected, "{words}");
    }
}

proptest! {
    #[test]
    fn whatever_a_server_sends_is_read_or_ignored_and_never_longer_than_a_day(
        value in r"[ -~]{0,40}", number in "-?[0-9]{1,30}(\\.[0-9]{0,9})?(ms|s|m|h|d|e9)?", name in prop::sample::select(vec!["retry-after", "retry-after-ms", "x-ratelimit-reset", "ratelimit-reset"]),
    ) {
        for text in [value, number] {
            let words = format!("try again in {text}");
            for wait in [wait(&[(name, &text)]), read_words(&words)].into_iter().flatten() {
                prop_assert!(wait <= WAIT_MAX, "{}: {:?}", text, wait);
            }
        }
    }
}

#[test]
fn a_wait_is_told_in_words() {
    let told = |ms| spoken(Duration::from_millis(ms));

    assert_eq!(
        [
            told(0),
            told(1_200),
            told(20_000),
            told(130_000),
            told(86_400_000)
        ],
        ["1 s", "2 s", "20 s", "3 min", "24 h"]
    );
}
