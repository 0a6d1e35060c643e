//! What happens to a message that comes while its session is busy.

use crate::config::QueueSection;

/// Messages that may wait in one session unless configured otherwise: OpenClaw's figure.
const CAP_DEFAULT: u16 = 20;
/// The most that may be configured: all of them together must fit into one merged turn.
const CAP_MAX: u16 = 100;
/// The quiet window of `collect` unless configured otherwise, in milliseconds: OpenClaw's figure.
const QUIET_MS_DEFAULT: u32 = 500;
/// The longest quiet window: somebody waits for an answer.
const QUIET_MS_MAX: u32 = 60_000;

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
    let by_channel = channel
        .and_then(|channel| section.by_channel.get(channel))
        .map(String::as_str);
    let word = message.or(session).or(by_channel).or(section.mode.as_deref());
    let quiet = channel
        .and_then(|channel| section.debounce_ms_by_channel.get(channel))
        .copied();
    QueueRule {
        mode: word.and_then(QueueMode::parse).unwrap_or_default(),
        quiet_ms: i64::from(
            quiet
                .or(section.debounce_ms)
                .unwrap_or(QUIET_MS_DEFAULT)
                .min(QUIET_MS_MAX),
        ),
        cap: section.cap.unwrap_or(CAP_DEFAULT).clamp(1, CAP_MAX),
        drop: if section.drop.as_deref() == Some("old") {
            DropPolicy::Old
        } else {
            DropPolicy::New
        },
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
