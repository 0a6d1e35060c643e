//! The head of a request.

use gatehouse_proto::session::v1::{HookHead, HookHeader};

/// The header of OpenClaw's hooks for the token, in the place of `Authorization`.
const TOKEN: &str = "x-openclaw-token";

/// The head of a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    /// What stands behind the path of hooks, without slashes around it.
    pub(super) name: String,
    query: Option<String>,
    headers: Vec<(String, String)>,
}

impl From<HookHead> for Head {
    fn from(head: HookHead) -> Self {
        let HookHead { name, query, headers } = head;
        Self {
            name: name.trim_matches('/').to_owned(),
            query,
            headers: headers
                .into_iter()
                .map(|HookHeader { name, value }| (name.to_lowercase(), value))
                .collect(),
        }
    }
}

impl Head {
    #[cfg(test)]
    pub(super) fn for_tests(name: &str, query: Option<&str>, headers: &[(&str, &str)]) -> Self {
        Self {
            name: name.to_owned(),
            query: query.map(str::to_owned),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }

    /// A header that is there once. Of two neither counts: somebody on the way may have looked at the other one.
    pub(super) fn only(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        let (_, value) = found.next()?;
        found.next().is_none().then_some(value)
    }

    /// A header that may be told: none that shows who somebody is.
    pub(super) fn shown(&self, name: &str) -> Option<&str> {
        let name = name.to_lowercase();
        let is_secret = ["auth", "token", "cookie", "secret", "signature", "key"]
            .iter()
            .any(|word| name.contains(word));
        if is_secret { None } else { self.only(&name) }
    }

    /// A parameter of the query, read.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        let query = self.query.as_deref()?;
        query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (unescaped(key) == name).then(|| unescaped(value))
        })
    }

    /// The token, from one of its two headers.
    pub(super) fn token(&self) -> Option<&str> {
        if let Some(value) = self.only("authorization") {
            let (scheme, token) = value.split_once(' ')?;
            return scheme.eq_ignore_ascii_case("bearer").then(|| token.trim());
        }
        self.only(TOKEN).map(str::trim)
    }
}

/// A part of a query without its escapes. What is no escape stays.
pub(super) fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        match (first, behind) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) => {
                let digit = |byte: &u8| {
                    char::from(*byte)
                        .to_digit(16)
                        .and_then(|digit| u8::try_from(digit).ok())
                };
                match (digit(high), digit(low)) {
                    (Some(high), Some(low)) => {
                        bytes.push(high << 4 | low);
                        rest = after;
                    }
                    _ => bytes.push(b'%'),
                }
            }
            (byte, _) => bytes.push(*byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
