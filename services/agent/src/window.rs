//! What of a conversation a model is sent: as much as fits its window.
//!
//! Whole exchanges go, the oldest first: what somebody said with all that followed until the next time somebody said something. So
//! the call of a tool and its result stay together, and a conversation begins with a person, which some servers insist on. The last
//! exchange, which holds the message to answer, always stays; so does the system prompt.
//!
//! The cut moves in steps of an eighth of the room, not with every message: servers remember what they have read of a conversation as
//! long as its beginning is the same, and a beginning that moves with each turn makes a local model read everything again each time.

use std::ops::Range;

use crate::{
    request::{Message, Role},
    tokens,
};

/// What is kept free for the answer when nobody says how long it may be: what most answers do not reach, at most a quarter.
const ANSWER_TOKENS: u64 = 4_096;
const ANSWER_SHARE: u64 = 4;

/// What is kept free because tokens are estimated, in hundredths of the room: by so much an estimate may fall short
/// ([`crate::tokens`]).
const MARGIN_PERCENT: u64 = 10;

/// In so many steps the cut goes through the room.
const STEPS: u64 = 8;

/// The role of a message and the marks around it.
const MESSAGE_TOKENS: u64 = 5;

/// What a model takes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// Tokens of a conversation with its answer.
    pub(crate) tokens: u64,
    /// Tokens of the answer, where the configuration says so.
    pub(crate) answer: Option<u64>,
}

impl Window {
    /// Tokens for what is sent, as they are estimated.
    pub(crate) fn room(self) -> u64 {
        let answer = match self.answer {
            // A bound of the answer as large as the window is a way to say that there is none.
            Some(answer) => answer.min(self.tokens / 2),
            None => ANSWER_TOKENS.min(self.tokens / ANSWER_SHARE),
        };
        let room = self.tokens - answer;
        room - room / 100 * MARGIN_PERCENT - room % 100 * MARGIN_PERCENT / 100
    }

    /// The bound of the answer that still fits behind what is sent.
    pub(crate) fn answer_behind(self, sent: u64) -> Option<u64> {
        let answer = self.answer?;
        Some(answer.min(self.tokens.saturating_sub(sent)).max(1))
    }
}

/// What is sent of a conversation.
#[derive(Clone, Debug)]
pub(crate) struct Fitted<'q> {
    pub(crate) messages: Vec<&'q Message>,
    /// Messages that are not sent.
    pub(crate) left_out: usize,
    /// Tokens of what is sent, the system prompt among them, and of all that there was.
    pub(crate) sent: u64,
    pub(crate) before: u64,
}

/// Cuts a conversation to a room. Without one all of it is sent.
pub(crate) fn fit<'q>(system: Option<&str>, conversation: Vec<&'q Message>, room: Option<u64>) -> Fitted<'q> {
    let system = system.map_or(0, |prompt| MESSAGE_TOKENS + tokens::estimate(prompt));
    let exchanges = exchanges(&conversation);
    let before = system + exchanges.iter().map(|exchange| exchange.tokens).sum::<u64>();
    let kept = match room {
        Some(room) if before > room => keep(&exchanges, room.saturating_sub(system)),
        Some(_) | None => exchanges,
    };
    let sent = system + kept.iter().map(|exchange| exchange.tokens).sum::<u64>();
    let messages: Vec<&Message> = kept
        .into_iter()
        .filter_map(|exchange| conversation.get(exchange.messages))
        .flatten()
        .copied()
        .collect();
    Fitted {
        left_out: conversation.len() - messages.len(),
        messages,
        sent,
        before,
    }
}

/// What somebody said, and all that followed.
#[derive(Clone, Debug)]
struct Exchange {
    messages: Range<usize>,
    tokens: u64,
    is_answered: bool,
}

fn exchanges(conversation: &[&Message]) -> Vec<Exchange> {
    let mut exchanges: Vec<Exchange> = Vec::new();
    for (index, message) in conversation.iter().enumerate() {
        let tokens = MESSAGE_TOKENS + tokens_of(message);
        match exchanges.last_mut() {
            Some(exchange) if message.role != Role::User => {
                exchange.messages.end = index + 1;
                exchange.tokens += tokens;
                exchange.is_answered = true;
            }
            _ => exchanges.push(Exchange {
                messages: index..index + 1,
                tokens,
                is_answered: message.role != Role::User,
            }),
        }
    }
    exchanges
}

fn keep(exchanges: &[Exchange], room: u64) -> Vec<Exchange> {
    let Some((last, earlier)) = exchanges.split_last() else {
        return Vec::new();
    };
    let room = room.saturating_sub(last.tokens);
    // A message that nobody could answer because it does not fit must not cost the conversation all that was before it.
    let earlier: Vec<&Exchange> = earlier
        .iter()
        .filter(|exchange| exchange.is_answered || exchange.tokens <= room)
        .collect();
    let total: u64 = earlier.iter().map(|exchange| exchange.tokens).sum();
    let step = (room / STEPS).max(1);
    let to_drop = total.saturating_sub(room).div_ceil(step) * step;
    let mut dropped = 0;
    earlier
        .into_iter()
        .skip_while(|exchange| {
            let goes = dropped < to_drop;
            dropped += exchange.tokens;
            goes
        })
        .chain([last])
        .cloned()
        .collect()
}

fn tokens_of(message: &Message) -> u64 {
    let content = &message.content;
    let words = tokens::estimate(&content.words());
    let calls = content
        .calls()
        .map(|call| tokens::estimate(&call.name) + tokens::estimate(call.arguments.get()));
    let results = content
        .results()
        .map(|result| tokens::estimate(&result.content.words()));
    words + calls.sum::<u64>() + results.sum::<u64>()
}

