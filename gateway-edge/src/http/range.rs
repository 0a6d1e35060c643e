//! What a request for a file says of what it has and what it wants (RFC 9110, 12.5.3, 13.1 and 14.2).

use std::ops::RangeInclusive;

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Whether an encoding is welcome.
pub(super) fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    list(headers, &header::ACCEPT_ENCODING).any(|offer| {
        let (name, rest) = offer.split_once(';').unwrap_or((offer, ""));
        let refused = rest.trim().strip_prefix("q=").is_some_and(|quality| {
            let is_zero = |c: char| c == '0' || c == '.';
            !quality.is_empty() && quality.trim().chars().all(is_zero)
        });
        name.trim().eq_ignore_ascii_case(encoding) && !refused
    })
}

/// Whether the client has this very content already.
pub(super) fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let Ok(tag) = tag.to_str() else { return false };
    list(headers, &header::IF_NONE_MATCH)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

/// Whether the client wants the answer only while the content is the one that it knows, and it is another (RFC 9110, 13.1.1).
pub(super) fn is_another(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    headers.contains_key(header::IF_MATCH)
        && !list(headers, &header::IF_MATCH).any(|known| known == "*" || known.as_bytes() == tag.as_bytes())
}

/// A part of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    Bytes(RangeInclusive<u64>),
    /// There is nothing of it.
    Outside,
}

/// Which part is asked for. Several at once, or of another content, or in words that are not understood: the whole.
pub(super) fn part(headers: &HeaderMap, tag: &HeaderValue, length: u64) -> Part {
    let of_this = headers
        .get(header::IF_RANGE)
        .is_none_or(|condition| condition == tag);
    let asked = headers
        .get(header::RANGE)
        .filter(|_| of_this)
        .and_then(|value| value.to_str().ok());
    let Some((first, last)) = asked
        .and_then(|range| range.strip_prefix("bytes="))
        .and_then(|range| range.trim().split_once('-'))
    else {
        return Part::Whole;
    };
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let (first, last) = match (number(first), number(last)) {
        (Some(first), None) if last.is_empty() => (first, u64::MAX),
        (Some(first), Some(last)) if first <= last => (first, last),
        (None, Some(count)) if first.is_empty() => match length.checked_sub(count.min(length)) {
            Some(first) if count > 0 => (first, u64::MAX),
            _ => return Part::Outside,
        },
        _ => return Part::Whole,
    };
    match length.checked_sub(1) {
        Some(end) if first <= end => Part::Bytes(first..=last.min(end)),
        _ => Part::Outside,
    }
}

fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        let values = pairs.iter().cloned();
        values
            .map(|(name, value)| (name, HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn a_part_is_what_was_asked_as_far_as_it_is_there() {
        let tag = HeaderValue::from_static("\"a\"");
        let of = |range, length| part(&headers(&[(header::RANGE, range)]), &tag, length);

        assert_eq!(of("bytes=0-3", 10), Part::Bytes(0..=3));
        assert_eq!(of("bytes=4-", 10), Part::Bytes(4..=9));
        assert_eq!(of("bytes=-3", 10), Part::Bytes(7..=9));
        assert_eq!(of("bytes=-30", 10), Part::Bytes(0..=9));
        assert_eq!(of("bytes=5-99999999999999999999999", 10), Part::Bytes(5..=9));
        for outside in ["bytes=10-", "bytes=-0"] {
            assert_eq!(of(outside, 10), Part::Outside, "{outside}");
        }
        assert_eq!(of("bytes=0-", 0), Part::Outside);
        for whole in [
            "bytes=5-3",
            "bytes=0-1,3-4",
            "lines=1-2",
            "bytes=",
            "bytes=a-b",
            "bytes=-",
        ] {
            assert_eq!(of(whole, 10), Part::Whole, "{whole}");
        }
        let other = [(header::RANGE, "bytes=0-3"), (header::IF_RANGE, "\"b\"")];
        assert_eq!(part(&headers(&other), &tag, 10), Part::Whole);
        let same = [(header::RANGE, "bytes=0-3"), (header::IF_RANGE, "\"a\"")];
        assert_eq!(part(&headers(&same), &tag, 10), Part::Bytes(0..=3));
    }

    #[test]
    fn an_encoding_is_taken_unless_it_is_refused() {
        let accepts = |value| super::accepts(&headers(&[(header::ACCEPT_ENCODING, value)]), "br");

        assert!(accepts("gzip, br") && accepts("gzip, BR;q=0.5") && accepts("br;q=1"));
        assert!(!accepts("gzip") && !accepts("br;q=0") && !accepts("br; q=0.0") && !accepts("brotli"));
    }

    #[test]
    fn an_answer_that_is_wanted_of_one_content_alone_is_not_given_of_another() {
        let tag = HeaderValue::from_static("\"a\"");
        let another = |value| is_another(&headers(&[(header::IF_MATCH, value)]), &tag);

        assert!(another("\"b\"") && another("W/\"a\"") && another(""));
        assert!(!another("\"a\"") && !another("\"b\", \"a\"") && !another("*"));
        assert!(!is_another(&HeaderMap::new(), &tag));
    }

    #[test]
    fn what_the_client_has_is_known_by_any_of_its_tags() {
        let tag = HeaderValue::from_static("\"a\"");
        let known = |value| is_known(&headers(&[(header::IF_NONE_MATCH, value)]), &tag);

        assert!(known("\"a\"") && known("W/\"a\"") && known("\"x\", \"a\"") && known("*"));
        assert!(!known("\"b\"") && !known("a"));
    }
}
