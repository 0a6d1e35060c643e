//! What can be said of a step, and how much.

use opentelemetry::Value;

/// The longest text of an attribute. Some of it comes from outside: a message id, the name of a model.
const TEXT_BYTES_MAX: usize = 256;

/// What can be said of a step.
pub trait Attribute {
    /// The value, if there is one.
    fn value(self) -> Option<Value>;
}

impl Attribute for &str {
    fn value(self) -> Option<Value> {
        let end = self.floor_char_boundary(TEXT_BYTES_MAX);
        Some(self.get(..end)?.to_owned().into())
    }
}

impl Attribute for i64 {
    fn value(self) -> Option<Value> {
        Some(self.into())
    }
}

impl Attribute for u64 {
    fn value(self) -> Option<Value> {
        Some(i64::try_from(self).unwrap_or(i64::MAX).into())
    }
}

impl Attribute for u32 {
    fn value(self) -> Option<Value> {
        Some(i64::from(self).into())
    }
}

impl Attribute for bool {
    fn value(self) -> Option<Value> {
        Some(self.into())
    }
}

impl<A: Attribute> Attribute for Option<A> {
    fn value(self) -> Option<Value> {
        self.and_then(Attribute::value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_from_outside_is_bounded() {
        let long = "ä".repeat(1_000);
        assert_eq!(
            long.as_str().value().map(|value| value.as_str().len()),
            Some(TEXT_BYTES_MAX)
        );
        assert_eq!(u64::MAX.value(), Some(Value::I64(i64::MAX)));
        assert_eq!(None::<&str>.value(), None);
    }
}
