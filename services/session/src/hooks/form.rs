//! Forms (`application/x-www-form-urlencoded`): what Slack's slash commands and older webhooks send.

use serde_json::{Map, Value};

use super::head::{Head, unescaped};

const FORM: &str = "application/x-www-form-urlencoded";

/// Fields of a form at most: a slash command has a dozen.
const FIELDS_MAX: usize = 200;

/// The field in which programs put JSON that they send as a form.
const PAYLOAD: &str = "payload";

/// The fields as an object of texts. `None`: it is no form. Of a field that is there twice the first counts.
pub(super) fn read(head: &Head, body: &[u8]) -> Option<Value> {
    let kind = head.only("content-type")?.split(';').next()?.trim();
    if !kind.eq_ignore_ascii_case(FORM) {
        return None;
    }
    let text = std::str::from_utf8(body).ok()?;
    let pairs: Vec<&str> = text.split('&').filter(|pair| !pair.is_empty()).collect();
    if pairs.is_empty() || pairs.len() > FIELDS_MAX {
        return None;
    }
    let mut fields = Map::new();
    for pair in &pairs {
        let (name, value) = pair.split_once('=')?;
        let value = Value::from(unescaped(value));
        fields.entry(unescaped(name)).or_insert(value);
    }
    let payload = fields.get(PAYLOAD).and_then(Value::as_str);
    let payload = payload.and_then(|text| serde_json::from_str::<Value>(text).ok());
    match payload {
        Some(payload) if fields.len() == 1 && payload.is_object() => Some(payload),
        Some(_) | None => Some(Value::Object(fields)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(kind: &str, body: &str) -> Option<Value> {
        read(
            &Head::for_tests("forge", None, &[("content-type", kind)]),
            body.as_bytes(),
        )
    }

    #[test]
    fn the_fields_of_a_form_are_texts_and_json_in_one_of_them_is_what_was_meant() {
        let form = of(
            "application/x-www-form-urlencoded; charset=utf-8",
            "text=a+b%26c&n=1&text=other&empty=",
        );
        assert_eq!(form, Some(json!({"text": "a b&c", "n": "1", "empty": ""})));
        let wrapped = of(FORM, "payload=%7B%22a%22%3A1%7D");
        assert_eq!(wrapped, Some(json!({"a": 1})));
        assert_eq!(of(FORM, "payload=x&a=b"), Some(json!({"payload": "x", "a": "b"})));
    }

    #[test]
    fn what_is_no_form_is_none() {
        assert_eq!(of("text/plain", "a=b"), None);
        assert_eq!(of(FORM, ""), None);
        assert_eq!(of(FORM, "{"), None);
        assert_eq!(of(FORM, &"a=b&".repeat(FIELDS_MAX + 1)), None);
        assert_eq!(read(&Head::for_tests("forge", None, &[]), b"a=b"), None);
        assert_eq!(
            read(
                &Head::for_tests("forge", None, &[("content-type", FORM)]),
                &[0xff, b'=']
            ),
            None
        );
    }
}
