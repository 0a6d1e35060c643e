//! An answer on its way out. Each piece goes to the caller as it comes, and is remembered: the caller's transcript gets what was
//! thought beside what was said.

use gatehouse_core::content::{Block, Content, Json, Thinking, ToolCall};
use gatehouse_proto::agent::v1::{
    RunTurnResponse, TextDelta, TextWasThinking, ThinkingDelta, ToolCallDelta, run_turn_response::Event,
};
use tokio::{sync::mpsc, time::Instant};

use crate::program::{CallPiece, Program};

/// The longest answer, and the longest thinking. A model that loops in either is stopped here.
const ANSWER_BYTES_MAX: usize = 2 * 1024 * 1024;

/// What is kept of the thinking behind one answer, for people who look back. All of it is streamed.
const THINKING_KEPT_BYTES_MAX: usize = 256 * 1024;

/// Where a turn's events go. When nobody takes them any more, the turn was cancelled.
pub(crate) type Events = mpsc::Sender<RunTurnResponse>;

/// The answer is as long as an answer may be: its provider is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// An answer as far as it was streamed.
#[derive(Debug)]
pub(crate) struct Answer {
    events: Events,
    text: String,
    thinking: String,
    /// When the first piece of the call under way came.
    first: Option<Instant>,
    /// Whether text was streamed that is no part of the answer.
    was_rewritten: bool,
    /// Whether a program reads it: each piece as its model wrote it.
    is_verbatim: bool,
    /// Whether somebody runs the tools that it calls.
    takes_calls: bool,
    calls: Vec<CallPiece>,
}

impl Answer {
    pub(crate) fn new(events: Events) -> Self {
        Self {
            events,
            text: String::new(),
            thinking: String::new(),
            first: None,
            was_rewritten: false,
            is_verbatim: false,
            takes_calls: false,
            calls: Vec::new(),
        }
    }

    /// The answer to what a program asks.
    pub(crate) fn for_program(mut self, program: Option<&Program>) -> Self {
        self.is_verbatim = program.is_some();
        self.takes_calls = program.is_some_and(Program::offers_tools);
        self
    }

    pub(crate) fn is_verbatim(&self) -> bool {
        self.is_verbatim
    }

    /// Whether it calls tools that somebody runs.
    pub(crate) fn has_calls(&self) -> bool {
        !self.calls.is_empty()
    }

    /// More of a call of a tool. One that nobody offered is no part of the answer.
    pub(crate) async fn call(&mut self, piece: CallPiece) -> Result<(), TooLong> {
        if !self.takes_calls {
            return Ok(());
        }
        self.first.get_or_insert_with(Instant::now);
        let CallPiece {
            index,
            id,
            name,
            arguments,
        } = piece;
        // Every call has an id: its result names it.
        let is_new = index >= self.calls.len();
        let id = match id {
            None if is_new => Some(format!("call_{}", index + 1)),
            id => id,
        };
        if is_new {
            self.calls.push(CallPiece {
                index,
                ..CallPiece::default()
            });
        }
        if let Some(call) = self.calls.get_mut(index) {
            call.id = call.id.take().or_else(|| id.clone());
            call.name = call.name.take().or_else(|| name.clone());
            call.arguments.push_str(&arguments);
        }
        let delta = ToolCallDelta {
            index: u32::try_from(index).unwrap_or(u32::MAX),
            id,
            name,
            arguments,
        };
        self.send(Event::ToolCallDelta(delta)).await;
        let bytes = self.calls.iter().map(|call| call.arguments.len()).sum::<usize>();
        if bytes > ANSWER_BYTES_MAX {
            Err(TooLong)
        } else {
            Ok(())
        }
    }

    /// More of the answer.
    pub(crate) async fn say(&mut self, text: String) -> Result<(), TooLong> {
        if text.is_empty() {
            return Ok(());
        }
        self.first.get_or_insert_with(Instant::now);
        self.text.push_str(&text);
        self.send(Event::TextDelta(TextDelta { text })).await;
        bounded(&self.text)
    }

    /// More of the thinking before it.
    pub(crate) async fn think(&mut self, text: String) -> Result<(), TooLong> {
        if text.is_empty() {
            return Ok(());
        }
        self.first.get_or_insert_with(Instant::now);
        self.thinking.push_str(&text);
        self.send(Event::ThinkingDelta(ThinkingDelta { text })).await;
        bounded(&self.thinking)
    }

