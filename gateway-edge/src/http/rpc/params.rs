//! The parameters of a call as HTTP brings them.

use gatehouse_contract::Method;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::Refusal;

/// The header whose value becomes the parameter of the same name (draft-ietf-httpapi-idempotency-key-header).
pub(in crate::http) const IDEMPOTENCY_HEADER: &str = "idempotency-key";
const IDEMPOTENCY_FIELD: &str = "idempotencyKey";

#[derive(Deserialize)]
struct Given<'a> {
    #[serde(borrow, default, rename = "idempotencyKey")]
    key: Option<&'a RawValue>,
}

/// The parameters as JSON text: the body, `{}` when it is empty, with the key of the header where the method takes one and the
/// body has none.
pub(super) fn of(method: &Method, headers: &HeaderMap, body: Vec<u8>) -> Result<String, Refusal> {
    let text = String::from_utf8(body)
        .map_err(|_| Refusal::invalid("the body is not UTF-8").detail("code", "BODY_INVALID"))?;
    let text = if text.trim_ascii().is_empty() {
        "{}".to_owned()
    } else {
        text
    };
    match headers.get(IDEMPOTENCY_HEADER) {
        Some(key) if method.request.has_field(IDEMPOTENCY_FIELD) => {
            let key = key.to_str().map_err(|_| {
                Refusal::invalid("the header Idempotency-Key is not text")
                    .detail("code", "IDEMPOTENCY_KEY_INVALID")
            })?;
            Ok(with_key(text, key))
        }
        _ => Ok(text),
    }
}

/// Puts the key in front of the other parameters, unless they have one or are no object; then they stay as they are.
fn with_key(text: String, key: &str) -> String {
    let absent = serde_json::from_str::<Given<'_>>(&text).is_ok_and(|given| given.key.is_none());
    let Some(rest) = text.trim_ascii_start().strip_prefix('{').filter(|_| absent) else {
        return text;
    };
    let comma = if rest.trim_ascii_start().starts_with('}') {
        ""
    } else {
        ","
    };
    let key = serde_json::Value::from(key);
    format!(r#"{{"{IDEMPOTENCY_FIELD}":{key}{comma}{rest}"#)
}

#[cfg(test)]
mod tests {
    use gatehouse_contract::Map;

    use super::*;

    fn params(method: &str, key: Option<&str>, body: &str) -> String {
        let mut headers = HeaderMap::new();
        if let Some(key) = key {
            headers.insert(IDEMPOTENCY_HEADER, key.parse().unwrap());
        }
        let method = Map::core().method(method).unwrap();
        of(method, &headers, body.into()).unwrap()
    }

    #[test]
    fn the_key_of_the_header_fills_a_parameter_that_is_there_to_be_filled() {
        let send = |key, body| params("chat.send", key, body);

        assert_eq!(
            send(Some("k"), r#"{"message":"x"}"#),
            r#"{"idempotencyKey":"k","message":"x"}"#
        );
        assert_eq!(send(Some("k\"1"), " { } "), r#"{"idempotencyKey":"k\"1" } "#);
        assert_eq!(send(Some("k"), ""), r#"{"idempotencyKey":"k"}"#);
        let own = r#"{"idempotencyKey":"mine"}"#;
        assert_eq!(send(Some("k"), own), own);
        assert_eq!(params("sessions.list", Some("k"), ""), "{}");
        assert_eq!(send(None, "\n"), "{}");
        for broken in ["[]", "{", "{\"a\":1,\"a\":", "7"] {
            assert_eq!(
                send(Some("k"), broken),
                broken,
                "the contract says what is wrong with it"
            );
        }
    }
}
