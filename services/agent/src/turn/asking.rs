//! One model of one turn, and the request that it is sent.

use gatehouse_proto::agent::v1::ContextTrimmed;
use serde_json::Value;

use crate::{
    config::{self, Settings},
    lessons::Lesson,
    provider::openai::{
        Endpoint,
        body::{self, Asked},
    },
    request::{Message, ModelName, Question},
    window::{self, Fitted},
};

/// One model of one turn, as it is asked.
pub(super) struct Asking<'t> {
    pub(super) name: &'t ModelName,
    pub(super) entry: &'t config::Provider,
    pub(super) endpoint: Endpoint,
    pub(super) settings: Settings,
    pub(super) question: &'t Question,
    pub(super) conversation: Vec<&'t Message>,
    pub(super) lesson: Lesson,
    /// Messages that were left out when the caller was last told of it.
    pub(super) told_left_out: usize,
    /// Whether less was sent already because a provider said that it was too much.
    pub(super) is_cut: bool,
    /// Whether a shorter answer was asked for already because a provider said that it was too long.
    pub(super) is_bounded: bool,
}

/// A request that is about to be sent.
pub(super) struct Prepared {
    pub(super) body: Value,
    /// Tokens of the conversation in it, as they are estimated.
    pub(super) sent: u64,
    /// The bound of the answer in it, where it is the one that the configuration or what was learned says.
    pub(super) bound: Option<u64>,
    pub(super) trimmed: Option<ContextTrimmed>,
}

impl<'t> Asking<'t> {
    /// What of the conversation fits into a room.
    pub(super) fn fitted(&self, room: Option<u64>) -> Fitted<'t> {
        window::fit(
            self.question.system_prompt.as_deref(),
            self.conversation.clone(),
            room,
        )
    }

    /// The tokens for what is sent, as far as anybody knows.
    fn room(&self) -> Option<u64> {
        let configured = self.settings.window.map(window::Window::room);
        match (configured, self.lesson.room) {
            (Some(configured), Some(learned)) => Some(configured.min(learned)),
            (configured, learned) => configured.or(learned),
        }
    }

    pub(super) fn prepare(&mut self) -> Prepared {
        let fitted = self.fitted(self.room());
        let window = self.settings.window;
        let asked = Asked {
            model: &self.name.model,
            settings: &self.settings,
            lesson: self.lesson,
            max_tokens: self.settings.max_tokens.map(|most| {
                let fits = window.and_then(|window| window.answer_behind(fitted.sent));
                let bounds = [fits, self.lesson.answer];
                bounds.into_iter().flatten().fold(most, u64::min)
            }),
            thinking: self.question.thinking.as_deref(),
            shelf: &self.question.shelf,
            is_openai: self.endpoint.is_openai(),
            program: self.question.program.as_ref(),
        };
        let body = body::of(&asked, self.question.system_prompt.as_deref(), &fitted.messages);
        let sent = body.get(body::word(asked.max_tokens_field()));
        let sent = sent.and_then(Value::as_u64);
        let bound = asked.max_tokens.filter(|bound| sent == Some(*bound));
        let is_news = fitted.left_out > 0 && fitted.left_out != self.told_left_out;
        self.told_left_out = fitted.left_out;
        let number = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX);
        Prepared {
            body,
            sent: fitted.sent,
            bound,
            trimmed: is_news.then(|| ContextTrimmed {
                provider: self.name.provider.clone(),
                model: self.name.model.clone(),
                messages_left_out: i64::try_from(fitted.left_out).unwrap_or(i64::MAX),
                tokens_sent: number(fitted.sent),
                tokens_before: number(fitted.before),
                context_window: window.map(|window| number(window.tokens)),
            }),
        }
    }

    /// What the request was like, for who learns from its refusal.
    pub(super) fn asked(&self) -> Asked<'_> {
        Asked {
            model: &self.name.model,
            settings: &self.settings,
            lesson: self.lesson,
            max_tokens: self.settings.max_tokens,
            thinking: self.question.thinking.as_deref(),
            shelf: &self.question.shelf,
            is_openai: self.endpoint.is_openai(),
            program: self.question.program.as_ref(),
        }
    }
}
