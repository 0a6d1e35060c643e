//! The connection of the one account: what the bridge tells the adapter, and what becomes of it.

use std::sync::Arc;

use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use gatehouse_core::Clock;
use gatehouse_proto::channel::v1::{
    AddReaction, Ended as WireEnded, Heard, ReactionAnswered, RunAccountRequest, RunAccountResponse,
    SendPart as WirePart, ShowTyping, WithdrawPreview, run_account_request::Message as Told,
    run_account_response::Message as Said,
};
use tokio::sync::mpsc;
use tonic::Streaming;

use super::{
    Line,
    desk::{Desk, Word},
    files::Files,
    said,
};
use crate::{
    adapter::{
        AccountKey, Adapter, Ended, InboundSink, Link, Progress, SendError, SendRequest, Shown, TYPING_MAX,
        Typing,
    },
    id::{Address, MessageId},
};

/// Parts that wait for the adapter. The bridge sends one for each chat, into at most 64 chats at a time.
const REQUESTS_MAX: usize = 128;

/// What the connection is made of.
pub(super) struct Parts {
    pub(super) key: AccountKey,
    pub(super) adapter: Arc<dyn Adapter>,
    pub(super) desk: Arc<Desk>,
    pub(super) files: Arc<Files>,
    pub(super) line: Line,
}

/// Something that is answered when it is done. The bridge bounds how many there are.
type Answer = BoxFuture<'static, Said>;

/// Runs the adapter until it ends, or until the bridge asks for the end or is gone.
pub(super) async fn run(parts: Parts, mut told: Streaming<RunAccountRequest>) {
    let Parts {
        key,
        adapter,
        desk,
        files,
        line,
    } = parts;
    let progress = Progress::heard_by(Clock::system(), desk.news.ear());
    let (requests, outgoing) = mpsc::channel(REQUESTS_MAX);
    let (hints, typing) = mpsc::channel(TYPING_MAX);
    let inbound = InboundSink::new(key, desk.clone(), progress.clone());
    let link = Link {
        inbound: inbound.clone(),
        progress: progress.clone(),
        outgoing,
        typing,
    };
    let mut connection = Connection {
        answers_by_itself: adapter.limits().liveness.is_none(),
        adapter: Arc::clone(&adapter),
        files,
        inbound,
        progress,
        requests: Some(requests),
        hints: Some(hints),
        desk: Arc::clone(&desk),
        answers: FuturesUnordered::new(),
    };
    let mut running = tokio::spawn(async move { adapter.run(link).await });
    let mut listens = true;
    let ended = loop {
        let said = tokio::select! {
            ended = &mut running => break ended.ok(),
            message = told.message(), if listens => match message {
                Ok(Some(RunAccountRequest { message })) => {
                    message.and_then(|message| connection.obey(message)).into_iter().collect()
                }
                // It has asked for the end, and hears what is said until then.
                Ok(None) if connection.requests.is_none() => {
                    listens = false;
                    Vec::new()
                }
                // The bridge is gone, and with it whoever would be told anything.
                Ok(None) | Err(_) => {
                    running.abort();
                    desk.close();
                    return;
                }
            },
            said = desk.news.next() => said,
            Some(answer) = connection.answers.next(), if !connection.answers.is_empty() => vec![answer],
        };
        for said in said {
            say(&line, said).await;
        }
    };
    // What the adapter has answered and nobody has taken yet.
    while let Some(Some(answer)) = connection.answers.next().now_or_never() {
        say(&line, answer).await;
    }
    for said in desk.news.take() {
        say(&line, said).await;
    }
    let ended = ended.unwrap_or_else(|| Ended::Retry("the adapter panicked".into()));
    let (reason, for_good) = match ended {
        Ended::Retry(reason) => (reason, false),
        Ended::Failed(reason) => (reason, true),
    };
    say(&line, Said::Ended(WireEnded { reason, for_good })).await;
    desk.close();
}

/// Says something. A bridge that hears no more is noticed where it is listened to.
async fn say(line: &Line, said: Said) {
    let message = RunAccountResponse { message: Some(said) };
    drop(line.send(Ok(message)).await);
}

