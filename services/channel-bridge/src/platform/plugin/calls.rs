//! What a plugin was asked and has not answered yet.

use std::collections::HashMap;

use gatehouse_proto::channel::v1::{
    AddReaction, HttpAnswered, PartAnswered, PreviewAnswered, ReactionAnswered, SendPart as WirePart,
    SentMedia, ShowPreview, TakeHttp, WithdrawPreview, run_account_request::Message,
};
use tokio::sync::oneshot;

use super::wire;
use crate::adapter::{PreviewError, SendRequest, Shown};

/// Questions without an answer. A few chats are sent to at once, so this many means that a plugin answers none.
const WAITING_MAX: usize = 512;
/// Requests of the platform among them: each may hold a body of a mebibyte.
const HTTP_MAX: usize = 16;

/// A question that comes from outside of the connection.
#[derive(Debug)]
pub(super) enum Ask {
    Preview(ShowPreview, oneshot::Sender<Result<Shown, PreviewError>>),
    Withdraw(WithdrawPreview, oneshot::Sender<Result<Shown, PreviewError>>),
    React(AddReaction, oneshot::Sender<Result<(), String>>),
    Http(TakeHttp, oneshot::Sender<HttpAnswered>),
}

/// Who waits for an answer.
#[derive(Debug)]
enum Waiting {
    Part(Box<SendRequest>),
    Preview(oneshot::Sender<Result<Shown, PreviewError>>),
    Reaction(oneshot::Sender<Result<(), String>>),
    Http(oneshot::Sender<HttpAnswered>),
}

impl Waiting {
    fn is_over(&self) -> bool {
        match self {
            Self::Part(request) => request.abandoned(),
            Self::Preview(answer) => answer.is_closed(),
            Self::Reaction(answer) => answer.is_closed(),
            Self::Http(answer) => answer.is_closed(),
        }
    }
}

/// The plugin answers nothing, or something else than what it was asked.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum Nonsense {
    #[error("it leaves {WAITING_MAX} questions without an answer")]
    Silent,
    #[error("it answered a question of one kind with another kind of answer")]
    Mixed,
}

/// The questions of one connection. Dropped, each is answered as its kind is when a connection ends.
#[derive(Debug, Default)]
pub(super) struct Calls {
    last: u64,
    waiting: HashMap<u64, Waiting>,
}

impl Calls {
    /// A part that is about to leave.
    pub(super) fn send(
        &mut self,
        mut request: SendRequest,
        media: Vec<SentMedia>,
    ) -> Result<Message, Nonsense> {
        let part = request.part();
        let mut wire = WirePart {
            id: 0,
            key: part.key.clone(),
            to: part.to.as_str().to_owned(),
            thread_id: part.thread_id.clone(),
            reply_to_id: part.reply_to_id.as_ref().map(|id| id.as_str().to_owned()),
            text: part.text.clone(),
            media,
            replaces: part.replaces.clone(),
            created_at: part.created_at.as_ms(),
            choices: part.choices.iter().cloned().map(Into::into).collect(),
        };
        request.begin();
        wire.id = self.wait(Waiting::Part(Box::new(request)))?;
        Ok(Message::Send(wire))
    }

    /// A question from outside. `None`: it is refused, by dropping who waits for it.
    pub(super) fn ask(&mut self, ask: Ask) -> Result<Option<Message>, Nonsense> {
        Ok(Some(match ask {
            Ask::Preview(mut wire, answer) => {
                wire.id = self.wait(Waiting::Preview(answer))?;
                Message::Preview(wire)
            }
            Ask::Withdraw(mut wire, answer) => {
                wire.id = self.wait(Waiting::Preview(answer))?;
                Message::Withdraw(wire)
            }
            Ask::React(mut wire, answer) => {
                wire.id = self.wait(Waiting::Reaction(answer))?;
                Message::React(wire)
            }
            Ask::Http(mut wire, answer) => {
                self.waiting.retain(|_, waiting| !waiting.is_over());
                let requests = self
                    .waiting
                    .values()
                    .filter(|waiting| matches!(waiting, Waiting::Http(_)));
                if requests.count() >= HTTP_MAX {
                    return Ok(None);
                }
                wire.id = self.wait(Waiting::Http(answer))?;
                Message::Http(wire)
            }
        }))
    }

    pub(super) fn part(&mut self, answered: PartAnswered) -> Result<(), Nonsense> {
        match self.waiting.remove(&answered.id) {
            Some(Waiting::Part(request)) => request.answer(wire::part(answered)),
            Some(_) => return Err(Nonsense::Mixed),
            None => {} // nobody waits for it any more
        }
        Ok(())
    }

    pub(super) fn preview(&mut self, answered: PreviewAnswered) -> Result<(), Nonsense> {
        match self.waiting.remove(&answered.id) {
            Some(Waiting::Preview(answer)) => drop(answer.send(wire::preview(answered))),
            Some(_) => return Err(Nonsense::Mixed),
            None => {}
        }
        Ok(())
    }

    pub(super) fn reaction(&mut self, answered: ReactionAnswered) -> Result<(), Nonsense> {
        match self.waiting.remove(&answered.id) {
            Some(Waiting::Reaction(answer)) => {
                let result = answered.error.map_or(Ok(()), |error| Err(wire::because(&error)));
                drop(answer.send(result));
            }
            Some(_) => return Err(Nonsense::Mixed),
            None => {}
        }
        Ok(())
    }

    pub(super) fn http(&mut self, answered: HttpAnswered) -> Result<(), Nonsense> {
        match self.waiting.remove(&answered.id) {
            Some(Waiting::Http(answer)) => drop(answer.send(answered)),
            Some(_) => return Err(Nonsense::Mixed),
            None => {}
        }
        Ok(())
    }

    fn wait(&mut self, waiting: Waiting) -> Result<u64, Nonsense> {
        if self.waiting.len() >= WAITING_MAX {
            self.waiting.retain(|_, waiting| !waiting.is_over());
        }
        if self.waiting.len() >= WAITING_MAX {
            return Err(Nonsense::Silent);
        }
        self.last += 1;
        self.waiting.insert(self.last, waiting);
        Ok(self.last)
    }
}
