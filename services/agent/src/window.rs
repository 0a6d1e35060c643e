//! What of a conversation a model is sent: as much as fits its window.
//!
//! Whole exchanges go, the oldest first: what somebody said with all that followed until the next time somebody said something. So
//! the call of a tool and its result stay together, and a conversation begins with a person, which some servers insist on. The last
//! exchange, which holds the message to answer, always stays; so does the system prompt.
//!
//! The cut moves in steps of an eighth of the room, not with every message: servers remember what they have read of a conversation as
//! long as its beginning is the same, and a beginning that moves with each turn makes a local model read everything again each time.

use std::ops::Range;

use gatehouse_core::content::{Block, MediaKind};

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

/// A picture: what providers count for one of about a megapixel, to which they shrink larger ones.
const IMAGE_TOKENS: u64 = 1_200;

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
    let pictures = content.blocks().iter().filter(|block| match block {
        Block::Media(media) => media.kind() == MediaKind::Image,
        _ => false,
    });
    let pictures = IMAGE_TOKENS * pictures.count() as u64;
    words + pictures + calls.sum::<u64>() + results.sum::<u64>()
}

#[cfg(test)]
mod tests;
