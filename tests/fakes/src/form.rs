//! The two forms of a request: JSON, and fields with a file among them.

use axum::http::{HeaderMap, header::CONTENT_TYPE};
use serde_json::{Map, Value};

/// A file of a request.
#[derive(Debug)]
pub(crate) struct File {
    /// The field that holds it.
    pub(crate) field: String,
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) fn read(headers: &HeaderMap, body: &[u8]) -> (Value, Option<File>) {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let boundary = kind.and_then(|kind| kind.strip_prefix("multipart/form-data; boundary="));
    match boundary {
        Some(boundary) => fields(format!("--{boundary}").as_bytes(), body),
        None => {
            let is_form = kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
            let read = if is_form {
                typed(body)
            } else {
                serde_json::from_slice(body).unwrap_or(Value::Null)
            };
            (read, None)
        }
    }
}

/// Fields one behind the other, as a page sends them.
pub(crate) fn typed(body: &[u8]) -> Value {
    let fields = url::form_urlencoded::parse(body);
    let fields = fields.map(|(name, value)| (name.into_owned(), value_of(value.into_owned())));
    Value::Object(fields.collect())
}

/// Numbers and objects are JSON within a field.
fn value_of(text: String) -> Value {
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

fn fields(boundary: &[u8], body: &[u8]) -> (Value, Option<File>) {
    let (mut fields, mut file) = (Map::new(), None);
    let mut rest = body;
    while let Some(at) = find(rest, boundary) {
        let part = rest.get(at + boundary.len()..).unwrap_or_default();
        let Some(part) = part.strip_prefix(b"\r\n") else {
            break;
        };
        let end = find(part, boundary).unwrap_or(part.len());
        let (whole, behind) = part.split_at(end);
        rest = behind;
        let Some(blank) = find(whole, b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(whole.get(..blank).unwrap_or_default()).into_owned();
        let value = whole
            .get(blank + 4..whole.len().saturating_sub(2))
            .unwrap_or_default();
        let field = attribute(&head, " name=\"").unwrap_or_default();
        match attribute(&head, "filename=\"") {
            Some(name) => {
                file = Some(File {
                    field,
                    name,
                    bytes: value.to_vec(),
                });
            }
            None => {
                let text = String::from_utf8_lossy(value).into_owned();
                fields.insert(field, value_of(text));
            }
        }
    }
    (Value::Object(fields), file)
}

fn attribute(head: &str, name: &str) -> Option<String> {
    let (_, rest) = head.split_once(name)?;
    rest.split_once('"').map(|(value, _)| value.to_owned())
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