    /// All that was said so far turned out to be thinking.
    pub(crate) async fn was_thinking(&mut self) {
        self.thinking.push_str(&std::mem::take(&mut self.text));
        self.was_rewritten = true;
        self.send(Event::TextWasThinking(TextWasThinking {})).await;
    }

    /// Something about the turn that is no part of the answer.
    pub(crate) async fn send(&self, event: Event) {
        let _ = self.events.send(RunTurnResponse { event: Some(event) }).await; // nobody listens: the turn is about to be dropped
    }

    /// When the first piece of the call that has ended came; the next call has its own.
    pub(crate) fn take_first(&mut self) -> Option<Instant> {
        self.first.take()
    }

    /// Whether a person saw anything of it, its thinking included.
    pub(crate) fn was_seen(&self) -> bool {
        !self.text.is_empty() || !self.thinking.is_empty() || self.has_calls()
    }

    /// Whether a person saw a word of the answer itself.
    pub(crate) fn was_said(&self) -> bool {
        self.was_rewritten || !self.text.trim().is_empty() || self.has_calls()
    }

    /// The next model thinks anew: what the last one thought in vain is no part of its answer.
    pub(crate) fn forget_thoughts(&mut self) {
        self.thinking.clear();
    }

    /// The whole message, when it is more than the text that was streamed.
    pub(crate) fn into_content(self) -> Option<Content> {
        let Self {
            text,
            mut thinking,
            calls,
            ..
        } = self;
        if thinking.is_empty() && calls.is_empty() {
            return None;
        }
        thinking.truncate(thinking.floor_char_boundary(THINKING_KEPT_BYTES_MAX));
        let signature = None; // no provider here signs
        let thinking = (!thinking.is_empty()).then_some(Block::Thinking(Thinking {
            text: thinking,
            signature,
        }));
        let said = (!text.is_empty()).then(|| Block::text(text));
        let calls = calls.into_iter().map(called);
        Some(thinking.into_iter().chain(said).chain(calls).collect())
    }
}

/// A call as a transcript has it. What a model wrote that is no JSON is kept as a text.
fn called(call: CallPiece) -> Block {
    let CallPiece {
        index,
        id,
        name,
        arguments,
    } = call;
    Block::ToolCall(ToolCall {
        id: id.unwrap_or_else(|| format!("call_{}", index + 1)),
        name: name.unwrap_or_default(),
        arguments: Json::written(&arguments),
        repeatable: true, // the program runs it, and knows
    })
}

fn bounded(text: &str) -> Result<(), TooLong> {
    if text.len() > ANSWER_BYTES_MAX {
        Err(TooLong)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> (Answer, mpsc::Receiver<RunTurnResponse>) {
        let (events, taken) = mpsc::channel(64);
        (Answer::new(events), taken)
    }

    #[tokio::test]
    async fn words_alone_are_no_content_and_what_was_thought_stands_before_them() {
        let (mut plain, _taken) = answer();
        plain.say("hi".to_owned()).await.unwrap();
        assert!(plain.was_seen());
        assert_eq!(plain.into_content(), None);

        let (mut thought, _taken) = answer();
        thought.think("h".to_owned()).await.unwrap();
        thought.think("m".to_owned()).await.unwrap();
        thought.say("hi".to_owned()).await.unwrap();
        assert_eq!(
            thought.into_content().unwrap().to_json(),
            r#"[{"type":"thinking","thinking":"hm"},{"type":"text","text":"hi"}]"#
        );
    }

    #[tokio::test]
    async fn a_long_thought_is_streamed_whole_and_kept_in_part() {
        let (mut long, mut taken) = answer();
        let word = "ü".repeat(THINKING_KEPT_BYTES_MAX / 2 + 9);
        long.think(word.clone()).await.unwrap();

        let Some(Event::ThinkingDelta(delta)) = taken.recv().await.unwrap().event else {
            unreachable!("the only event")
        };
        assert_eq!(delta.text, word);
        assert_eq!(long.into_content().unwrap().bytes(), THINKING_KEPT_BYTES_MAX);
    }

    #[tokio::test]
    async fn an_endless_answer_is_left() {
        let (mut endless, _taken) = answer();
        let word = "x".repeat(ANSWER_BYTES_MAX);

        assert_eq!(endless.say(word).await, Ok(()));
        assert_eq!(endless.say("x".to_owned()).await, Err(TooLong));
        assert_eq!(endless.think("x".to_owned()).await, Ok(()));
    }
}
