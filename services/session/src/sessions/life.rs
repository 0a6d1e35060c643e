//! When a conversation is over by itself, and which sessions are forgotten: what the configuration says, as a function of a session and the
//! time. What follows from it happens in the transaction that takes the next message.

use std::collections::BTreeMap;

use gatehouse_core::Timestamp;
use gatehouse_document::session::{IDLE_MINUTES_MAX, Reset, ResetMode};
use jiff::ToSpan;
use jiff::tz::TimeZone;

use crate::config::SessionSection;
use crate::key::SessionKey;
use crate::routing::PeerKind;

/// The hour at which a day begins: OpenClaw's.
const AT_HOUR: u8 = 4;
/// The silence that ends a conversation where nothing else is said, in minutes.
const IDLE_MINUTES: u32 = 60;

/// When conversations are over by themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Life {
    common: Rule,
    direct: Option<Rule>,
    group: Option<Rule>,
    thread: Option<Rule>,
    by_channel: BTreeMap<String, Rule>,
}

/// What ends a conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Rule {
    /// The hour at which a day begins.
    daily: Option<u8>,
    /// The silence, in milliseconds.
    idle_ms: Option<i64>,
}

/// A session, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Aged<'a> {
    pub(crate) key: &'a SessionKey,
    pub(crate) channel: Option<&'a str>,
    pub(crate) chat: Option<PeerKind>,
    /// When its transcript began.
    pub(crate) begun_at: Timestamp,
    /// When somebody said something last.
    pub(crate) talked_at: Timestamp,
}

impl Rule {
    fn read(reset: &Reset) -> Self {
        let minutes = |minutes: u32| i64::from(minutes.clamp(1, IDLE_MINUTES_MAX)) * 60_000;
        match reset.mode {
            ResetMode::None => Self::default(),
            ResetMode::Daily => Self {
                daily: Some(reset.at_hour.unwrap_or(AT_HOUR).min(23)),
                idle_ms: reset.idle_minutes.map(minutes),
            },
            ResetMode::Idle => Self {
                daily: None,
                idle_ms: Some(minutes(reset.idle_minutes.unwrap_or(IDLE_MINUTES))),
            },
        }
    }
}

impl Life {
    pub(crate) fn read(section: &SessionSection) -> Self {
        let by_type = &section.reset_by_type;
        let rule = |reset: &Option<Reset>| reset.as_ref().map(Rule::read);
        Self {
            common: Rule::read(&section.reset),
            direct: rule(&by_type.direct),
            group: rule(&by_type.group),
            thread: rule(&by_type.thread),
            by_channel: section
                .reset_by_channel
                .iter()
                .map(|(channel, reset)| (channel.to_lowercase(), Rule::read(reset)))
                .collect(),
        }
    }