struct Connection {
    /// Whether the platform is nobody to be asked: it calls us.
    answers_by_itself: bool,
    adapter: Arc<dyn Adapter>,
    files: Arc<Files>,
    inbound: InboundSink,
    progress: Progress,
    /// Closed when the account is to end.
    requests: Option<mpsc::Sender<SendRequest>>,
    hints: Option<mpsc::Sender<Typing>>,
    desk: Arc<Desk>,
    answers: FuturesUnordered<Answer>,
}

impl Connection {
    /// Does as the bridge says. What there is to answer at once is in the answer.
    fn obey(&mut self, told: Told) -> Option<Said> {
        match told {
            Told::Start(_) => {} // once is enough
            Told::Send(part) => return self.send(part),
            Told::Typing(ShowTyping { to, thread_id }) => {
                let to = Address::stored(to);
                if let Some(hints) = &self.hints {
                    drop(hints.try_send(Typing { to, thread_id })); // a hint that would have to wait is left out
                }
            }
            Told::Preview(preview) => {
                let (adapter, id, preview) = (self.adapter(), preview.id, said::preview(preview));
                self.answer(async move { said::shown(id, adapter.preview(&preview).await) });
            }
            Told::Withdraw(preview) => self.withdraw(preview),
            Told::React(reaction) => self.react(reaction),
            Told::Committed(committed) => {
                let duplicate = committed.duplicate;
                self.desk.told(committed.seq, Word::Kept { duplicate });
            }
            Told::Refused(refused) => {
                let (reason, again) = (refused.reason, refused.again);
                self.desk.told(refused.seq, Word::Refused { reason, again });
            }
            Told::Saved(saved) => {
                let word = match saved.error {
                    None => Word::Kept { duplicate: false },
                    Some(reason) => Word::Refused { reason, again: true },
                };
                self.desk.told(saved.seq, word);
            }
            Told::Http(request) => {
                let (adapter, inbound) = (self.adapter(), self.inbound.clone());
                let (id, request) = (request.id, said::request(request));
                self.answer(async move { said::http(id, adapter.http(request, &inbound).await) });
            }
            Told::Probe(_) if self.answers_by_itself => return Some(Said::Heard(Heard {})),
            Told::Probe(_) => {
                self.desk.news.is_asked();
                self.progress.ask();
            }
            Told::Stop(_) => {
                self.requests = None;
                self.hints = None;
            }
        }
        None
    }

    fn adapter(&self) -> Arc<dyn Adapter> {
        Arc::clone(&self.adapter)
    }

    fn answer(&self, answer: impl Future<Output = Said> + Send + 'static) {
        self.answers.push(answer.boxed());
    }

    /// Hands a part to the adapter. Its files go once it is answered.
    fn send(&self, wire: WirePart) -> Option<Said> {
        let id = wire.id;
        let handles: Vec<String> = wire.media.iter().map(|sent| sent.handle.clone()).collect();
        let Some(part) = said::part(wire) else {
            let error = SendError::permanent("its key is none of the outbox");
            return Some(said::answered(id, Err(error)));
        };
        let (request, answered) = SendRequest::new(part);
        // A request that is not taken answers itself: not sent, try again.
        if let Some(requests) = &self.requests {
            drop(requests.try_send(request));
        }
        let files = Arc::clone(&self.files);
        self.answer(async move {
            let result = answered.await;
            for handle in handles {
                files.forget(&handle).await;
            }
            said::answered(
                id,
                result.unwrap_or_else(|_| Err(SendError::unknown("the adapter did not answer"))),
            )
        });
        None
    }

    fn withdraw(&self, wire: WithdrawPreview) {
        let adapter = self.adapter();
        let WithdrawPreview {
            id,
            to,
            thread_id,
            shown,
        } = wire;
        self.answer(async move {
            let to = Address::stored(to);
            let taken_back = adapter.withdraw(&to, thread_id.as_deref(), &shown).await;
            said::shown(id, taken_back.map(|()| Shown::default()))
        });
    }

    fn react(&self, wire: AddReaction) {
        let adapter = self.adapter();
        let AddReaction {
            id,
            to,
            thread_id,
            message_id,
            emoji,
        } = wire;
        self.answer(async move {
            let (to, message) = (Address::stored(to), MessageId::stored(message_id));
            let reacted = adapter.react(&to, thread_id.as_deref(), &message, &emoji).await;
            Said::Reaction(ReactionAnswered {
                id,
                error: reacted.err(),
            })
        });
    }
}
