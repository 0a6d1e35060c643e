//! `agents.defaults.heartbeat` and `agents.entries.<id>.heartbeat`: when an agent looks by itself whether there is something to do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest prompt, in bytes.
pub const PROMPT_BYTES_MAX: usize = 64 * 1024;

/// The longest interval, in milliseconds: a month.
const EVERY_MS_MAX: i64 = 31 * 24 * 3_600_000;

/// The shortest, in milliseconds: each look costs a turn.
const EVERY_MS_MIN: i64 = 60_000;

/// When an agent looks by itself whether there is something to do. What an agent does not say of its own is that of
/// `agents.defaults.heartbeat`. If any agent has one of its own, only those agents do it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Heartbeat {
    /// How often: `30m`, `6h`, `1d`; `0m`: not by itself. Unset: `30m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<String>,
    /// The hours of the day in which it looks. Unset: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_hours: Option<ActiveHours>,
    /// Who is told when there is something to say: `owner` (the first of `commands.ownerAllowFrom`), `last` (the chat that spoke last),
    /// `none`, or a channel, with `to`. Unset: `owner`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// With a channel as the target: the chat or person there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The account to tell it from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// What the agent is asked. Unset: to follow the notes in HEARTBEAT.md of its workspace, and to be quiet when there is nothing to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = PROMPT_BYTES_MAX))]
    pub prompt: Option<String>,
    /// The model, as `<provider>/<model>`. Unset: the agent's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Whether each look is a conversation of its own instead of a part of the main one. Unset: it is a part of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isolated_session: Option<bool>,
    /// The longest that a look may take, in seconds. Unset: as long as any turn of the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86_400))]
    pub timeout_seconds: Option<u32>,
}

/// Hours of the day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActiveHours {
    /// The first minute, `HH:MM`.
    pub start: String,
    /// The minute behind the last one, `HH:MM`; `24:00` is midnight. Before the start, it is that of the next day.
    pub end: String,
    /// The time zone, such as `Europe/Berlin`. Unset: that of the gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
}

impl Heartbeat {
    /// This one over another, which holds for what it does not say.
    #[must_use]
    pub fn over(&self, defaults: &Self) -> Self {
        Self {
            every: self.every.clone().or_else(|| defaults.every.clone()),
            active_hours: self
                .active_hours
                .clone()
                .or_else(|| defaults.active_hours.clone()),
            target: self.target.clone().or_else(|| defaults.target.clone()),
            to: self.to.clone().or_else(|| defaults.to.clone()),
            account_id: self.account_id.clone().or_else(|| defaults.account_id.clone()),
            prompt: self.prompt.clone().or_else(|| defaults.prompt.clone()),
            model: self.model.clone().or_else(|| defaults.model.clone()),
            isolated_session: self.isolated_session.or(defaults.isolated_session),
            timeout_seconds: self.timeout_seconds.or(defaults.timeout_seconds),
        }
    }

    /// How often, in milliseconds. `Ok(None)`: not by itself.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn every_ms(&self) -> Result<Option<i64>, &'static str> {
        const WRONG: &str =
            "is no interval from a minute to a month: write for example 30m, 6h or 1d, or 0m for none";
        let text = self.every.as_deref().unwrap_or("30m").trim(); // OpenClaw's
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or(WRONG)?;
        let (number, unit) = text.split_at(digits);
        let factor = match unit {
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(WRONG),
        };
        let number: i64 = number.parse().map_err(|_| WRONG)?;
        match number.checked_mul(factor) {
            Some(0) => Ok(None),
            Some(ms @ EVERY_MS_MIN..=EVERY_MS_MAX) => Ok(Some(ms)),
            Some(_) | None => Err(WRONG),
        }
    }
}

impl ActiveHours {
    /// The first minute of the day, and the one behind the last.
    ///
    /// # Errors
    /// What is wrong with the texts.
    pub fn minutes(&self) -> Result<(u16, u16), &'static str> {
        const WRONG: &str = "is no time of day: write for example 08:00, or 24:00 for the end of the day";
        let minute = |text: &str| {
            let (hours, minutes) = text.trim().split_once(':').ok_or(WRONG)?;
            let (hours, minutes) = (hours.parse::<u16>(), minutes.parse::<u16>());
            match (hours, minutes) {
                (Ok(24), Ok(0)) => Ok(24 * 60),
                (Ok(hours @ 0..24), Ok(minutes @ 0..60)) => Ok(hours * 60 + minutes),
                _ => Err(WRONG),
            }
        };
        Ok((minute(&self.start)?, minute(&self.end)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every(text: &str) -> Result<Option<i64>, &'static str> {
        let every = Some(text.to_owned());
        Heartbeat {
            every,
            ..Heartbeat::default()
        }
        .every_ms()
    }

    #[test]
    fn an_interval_is_from_a_minute_to_a_month_or_none() {
        assert_eq!(Heartbeat::default().every_ms(), Ok(Some(1_800_000)));
        assert_eq!(every("6h"), Ok(Some(21_600_000)));
        assert_eq!(every("0m"), Ok(None));
        for wrong in ["", "30", "10s", "40d", "-5m", "often", "99999999999999999999m"] {
            assert!(every(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn hours_are_hours_of_a_day() {
        let hours = |start: &str, end: &str| {
            let hours = ActiveHours {
                start: start.to_owned(),
                end: end.to_owned(),
                timezone: None,
            };
            hours.minutes()
        };

        assert_eq!(hours("08:00", "24:00"), Ok((480, 1440)));
        assert_eq!(hours("22:30", "6:00"), Ok((1350, 360)));
        for wrong in [("8", "9"), ("24:01", "9:00"), ("08:60", "9:00")] {
            assert!(hours(wrong.0, wrong.1).is_err(), "{wrong:?}");
        }
    }
}
