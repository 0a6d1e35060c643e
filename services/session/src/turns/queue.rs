//! What happens to a message that comes while its session is busy.

use std::collections::BTreeMap;

use gatehouse_document::messages::{CAP_APPLIED_MAX, DEBOUNCE_MS_MAX};

use crate::config::{self, QueueDrop, QueueSection};

/// How a message joins the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueueMode {
    /// One turn for each message, in order.
    #[default]
    Followup,
    /// One turn for all that wait, after a quiet window.
    Collect,
    /// The newest message stops what runs and waits, and is next. What was stopped stays in the transcript.
    Interrupt,
}

impl QueueMode {
    /// Reads the word. `steer` is taken as `followup` until turns can be steered.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "followup" | "steer" => Some(Self::Followup),
            "collect" => Some(Self::Collect),
            "interrupt" => Some(Self::Interrupt),
            _ => None,
        }
    }

    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Followup => "followup",
            Self::Collect => "collect",
            Self::Interrupt => "interrupt",
        }
    }
}

impl From<config::QueueMode> for QueueMode {
    fn from(mode: config::QueueMode) -> Self {
        match mode {
            config::QueueMode::Steer | config::QueueMode::Followup => Self::Followup,
            config::QueueMode::Collect => Self::Collect,
            config::QueueMode::Interrupt => Self::Interrupt,
        }
    }
}

/// What gives way when a queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DropPolicy {
    /// The new message: its sender hears of it.
    #[default]
    New,
    /// The oldest message: it ends as aborted.
    Old,
}

/// The queue of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueRule {
    /// How it joins.
    pub mode: QueueMode,
    /// The quiet window of `collect`, in milliseconds.
    pub quiet_ms: i64,
    /// Messages that may wait.
    pub cap: u16,
    /// What gives way when they are more.
    pub drop: DropPolicy,
}

/// Decides: what the message says, then what the session says, then the channel, then the house.
pub fn rule(
    section: &QueueSection,
    channel: Option<&str>,
    session: Option<&str>,
    message: Option<&str>,
) -> QueueRule {
    let said = message.or(session).and_then(QueueMode::parse);
    let configured = of_channel(&section.by_channel, channel).unwrap_or(section.mode);
    let quiet_ms = of_channel(&section.debounce_ms_by_channel, channel).unwrap_or(section.debounce_ms);
    QueueRule {
        mode: said.unwrap_or(configured.into()),
        quiet_ms: quiet_ms.min(DEBOUNCE_MS_MAX).into(),
        cap: section.cap.clamp(1, CAP_APPLIED_MAX),
        drop: match section.drop {
            QueueDrop::Old => DropPolicy::Old,
            QueueDrop::Summarize | QueueDrop::New => DropPolicy::New,
        },
    }
}

/// What is configured for one channel, however its name is written.
fn of_channel<T: Copy>(values: &BTreeMap<String, T>, channel: Option<&str>) -> Option<T> {
    let channel = channel?;
    let named = |(name, _): &(&String, &T)| name.eq_ignore_ascii_case(channel);
    values.iter().find(named).map(|(_, value)| *value)
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
            rule(&section, Some("irc"), Some("followup"), None).mode,
            QueueMode::Followup
        );
        assert_eq!(
            rule(&section, Some("irc"), Some("followup"), Some("collect")).mode,
            QueueMode::Collect
        );
        assert_eq!(rule(&section, Some("irc"), None, None).quiet_ms, 50);
    }

    #[test]
    fn without_configuration_messages_wait_their_turn() {
        let rule = rule(&QueueSection::default(), None, None, None);

        assert_eq!(
            (rule.mode, rule.quiet_ms, rule.cap),
            (QueueMode::Followup, 500, 20)
        );
        assert_eq!(QueueMode::parse("steer"), Some(QueueMode::Followup));
        assert_eq!(QueueMode::parse("other"), None);
    }
}
