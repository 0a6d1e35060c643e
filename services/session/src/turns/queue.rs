//! What happens to a message that comes while its session is busy.

use std::collections::BTreeMap;

use gatehouse_document::messages::{CAP_APPLIED_MAX, DEBOUNCE_MS_MAX};

use crate::config::{self, QueueDrop, QueueSection};
use crate::error::Error;

/// How a message joins the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum QueueMode {
    /// What runs takes it in before its next call of a model, and answers it. What cannot be taken in is a turn of its own, in order.
    #[default]
    Steer,
    /// One turn for each message, in order.
    Followup,
    /// One turn for all that wait, after a quiet window.
    Collect,
    /// The newest message stops what runs and waits, and is next. What was stopped stays in the transcript.
    Interrupt,
}

impl QueueMode {
    pub(crate) fn parse(word: &str) -> Option<Self> {
        match word {
            "followup" => Some(Self::Followup),
            "steer" => Some(Self::Steer),
            "collect" => Some(Self::Collect),
            "interrupt" => Some(Self::Interrupt),
            _ => None,
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Followup => "followup",
            Self::Steer => "steer",
            Self::Collect => "collect",
            Self::Interrupt => "interrupt",
        }
    }
}

impl From<config::QueueMode> for QueueMode {
    fn from(mode: config::QueueMode) -> Self {
        match mode {
            config::QueueMode::Steer => Self::Steer,
            config::QueueMode::Followup => Self::Followup,
            config::QueueMode::Collect => Self::Collect,
            config::QueueMode::Interrupt => Self::Interrupt,
        }
    }
}

/// What gives way when a queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum DropPolicy {
    /// The new message: its sender hears of it.
    #[default]
    New,
    /// The oldest message: it ends as aborted.
    Old,
    /// None in a chat, where two that wait are answered together, as far as that goes. Elsewhere the new message.
    Summarize,
}

/// The queue of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueueRule {
    pub(crate) mode: QueueMode,
    /// The quiet window of `collect`, in milliseconds.
    pub(crate) quiet_ms: i64,
    /// Messages that may wait.
    pub(crate) cap: u16,
    /// What gives way when they are more.
    pub(crate) drop: DropPolicy,
}

/// Decides: what the message says, then what the session says, then the channel, then the whole gateway.
pub(crate) fn rule(
    section: &QueueSection,
    channel: Option<&str>,
    session: Option<QueueMode>,
    message: Option<QueueMode>,
) -> QueueRule {
    let configured = of_channel(&section.by_channel, channel).unwrap_or(section.mode);
    let quiet_ms = of_channel(&section.debounce_ms_by_channel, channel).unwrap_or(section.debounce_ms);
    QueueRule {
        mode: message.or(session).unwrap_or(configured.into()),
        quiet_ms: quiet_ms.min(DEBOUNCE_MS_MAX).into(),
        cap: section.cap.clamp(1, CAP_APPLIED_MAX),
        drop: match section.drop {
            QueueDrop::Old => DropPolicy::Old,
            QueueDrop::New => DropPolicy::New,
            QueueDrop::Summarize => DropPolicy::Summarize,
        },
    }
}

/// What is configured for one channel, however its name is written.
fn of_channel<T: Copy>(values: &BTreeMap<String, T>, channel: Option<&str>) -> Option<T> {
    let channel = channel?;
    let named = |(name, _): &(&String, &T)| name.eq_ignore_ascii_case(channel);
    values.iter().find(named).map(|(_, value)| *value)
}

/// What a caller wrote where a queue mode is meant.
impl TryFrom<String> for QueueMode {
    type Error = Error;

    fn try_from(word: String) -> Result<Self, Error> {
        Self::parse(&word).ok_or(Error::Field {
            path: "/queueMode",
            problem: "is not steer, followup, collect or interrupt",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_wins() {
        let section: QueueSection = serde_json::from_str(
            r#"{"mode":"collect","byChannel":{"irc":"interrupt"},"debounceMsByChannel":{"irc":50}}"#,
        )
        .unwrap();

        assert_eq!(rule(&section, None, None, None).mode, QueueMode::Collect);
        assert_eq!(rule(&section, Some("irc"), None, None).mode, QueueMode::Interrupt);
        assert_eq!(
            rule(&section, Some("irc"), Some(QueueMode::Followup), None).mode,
            QueueMode::Followup
        );
        assert_eq!(
            rule(
                &section,
                Some("irc"),
                Some(QueueMode::Followup),
                Some(QueueMode::Collect)
            )
            .mode,
            QueueMode::Collect
        );
        assert_eq!(rule(&section, Some("irc"), None, None).quiet_ms, 50);
    }

    #[test]
    fn without_configuration_messages_steer_what_runs() {
        let rule = rule(&QueueSection::default(), None, None, None);

        assert_eq!((rule.mode, rule.quiet_ms, rule.cap), (QueueMode::Steer, 500, 20));
        assert_eq!(QueueMode::parse("steer"), Some(QueueMode::Steer));
        assert_eq!(QueueMode::parse("other"), None);
    }
}
