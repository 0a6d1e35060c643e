//! A moment, as the models know it. A bare number of milliseconds stands only where somebody else set the form: in a contract, in
//! a row, in JSON.

use std::{
    fmt::{self, Display, Formatter},
    ops::{Add, Sub},
    time::Duration,
};

use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::{Deserialize, Serialize};

/// A moment of the time of day: milliseconds since 1970. Arithmetic saturates, because the clock, the rows of an earlier process
/// and what clients send may hold any number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Before every other.
    pub const MIN: Self = Self(i64::MIN);
    /// After every other: never.
    pub const MAX: Self = Self(i64::MAX);
    /// The beginning of 1970.
    pub const EPOCH: Self = Self(0);

    /// The moment so many milliseconds after the beginning of 1970.
    #[must_use]
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn as_ms(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970; a moment before it belongs to the second that began before it.
    #[must_use]
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// So many milliseconds later, or earlier.
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// How long after `earlier` this is. Nothing, if it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Milliseconds from `earlier` to this; less than nothing, if it is before it.
    #[must_use]
    pub const fn ms_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Milliseconds of a span, as far as a number of them can be stored.
fn whole_ms(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(whole_ms(span)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(whole_ms(span)))
    }
}

impl Display for Timestamp {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.0, f)
    }
}

impl ToSql for Timestamp {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.into())
    }
}

impl FromSql for Timestamp {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        i64::column_result(value).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Timestamp;

    #[test]
    fn a_moment_plus_a_span_never_passes_the_ends_of_time() {
        let second = Duration::from_secs(1);

        assert_eq!(Timestamp::from_ms(5) + second, Timestamp::from_ms(1_005));
        assert_eq!(Timestamp::from_ms(5) - second, Timestamp::from_ms(-995));
        assert_eq!(Timestamp::MAX + second, Timestamp::MAX);
        assert_eq!(Timestamp::MIN - second, Timestamp::MIN);
        assert_eq!(Timestamp::EPOCH + Duration::MAX, Timestamp::MAX);
        assert_eq!(Timestamp::MIN.plus_ms(-1), Timestamp::MIN);
    }

    #[test]
    fn between_two_moments_is_no_span_below_nothing() {
        let (first, second) = (Timestamp::from_ms(1_000), Timestamp::from_ms(3_500));

        assert_eq!(second.since(first), Duration::from_millis(2_500));
        assert_eq!(first.since(second), Duration::ZERO);
        assert_eq!(first.ms_since(second), -2_500);
        assert_eq!(Timestamp::MAX.ms_since(Timestamp::MIN), i64::MAX);
        assert_eq!(
            Timestamp::MAX.since(Timestamp::MIN),
            Duration::from_millis(i64::MAX.unsigned_abs())
        );
    }

    #[test]
    fn a_moment_before_1970_belongs_to_the_second_that_began_before_it() {
        assert_eq!(Timestamp::from_ms(1_999).as_seconds(), 1);
        assert_eq!(Timestamp::from_ms(-1).as_seconds(), -1);
    }

    #[test]
    fn a_moment_is_a_number_in_json() {
        assert_eq!(serde_json::to_string(&Timestamp::from_ms(7)).unwrap(), "7");
        assert_eq!(
            serde_json::from_str::<Timestamp>("-7").unwrap(),
            Timestamp::from_ms(-7)
        );
    }
}
