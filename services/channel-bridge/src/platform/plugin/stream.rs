//! The stream of one account, from its start to its end.
//!
//! One task reads and writes it. What was heard waits in a short queue and is committed one after the other, so that a slow disk holds up
//! neither receipts nor the plugin's reading; when the queue is full nothing more is read, and the plugin waits.

use std::{collections::VecDeque, time::Duration};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use gatehouse_core::{Clock, client::Peer};
use gatehouse_proto::channel::v1::{
    Inbound, InboundCommitted, InboundRefused, Probe, Reported, RunAccountRequest, RunAccountResponse,
    SaveState, SentMedia, ShowTyping, StartAccount, StateSaved, StopAccount,
    channel_adapter_client::ChannelAdapterClient, run_account_request::Message as Told,
    run_account_response::Message as Heard,
};
use tokio::{
    sync::mpsc,
    time::{self, Instant},
};
use tonic::{Code, Status};

use super::{
    calls::{Ask, Calls},
    login,
    media::{self, MESSAGE_BYTES_MAX},
    report, wire,
};
use crate::{
    account::AccountState,
    adapter::{AccountKey, Ended, InboundSink, Link, ReceiveError, Received, SendError, SendRequest, Typing},
    media::MediaReader,
    platform::web::file,
};

/// What the account remembers, under one name.
pub(super) const STATE: &str = "plugin";
/// Messages on their way to the plugin. One that reads finds none waiting.
const TOLD_MAX: usize = 16;
/// How long a plugin may leave them unread.
const READ_WITHIN: Duration = Duration::from_secs(10);
/// What was heard and is not committed: what the contract says.
const WORK_MAX: usize = 64;
/// A plugin of which nothing was heard for so long is asked.
const PROBE_AFTER: Duration = Duration::from_secs(30);
/// Messages of one plugin in a second. A busy platform says a hundred; what comes beyond is read in the next second.
const RATE_MAX: u32 = 2_000;
const SECOND: Duration = Duration::from_secs(1);
/// Longest value that an account remembers. The contract has the same bound.
const STATE_BYTES_MAX: usize = 64 * 1_024;

/// Whose stream it is.
pub(super) struct Account<'a> {
    pub(super) peer: &'a Peer,
    pub(super) key: &'a AccountKey,
    pub(super) clock: &'a Clock,
    pub(super) state: &'a AccountState,
    pub(super) media: &'a MediaReader,
    pub(super) typing: bool,
}

/// Something to be committed.
enum Work {
    Inbound(Box<Inbound>),
    Save(SaveState),
    Reported(Reported),
}

/// A part whose files the plugin has, or not.
type Handed = (SendRequest, Result<Vec<SentMedia>, SendError>);

/// Runs the stream until it ends.
pub(super) async fn run(
    account: Account<'_>,
    start: StartAccount,
    mut link: Link,
    mut asked: mpsc::Receiver<Ask>,
) -> Ended {
    let (told, mut waiting) = mpsc::channel(TOLD_MAX);
    let line = Line(told);
    if let Err(ended) = line.tell(Told::Start(start)).await {
        return ended;
    }
    let body = futures::stream::poll_fn(move |context| waiting.poll_recv(context));
    let mut client =
        ChannelAdapterClient::new(account.peer.service()).max_decoding_message_size(MESSAGE_BYTES_MAX);
    let opened = tokio::select! {
        opened = client.run_account(body) => opened,
        () = closed(&mut link) => return Ended::Retry("asked to end".into()),
    };
    let mut heard = match opened {
        Ok(opened) => opened.into_inner(),
        Err(status) => return over(&status),
    };
    let mut running = Running {
        line,
        account,
        inbound: link.inbound.clone(),
        calls: Calls::default(),
        work: VecDeque::new(),
    };
    let mut committing: Option<BoxFuture<'_, Told>> = None;
    let mut handing: FuturesUnordered<BoxFuture<'_, Handed>> = FuturesUnordered::new();
    let mut questions = link.progress.questions();
    let mut pace = Pace::new();
    let mut probe_at = Instant::now() + PROBE_AFTER;
    loop {
        if committing.is_none() {
            committing = running.next_commit();
        }
        let reads = running.work.len() < WORK_MAX && !pace.is_over();
        let step = tokio::select! {
            request = link.outgoing.recv() => match request {
                None => {
                    let _ = running.line.tell(Told::Stop(StopAccount {})).await;
                    drop(running.line);
                    rest(heard).await;
                    return Ended::Retry("asked to end".into());
                }
                Some(request) if request.abandoned() => Ok(()),
                Some(request) if request.part().media.is_empty() => running.send(request, Vec::new()).await,
                Some(request) => {
                    handing.push(hand_over(&running.account, request));
                    Ok(())
                }
            },
            Some((request, handed)) = handing.next(), if !handing.is_empty() => match handed {
                // Nobody waits for it any more, so it must not begin.
                Ok(_) if request.abandoned() => Ok(()),
                Ok(media) => running.send(request, media).await,
                Err(error) => {
                    request.answer(Err(error));
                    Ok(())
                }
            },
            Some(hint) = link.typing.recv() => {
                running.hint(hint);
                Ok(())
            }
            Some(ask) = asked.recv() => running.ask(ask).await,
            done = commit(&mut committing) => {
                committing = None;
                running.line.tell(done).await
            }
            message = heard.message(), if reads => match message {
                Ok(Some(RunAccountResponse { message })) => {
                    pace.count();
                    probe_at = Instant::now() + PROBE_AFTER;
                    link.progress.heard();
                    running.hear(message, &link)
                }
                Ok(None) => return Ended::Retry("its plugin closed the stream".into()),
                Err(status) => return over(&status),
            },
            () = time::sleep_until(pace.next()), if pace.is_over() => Ok(()),
            Ok(()) = questions.changed() => running.line.tell(Told::Probe(Probe {})).await,
            () = time::sleep_until(probe_at) => {
                probe_at = Instant::now() + PROBE_AFTER;
                running.line.tell(Told::Probe(Probe {})).await
            }
        };
        if let Err(ended) = step {
            return ended;
        }
    }
}