    /// Whether nothing ever is over.
    pub(crate) fn is_endless(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a conversation is over, in this zone.
    pub(crate) fn is_over(&self, session: &Aged<'_>, now: Timestamp, zone: &TimeZone) -> bool {
        let Rule { daily, idle_ms } = self.rule(session);
        // A day that began in the future is one from before the clock was set back.
        let by_day = daily
            .and_then(|hour| day_begun(now, hour, zone))
            .is_some_and(|begun| session.begun_at < begun);
        let by_silence = idle_ms.is_some_and(|idle| now.ms_since(session.talked_at) >= idle);
        by_day || by_silence
    }

    fn rule(&self, session: &Aged<'_>) -> Rule {
        let channel = session.channel.map(str::to_lowercase);
        let of_channel = channel.and_then(|channel| self.by_channel.get(&channel));
        let by_type = if session.key.rest().contains(":thread:") {
            self.thread
        } else {
            match session.chat {
                Some(PeerKind::Group | PeerKind::Channel) => self.group,
                Some(PeerKind::Direct) | None => self.direct,
            }
        };
        of_channel.copied().or(by_type).unwrap_or(self.common)
    }
}

/// When the day began.
fn day_begun(now: Timestamp, hour: u8, zone: &TimeZone) -> Option<Timestamp> {
    let now = jiff::Timestamp::from_millisecond(now.as_ms())
        .ok()?
        .to_zoned(zone.clone());
    let hour = i8::try_from(hour).ok()?;
    // Where that hour is left out, the day begins behind the hole.
    let begun = |date: jiff::civil::Date| date.at(hour, 0, 0, 0).to_zoned(zone.clone()).ok();
    let today = begun(now.date())?;
    let begun = if today > now {
        begun(now.date().checked_sub(1.day()).ok()?)?
    } else {
        today
    };
    Some(Timestamp::from_ms(begun.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(section: &str) -> Life {
        Life::read(&serde_json::from_str(section).unwrap())
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::from_ms(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn over(
        life: &Life,
        (key, channel, chat): (&str, Option<&str>, Option<PeerKind>),
        begun: &str,
        talked: &str,
        now: &str,
    ) -> bool {
        let key = SessionKey::stored(key.to_owned());
        let session = Aged {
            key: &key,
            channel,
            chat,
            begun_at: at(begun),
            talked_at: at(talked),
        };
        life.is_over(&session, at(now), &TimeZone::get("Europe/Berlin").unwrap())
    }

    const MAIN: (&str, Option<&str>, Option<PeerKind>) = ("agent:main:main", None, None);

    #[test]
    fn a_day_ends_at_its_hour_on_the_clock_of_the_wall() {
        let daily = life(r#"{"reset":{"mode":"daily"}}"#);
        let begun = |begun: &str, now: &str| over(&daily, MAIN, begun, now, now);

        assert!(
            !begun("2027-01-15T03:00:00Z", "2027-01-16T02:59:59Z"),
            "3:59 of the next day in Berlin"
        );
        assert!(
            begun("2027-01-15T03:00:00Z", "2027-01-16T03:00:00Z"),
            "4 in Berlin"
        );
        assert!(begun("2027-01-15T02:59:59Z", "2027-01-15T03:00:00Z"));
        assert!(!begun("2027-01-16T03:00:00Z", "2027-01-16T03:00:00Z"));
        // The night in which the clock goes from 2 to 3.
        let early = life(r#"{"reset":{"mode":"daily","atHour":2}}"#);
        assert!(!over(
            &early,
            MAIN,
            "2027-03-27T12:00:00Z",
            "2027-03-28T00:59:00Z",
            "2027-03-28T00:59:00Z"
        ));
        assert!(over(
            &early,
            MAIN,
            "2027-03-27T12:00:00Z",
            "2027-03-28T01:00:00Z",
            "2027-03-28T01:00:00Z"
        ));
    }

    #[test]
    fn silence_ends_a_conversation_and_the_first_of_two_reasons_is_enough() {
        let idle = life(r#"{"reset":{"mode":"idle","idleMinutes":10}}"#);
        let both = life(r#"{"reset":{"mode":"daily","idleMinutes":10}}"#);
        let (noon, soon, later) = (
            "2027-01-15T12:00:00Z",
            "2027-01-15T12:09:59Z",
            "2027-01-15T12:10:00Z",
        );

        for life in [&idle, &both] {
            assert!(!over(life, MAIN, noon, noon, soon));
            assert!(over(life, MAIN, noon, noon, later));
        }
        let next_day = "2027-01-16T12:00:00Z";
        assert!(!over(&idle, MAIN, noon, next_day, next_day));
        assert!(over(&both, MAIN, noon, next_day, next_day));
        assert!(life("{}").is_endless() && !idle.is_endless());
    }

    #[test]
    fn the_channel_goes_before_the_kind_and_the_kind_before_the_rest() {
        let minutes = |minutes: u32| format!(r#"{{"mode":"idle","idleMinutes":{minutes}}}"#);
        let rules = life(&format!(
            r#"{{"reset":{},"resetByType":{{"direct":{},"group":{},"thread":{}}},"resetByChannel":{{"IRC":{{"mode":"none"}}}}}}"#,
            minutes(1),
            minutes(2),
            minutes(3),
            minutes(4),
        ));
        let ends = |session| {
            (1..=5).find(|minute| {
                let now = format!("2027-01-15T12:0{minute}:00Z");
                over(
                    &rules,
                    session,
                    "2027-01-15T12:00:00Z",
                    "2027-01-15T12:00:00Z",
                    &now,
                )
            })
        };

        assert_eq!(ends(MAIN), Some(2));
        let group = Some(PeerKind::Group);
        assert_eq!(ends(("agent:main:slack:group:a", Some("slack"), group)), Some(3));
        assert_eq!(
            ends(("agent:main:slack:group:a:thread:1", Some("slack"), group)),
            Some(4)
        );
        assert_eq!(ends(("agent:main:irc:group:a", Some("irc"), group)), None);
        let only_common = life(&format!(r#"{{"reset":{}}}"#, minutes(1)));
        assert!(over(
            &only_common,
            ("agent:main:x", Some("irc"), group),
            "2027-01-15T12:00:00Z",
            "2027-01-15T12:00:00Z",
            "2027-01-15T12:01:00Z"
        ));
    }
}