#[cfg(test)]
mod tests {
    use gatehouse_core::Content;
    use proptest::prelude::*;

    use super::*;

    fn said(role: Role, words: &str) -> Message {
        Message {
            role,
            content: Content::text(words),
            provider: None,
        }
    }

    /// Twenty exchanges of about a hundred tokens each, and a question.
    fn long() -> Vec<Message> {
        let text = "all work and no play makes a dull day ".repeat(5);
        let mut conversation = Vec::new();
        for number in 0..20 {
            conversation.push(said(Role::User, &format!("{number} {text}")));
            conversation.push(said(Role::Assistant, &text));
        }
        conversation.push(said(Role::User, "and now?"));
        conversation
    }

    fn fitted(conversation: &[Message], room: u64) -> Fitted<'_> {
        fit(Some("be kind"), conversation.iter().collect(), Some(room))
    }

    #[test]
    fn what_fits_is_sent_whole_and_without_a_window_everything_is() {
        let conversation = long();

        for room in [Some(100_000), None] {
            let all = fit(None, conversation.iter().collect(), room);
            assert_eq!((all.messages.len(), all.left_out), (41, 0));
            assert_eq!(all.sent, all.before);
        }
    }

    #[test]
    fn the_oldest_exchanges_go_as_wholes_and_the_question_stays() {
        let conversation = long();

        let some = fitted(&conversation, 1_000);

        assert!(some.sent <= 1_000 && some.sent > 600, "{}", some.sent);
        assert_eq!(some.left_out + some.messages.len(), 41);
        assert_eq!(some.messages.first().unwrap().role, Role::User);
        assert_eq!(some.messages.last().unwrap().content.words(), "and now?");
    }

    #[test]
    fn the_question_stays_even_when_it_does_not_fit_itself() {
        let conversation = long();

        let only = fitted(&conversation, 1);

        assert_eq!((only.messages.len(), only.left_out), (1, 40));
    }

    #[test]
    fn calls_stay_with_their_results_and_with_the_question_of_the_turn() {
        let content = |json| Content::from_json(json).unwrap();
        let step = |role, json| Message {
            role,
            content: content(json),
            provider: None,
        };
        let call = r#"[{"type":"toolCall","id":"c1","name":"ls","arguments":{"path": "."}}]"#;
        let result = r#"[{"type":"toolResult","toolCallId":"c1","toolName":"ls","content":"empty"}]"#;
        let mut conversation = long();
        conversation.push(step(Role::Assistant, call));
        conversation.push(step(Role::Tool, result));

        let kept = fitted(&conversation, 60);

        let roles: Vec<Role> = kept.messages.iter().map(|message| message.role).collect();
        assert_eq!(roles, [Role::User, Role::Assistant, Role::Tool]);
    }

    #[test]
    fn a_huge_message_that_nobody_answered_goes_alone() {
        let mut conversation = long();
        let question = conversation.pop().unwrap();
        conversation.push(said(Role::User, &"too much of it ".repeat(2_000)));
        conversation.push(question);

        let kept = fitted(&conversation, 2_500);

        assert_eq!(kept.left_out, 1, "{}", kept.before);
    }

    #[test]
    fn the_beginning_stays_the_same_for_several_turns() {
        let mut conversation = long();
        let mut beginnings = std::collections::BTreeSet::new();
        for number in 0..16 {
            let kept = fitted(&conversation, 1_500);
            assert!(kept.sent <= 1_500);
            beginnings.insert(kept.messages.first().unwrap().content.words());
            conversation.push(said(Role::Assistant, "fine, thank you, and you?"));
            conversation.push(said(Role::User, &format!("good {number}")));
        }
        assert!(beginnings.len() <= 3, "{beginnings:?}");
    }

    #[test]
    fn a_window_keeps_room_for_the_answer_and_for_what_an_estimate_lacks() {
        let window = |tokens, answer| Window { tokens, answer };

        assert_eq!(window(4_096, None).room(), 2_765);
        assert_eq!(window(4_096, Some(96)).room(), 3_600);
        assert_eq!(window(4_096, Some(4_096)).room(), 1_844);
        assert_eq!(window(1, Some(1)).room(), 1);
        assert_eq!(window(128_000, None).room(), 111_514);
        assert_eq!(window(4_096, Some(4_096)).answer_behind(3_000), Some(1_096));
        assert_eq!(window(4_096, None).answer_behind(3_000), None);
        assert_eq!(window(10, Some(5)).answer_behind(3_000), Some(1));
    }

    proptest! {
        #[test]
        fn whatever_is_said_the_last_message_is_sent_and_the_rest_fits(
            lengths in prop::collection::vec((0_usize..3, 0_usize..400), 1..40), room in 0_u64..2_000, tokens in 1_u64..1_000_000_000, answer in prop::option::of(1_u64..1_000_000_000),
        ) {
            let roles = [Role::User, Role::Assistant, Role::Tool];
            let mut conversation: Vec<Message> = lengths.iter().map(|(role, words)| said(roles[*role], &"ab ".repeat(*words))).collect();
            conversation.push(said(Role::User, "last"));

            let kept = fit(None, conversation.iter().collect(), Some(room));

            prop_assert_eq!(kept.messages.last().unwrap().content.words(), "last");
            prop_assert!(kept.sent <= room || kept.messages.len() == 1);
            prop_assert_eq!(kept.left_out + kept.messages.len(), conversation.len());
            let room = Window { tokens, answer }.room();
            prop_assert!(room <= tokens, "{} of {}", room, tokens);
        }
    }
}