/// What leads to the plugin.
struct Line(mpsc::Sender<RunAccountRequest>);

impl Line {
    async fn tell(&self, message: Told) -> Result<(), Ended> {
        let message = RunAccountRequest {
            message: Some(message),
        };
        match time::timeout(READ_WITHIN, self.0.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Ended::Retry("its plugin closed the stream".into())),
            Err(_) => Err(Ended::Retry(format!(
                "its plugin has not read for {} seconds what it is told",
                READ_WITHIN.as_secs()
            ))),
        }
    }
}

/// A stream that is open.
struct Running<'a> {
    line: Line,
    account: Account<'a>,
    inbound: InboundSink,
    calls: Calls,
    work: VecDeque<Work>,
}

impl<'a> Running<'a> {
    async fn send(&mut self, request: SendRequest, media: Vec<SentMedia>) -> Result<(), Ended> {
        let message = self.calls.send(request, media).map_err(nonsense)?;
        self.line.tell(message).await
    }

    async fn ask(&mut self, ask: Ask) -> Result<(), Ended> {
        match self.calls.ask(ask).map_err(nonsense)? {
            Some(message) => self.line.tell(message).await,
            None => Ok(()),
        }
    }

    /// A hint that would have to wait is left out.
    fn hint(&self, hint: Typing) {
        let message = Told::Typing(ShowTyping {
            to: hint.to.as_str().to_owned(),
            thread_id: hint.thread_id,
        });
        if self.account.typing {
            let message = RunAccountRequest {
                message: Some(message),
            };
            drop(self.line.0.try_send(message));
        }
    }

    fn hear(&mut self, message: Option<Heard>, link: &Link) -> Result<(), Ended> {
        match message {
            Some(Heard::Connected(_)) => link.progress.connected(),
            Some(Heard::Heard(_)) | None => {}
            Some(Heard::Login(wanted)) => {
                if let Some(login) = login::read(wanted) {
                    link.progress.wants_login(login);
                }
            }
            Some(Heard::Remarked(remarked)) => {
                if let Some(wire::Happened { chat, by, remark }) = wire::remark(remarked) {
                    let by: Vec<&str> = by.iter().map(String::as_str).collect();
                    self.inbound.remark(&chat, &by, remark);
                }
            }
            Some(Heard::Notice(notice)) => {
                let text = notice.text.as_deref().map(super::said);
                link.progress.notice(wire::topic(notice.topic), text);
            }
            Some(Heard::Rooms(rooms)) => link.progress.show_rooms(wire::rooms(rooms.rooms)),
            Some(Heard::Inbound(inbound)) => self.work.push_back(Work::Inbound(inbound)),
            Some(Heard::Save(save)) => self.work.push_back(Work::Save(save)),
            Some(Heard::Reported(said)) => self.work.push_back(Work::Reported(said)),
            Some(Heard::Part(answered)) => self.calls.part(answered).map_err(nonsense)?,
            Some(Heard::Preview(answered)) => self.calls.preview(answered).map_err(nonsense)?,
            Some(Heard::Reaction(answered)) => self.calls.reaction(answered).map_err(nonsense)?,
            Some(Heard::Http(answered)) => self.calls.http(answered).map_err(nonsense)?,
            Some(Heard::Ended(ended)) => {
                let reason = wire::because(&ended.reason);
                return Err(if ended.for_good {
                    Ended::Failed(reason)
                } else {
                    Ended::Retry(reason)
                });
            }
        }
        Ok(())
    }

