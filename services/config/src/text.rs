//! JSON5 text with the places of its parts, so that a change or a redaction touches one value and leaves every comment
//! where it is. Values are read by the `json5` crate; this module only finds where they stand.

mod difference;
mod edit;
mod keyed;
mod scan;

use serde_json::Value;

pub(crate) use difference::difference;
pub(crate) use edit::{merge, merge_text, render};
pub(crate) use keyed::keyed_by;
pub(crate) use scan::{Kind, Node, Scan, scan};

/// The longest document that is read, in bytes: a large configuration has a few hundred KiB.
pub(crate) const DOCUMENT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The deepest nesting that is read: the schema needs 8, plugins' own settings a few more. Bounds every recursion over a
/// document, this module's and the parser's.
pub(crate) const DEPTH_MAX: usize = 64;

/// Why a text cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TextError {
    /// It is not JSON5.
    #[error("{problem} in line {line}, column {column}")]
    Syntax {
        /// What is wrong.
        problem: String,
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in characters.
        column: usize,
    },
    /// It is JSON5, but not an object.
    #[error("the document must be an object: {{ ... }}")]
    NotAnObject,
    /// It is longer than [`DOCUMENT_BYTES_MAX`].
    #[error("the document is longer than {} MiB", DOCUMENT_BYTES_MAX / 1024 / 1024)]
    TooLong,
}

/// Reads a document. A text without any value is an empty document.
pub(crate) fn parse(text: &str) -> Result<(Value, Scan), TextError> {
    if text.len() > DOCUMENT_BYTES_MAX {
        return Err(TextError::TooLong);
    }
    let (value, found) = parse_value(text)?;
    if !value.is_object() {
        return Err(TextError::NotAnObject);
    }
    Ok((value, found))
}

/// Reads a part of a document that stands in a file of its own: any value.
pub(crate) fn parse_value(text: &str) -> Result<(Value, Scan), TextError> {
    let found = scan(text)?;
    if found.root.is_none() {
        return Ok((Value::Object(serde_json::Map::new()), found));
    }
    let mut value: Value = json5::from_str(text).map_err(|error| {
        let (line, column) = error.position().map_or((1, 1), |at| (at.line + 1, at.column + 1));
        let problem = error
            .code()
            .map_or_else(|| "invalid value".to_owned(), |code| code.to_string());
        TextError::Syntax {
            problem,
            line,
            column,
        }
    })?;
    whole_numbers(&mut value);
    Ok((value, found))
}

/// Whether a text says nothing: no value, at most comments.
pub(crate) fn is_blank(text: &str) -> bool {
    scan(text).is_ok_and(|found| found.root.is_none())
}

/// Above it, neighbours of a whole number cannot be told apart: 2^53.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// JSON5, as JavaScript, knows one kind of number: `10.0`, `1e1` and `0xA` are the whole number 10.
fn whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let whole = number.as_f64().filter(|_| number.is_f64());
            let whole = whole.filter(|number| number.fract() == 0.0 && number.abs() <= WHOLE_MAX);
            // Written without a point or an exponent, it is read as what it is.
            if let Some(whole) = whole.and_then(|whole| format!("{whole:.0}").parse::<i64>().ok()) {
                *value = Value::from(whole);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Object(object) => object.values_mut().for_each(whole_numbers),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests;
