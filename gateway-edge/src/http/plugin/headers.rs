//! What of the headers passes between a client and a plugin.

use gatehouse_core::Secret;
use gatehouse_proto::plugin::v1::{HttpCaller, HttpField};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::http::bearer::{self, Known};

/// What belongs to the connection (RFC 9110, 7.6.1), and what browsers keep for the gateway's origin.
const NOT_FOR_PLUGINS: [HeaderName; 8] = [
    header::CONNECTION,
    header::COOKIE,
    header::HOST,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// What a plugin may say of its answer, beside what begins with `x-`.
const OF_PLUGINS: [HeaderName; 14] = [
    header::ALLOW,
    header::CACHE_CONTROL,
    header::CONTENT_DISPOSITION,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::ETAG,
    header::EXPIRES,
    header::LAST_MODIFIED,
    header::LOCATION,
    header::RETRY_AFTER,
    header::VARY,
    header::WWW_AUTHENTICATE,
];

/// Headers of an answer at most, as the contract has it.
const ANSWER_MAX: usize = 64;

/// The headers of a request as the plugin sees them. A credential that is the gateway's stays here: who shows it means the gateway.
pub(super) fn to_plugin(headers: &HeaderMap, is_ours: impl Fn(&Secret) -> bool) -> Vec<HttpField> {
    let shows_ours = bearer::bearer(headers).is_some_and(|token| is_ours(&token));
    let passes =
        |name: &HeaderName| !(NOT_FOR_PLUGINS.contains(name) || shows_ours && name == header::AUTHORIZATION);
    let readable = |(name, value): (&HeaderName, &HeaderValue)| {
        Some(HttpField {
            name: name.as_str().to_owned(),
            value: value.to_str().ok()?.to_owned(),
        })
    };
    headers
        .iter()
        .filter(|(name, _)| passes(name))
        .filter_map(readable)
        .collect()
}

/// Who asks, for the plugin.
pub(super) fn caller(known: &Known) -> HttpCaller {
    HttpCaller {
        user_id: known.identity.user_id().map(std::borrow::Cow::into_owned),
        scopes: known.grants.scopes().map(str::to_owned).collect(),
    }
}

/// Puts on an answer what of the plugin's headers may stand there.
pub(super) fn to_client(fields: Vec<HttpField>, headers: &mut HeaderMap) {
    for HttpField { name, value } in fields.into_iter().take(ANSWER_MAX) {
        let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else {
            continue;
        };
        if OF_PLUGINS.contains(&name) || (name.as_str().starts_with("x-") && name != header::X_FRAME_OPTIONS)
        {
            headers.append(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(fields: &[HttpField]) -> Vec<&str> {
        fields.iter().map(|field| &*field.name).collect()
    }

    #[test]
    fn what_is_the_gateways_does_not_reach_a_plugin() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (header::AUTHORIZATION, "Bearer token"),
            (header::COOKIE, "a=b"),
            (header::HOST, "home.example"),
            (header::ACCEPT, "text/html"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }

        assert_eq!(names(&to_plugin(&headers, |_| true)), ["accept"]);
        assert_eq!(
            names(&to_plugin(&headers, |_| false)),
            ["authorization", "accept"]
        );
    }

    #[test]
    fn what_a_plugin_may_not_say_for_the_gateway_is_left_out() {
        let field = |name: &str| HttpField {
            name: name.to_owned(),
            value: "x".to_owned(),
        };
        let mut headers = HeaderMap::new();
        let said = [
            "set-cookie",
            "content-security-policy",
            "x-frame-options",
            "clear-site-data",
        ];
        let said = said.iter().chain(&["etag", "x-kitchen", "two words"]);

        to_client(said.map(|name| field(name)).collect(), &mut headers);

        let names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["etag", "x-kitchen"]);
    }
}