    /// Begins to commit what was heard next.
    fn next_commit(&mut self) -> Option<BoxFuture<'a, Told>> {
        let (inbound, clock, state) = (
            self.inbound.clone(),
            self.account.clock.clone(),
            self.account.state.clone(),
        );
        Some(match self.work.pop_front()? {
            Work::Inbound(said) => take(inbound, clock, *said).boxed(),
            Work::Save(save) => keep(state, save).boxed(),
            Work::Reported(said) => report::take(inbound, said).boxed(),
        })
    }
}

async fn take(sink: InboundSink, clock: Clock, said: Inbound) -> Told {
    let seq = said.seq;
    let refused = |reason: String, again| Told::Refused(InboundRefused { seq, reason, again });
    let message = match wire::inbound(said, &clock) {
        Ok(message) => message,
        Err(problem) => return refused(problem.to_owned(), false),
    };
    match sink.receive(message).await {
        Ok(received) => Told::Committed(InboundCommitted {
            seq,
            duplicate: received == Received::Duplicate,
        }),
        Err(error @ ReceiveError::Invalid(_)) => refused(error.to_string(), false),
        Err(error @ (ReceiveError::Full | ReceiveError::Store(_))) => refused(error.to_string(), true),
    }
}

async fn keep(state: AccountState, save: SaveState) -> Told {
    let SaveState { seq, value } = save;
    let error = if value.len() > STATE_BYTES_MAX {
        Some(format!("is longer than {STATE_BYTES_MAX} bytes"))
    } else {
        let kept = state.put(STATE, value.to_vec()).await;
        kept.err().map(|_| "it could not be written".to_owned())
    };
    Told::Saved(StateSaved { seq, error })
}

/// Gives the plugin the files of a part, and the part back.
fn hand_over<'a>(account: &Account<'a>, mut request: SendRequest) -> BoxFuture<'a, Handed> {
    let (peer, key, reader) = (account.peer, account.key, account.media);
    async move {
        let mut handed = Vec::new();
        for medium in request.part().media.clone() {
            match media::hand_over(peer, key, request.part().to.as_str(), reader, &medium).await {
                Ok(medium) => handed.push(medium),
                // It can never be had, or is never taken: whoever reads the answer is told of it in words.
                Err(SendError::Permanent { reason }) => {
                    let named = file::named(request.part(), &medium, &reason);
                    request.instead(named);
                    return (request, Ok(Vec::new()));
                }
                Err(error) => return (request, Err(error)),
            }
        }
        (request, Ok(handed))
    }
    .boxed()
}

/// Waits for what is being committed, if anything is.
async fn commit(committing: &mut Option<BoxFuture<'_, Told>>) -> Told {
    match committing {
        Some(committing) => committing.await,
        None => std::future::pending().await,
    }
}

/// Waits until the account is to end. Nothing is sent to one that is not connected.
async fn closed(link: &mut Link) {
    while link.outgoing.recv().await.is_some() {}
}

/// Reads until the plugin has closed the stream: its supervisor does not wait for long.
async fn rest(mut heard: tonic::Streaming<RunAccountResponse>) {
    while let Ok(Some(_)) = heard.message().await {}
}

fn nonsense(error: super::calls::Nonsense) -> Ended {
    Ended::Retry(error.to_string())
}

/// What the end of a stream by an error means.
fn over(status: &Status) -> Ended {
    let said = wire::because(status.message());
    match status.code() {
        Code::InvalidArgument | Code::FailedPrecondition => Ended::Failed(said),
        Code::Unauthenticated | Code::PermissionDenied => {
            Ended::Retry(format!("its plugin does not know the gateway: {said}"))
        }
        Code::Unimplemented => {
            Ended::Retry("its plugin does not offer gatehouse.channel.v1.ChannelAdapter".into())
        }
        Code::OutOfRange => Ended::Retry(format!(
            "its plugin sent more than {MESSAGE_BYTES_MAX} bytes at once"
        )),
        code => Ended::Retry(format!("its plugin broke off ({code:?}): {said}")),
    }
}

/// How fast is read.
struct Pace {
    began: Instant,
    read: u32,
}

impl Pace {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            read: 0,
        }
    }

    fn count(&mut self) {
        if self.began.elapsed() >= SECOND {
            *self = Self::new();
        }
        self.read += 1;
    }

    /// Whether this second has had its messages.
    fn is_over(&self) -> bool {
        self.read >= RATE_MAX && self.began.elapsed() < SECOND
    }

    fn next(&self) -> Instant {
        self.began + SECOND
    }
}
