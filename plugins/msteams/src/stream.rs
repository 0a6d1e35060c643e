//! An answer that is shown while it is written: Teams' own streams, in chats of two. A stream is begun, goes on with the whole text so far,
//! and is ended by the message that stays. Each step carries a number, and a text that does not begin with the one before is refused.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::Instant;

/// Teams ends a stream after two minutes: nothing is added in the last seconds, which are the final message's.
pub(crate) const LASTS: Duration = Duration::from_secs(110);
/// Streams that are kept. One is open for each chat that is being answered; the oldest is forgotten beyond this.
const STREAMS_MAX: usize = 1_000;

/// The next step of a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// This is to be sent.
    Send(Value),
    /// Nothing changes: the text is not a longer one, or the stream's time is over.
    Keep,
}

#[derive(Debug)]
struct Open {
    sequence: u32,
    text: String,
    since: Instant,
}

/// The streams that are open.
#[derive(Debug, Default)]
pub struct Streams(Mutex<HashMap<String, Open>>);

impl Streams {
    /// The first step: Teams answers with the stream's id.
    #[must_use]
    pub fn first(text: &str) -> Value {
        activity(None, 1, text)
    }

    /// Teams gave it this id.
    pub fn opened(&self, id: &str, text: &str) {
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if streams.len() >= STREAMS_MAX
            && let Some(oldest) = streams
                .iter()
                .min_by_key(|(_, open)| open.since)
                .map(|(id, _)| id.clone())
        {
            streams.remove(&oldest);
        }
        let open = Open {
            sequence: 1,
            text: text.to_owned(),
            since: Instant::now(),
        };
        streams.insert(id.to_owned(), open);
    }

    /// A step that shows this text.
    pub fn next(&self, id: &str, text: &str) -> Step {
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(open) = streams.get_mut(id) else {
            return Step::Keep;
        };
        let is_longer = text.len() > open.text.len() && text.starts_with(&open.text);
        if !is_longer || open.since.elapsed() >= LASTS {
            return Step::Keep;
        }
        open.sequence += 1;
        text.clone_into(&mut open.text);
        Step::Send(activity(Some(id), open.sequence, text))
    }

    /// What it shows. `None`: it is not known.
    #[must_use]
    pub fn text(&self, id: &str) -> Option<String> {
        let streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        streams.get(id).map(|open| open.text.clone())
    }

    /// It is over.
    pub fn ended(&self, id: &str) {
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        streams.remove(id);
    }
}

fn activity(id: Option<&str>, sequence: u32, text: &str) -> Value {
    let mut info = json!({ "type": "streaminfo", "streamType": "streaming", "streamSequence": sequence });
    if let Some(id) = id {
        info["streamId"] = json!(id);
    }
    json!({ "type": "typing", "text": text, "textFormat": "markdown", "entities": [info] })
}

/// Turns a message into the end of a stream.
#[must_use]
pub fn last(id: &str, mut message: Value) -> Value {
    message["entities"] = json!([{ "type": "streaminfo", "streamType": "final", "streamId": id }]);
    message
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::time;

    use super::{LASTS, Step, Streams, last};

    fn sequence(step: &Step) -> Option<u64> {
        let Step::Send(activity) = step else { return None };
        activity.pointer("/entities/0/streamSequence")?.as_u64()
    }

    #[tokio::test(start_paused = true)]
    async fn each_step_is_numbered_and_shows_all_that_was_said() {
        let streams = Streams::default();
        assert_eq!(
            Streams::first("Tea")["entities"],
            json!([{"type": "streaminfo", "streamType": "streaming", "streamSequence": 1}])
        );

        streams.opened("s1", "Tea");

        assert_eq!(sequence(&streams.next("s1", "Tea is")), Some(2));
        assert_eq!(sequence(&streams.next("s1", "Tea is hot")), Some(3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_text_that_was_rewritten_is_left_for_the_final_message() {
        let streams = Streams::default();
        streams.opened("s1", "Tea is");

        assert_eq!(streams.next("s1", "Coffee is hot"), Step::Keep);
        assert_eq!(streams.next("s1", "Tea is"), Step::Keep);
        assert_eq!(
            sequence(&streams.next("s1", "Tea is hot")),
            Some(2),
            "no number is left out"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_is_left_alone_shortly_before_teams_ends_it() {
        let streams = Streams::default();
        streams.opened("s1", "Tea");

        time::advance(LASTS).await;

        assert_eq!(streams.next("s1", "Tea is"), Step::Keep);
    }

    #[test]
    fn a_stream_that_is_not_known_is_not_continued() {
        let streams = Streams::default();
        assert_eq!(streams.next("s1", "Tea"), Step::Keep);
    }

    #[tokio::test(start_paused = true)]
    async fn streams_that_nobody_ends_are_bounded() {
        let streams = Streams::default();
        for number in 0..=super::STREAMS_MAX {
            time::advance(std::time::Duration::from_millis(1)).await;
            streams.opened(&number.to_string(), "Tea");
        }

        assert_eq!(streams.next("0", "Tea is"), Step::Keep, "the oldest is forgotten");
        assert!(matches!(streams.next("1000", "Tea is"), Step::Send(_)));
    }

    #[test]
    fn the_message_that_stays_names_the_stream_and_no_number() {
        let message = last("s1", json!({"type": "message", "text": "Tea is hot"}));

        assert_eq!(
            message,
            json!({
                "type": "message", "text": "Tea is hot",
                "entities": [{"type": "streaminfo", "streamType": "final", "streamId": "s1"}],
            })
        );
    }
}
