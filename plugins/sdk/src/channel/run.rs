//! The stream of one account: what the bridge says is done, and what becomes of it is answered. What the bridge says of messages that came
//! in is passed on at once, whatever else is under way.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream::BoxStream};
use gatehouse_proto::channel::v1::{
    Connected, Ended, Heard as SignOfLife, HttpAnswered, InboundCommitted, InboundRefused, PartAnswered,
    PreviewAnswered, ReactionAnswered, RunAccountRequest, RunAccountResponse, StartAccount, StateSaved,
    run_account_request::Message as Asked, run_account_response::Message as Said,
};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::{Channel, for_now, ours};
use crate::{
    Account, Accounts, Heard, Link, PartOutcome, PreviewOutcome,
    link::{QUEUE_MAX, Queue},
    retry, words,
};

/// Things that are done at the same time for one account. The bridge is told that it is too much before they queue up here.
pub(super) const TASKS_MAX: usize = 32;
/// How long what was begun may take once the end is wanted.
const ENDS_WITHIN: Duration = Duration::from_secs(2);
/// How long the bridge is told to wait when too much is under way.
const LATER: Duration = Duration::from_secs(1);

/// Begins the account, and answers what it says.
pub(super) fn begin<C: Channel>(
    channel: Arc<C>,
    accounts: Accounts<C::Account>,
    asked: Streaming<RunAccountRequest>,
) -> BoxStream<'static, Result<RunAccountResponse, Status>> {
    let (queue, queued) = mpsc::channel(QUEUE_MAX);
    tokio::spawn(async move {
        let gone = queue.clone();
        tokio::select! {
            outcome = run(&*channel, &accounts, asked, queue.clone()) => {
                if let Err(status) = outcome {
                    let _ = queue.send(Err(status)).await;
                }
            }
            // The bridge hung up.
            () = gone.closed() => {}
        }
    });
    ReceiverStream::new(queued).boxed()
}

/// Ends the link however its stream ends.
struct Open(Arc<Link>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Takes the account out of the list however its stream ends.
struct Place<'a, A> {
    accounts: &'a Accounts<A>,
    id: String,
    account: Arc<A>,
}

impl<A> Drop for Place<'_, A> {
    fn drop(&mut self) {
        self.accounts.leave(&self.id, &self.account);
    }
}

async fn run<C: Channel>(
    channel: &C,
    accounts: &Accounts<C::Account>,
    mut asked: Streaming<RunAccountRequest>,
    queue: Queue,
) -> Result<(), Status> {
    let Some(RunAccountRequest {
        message: Some(Asked::Start(start)),
    }) = asked.message().await?
    else {
        return Err(Status::invalid_argument("the first message is `start`"));
    };
    ours::<C>(&start.channel)?;
    let id = start.account_id.clone();
    let open = Open(Arc::new(Link::new(queue)));
    let link = &open.0;
    let account = match connect(channel, accounts, start, &mut asked, link).await? {
        Some(Ok(account)) => Arc::new(account),
        Some(Err(ended)) => {
            link.say(Said::Ended(ended)).await;
            return Ok(());
        }
        None => return Ok(()),
    };
    let place = Place {
        accounts,
        id,
        account,
    };
    link.say(Said::Connected(Connected {})).await;
    accounts.join(&place.id, &place.account);
    tracing::info!(account.id = place.id, "the account is connected");
    connected(&place.account, accounts, &mut asked, link).await
}

/// Connects the account. Meanwhile the bridge is told that we are there, and may want the end: `None`.
async fn connect<C: Channel>(
    channel: &C,
    accounts: &Accounts<C::Account>,
    start: StartAccount,
    asked: &mut Streaming<RunAccountRequest>,
    link: &Arc<Link>,
) -> Result<Option<Result<C::Account, Ended>>, Status> {
    let mut opening = std::pin::pin!(channel.open(start, Arc::clone(link)));
    loop {
        let request = tokio::select! {
            opened = &mut opening => return Ok(Some(opened)),
            request = asked.message() => request?,
            () = accounts.ending() => return Ok(Some(Err(ends()))),
        };
        match request.map(|request| request.message) {
            None | Some(Some(Asked::Stop(_))) => return Ok(None),
            // A login may take somebody minutes.
            Some(Some(Asked::Probe(_))) => link.say(Said::Heard(SignOfLife {})).await,
            Some(Some(asked)) => {
                told(link, asked);
            }
            Some(None) => {} // of a newer version
        }
    }
}

fn ends() -> Ended {
    for_now("the plugin ends")
}

/// What the bridge says of what it was told is passed on here. Everything else is given back.
fn told(link: &Link, asked: Asked) -> Option<Asked> {
    match asked {
        Asked::Committed(InboundCommitted { seq, .. }) => link.told(seq, Heard::Kept),
        Asked::Refused(InboundRefused { seq, reason, again }) => {
            let heard = if again {
                Heard::Again(reason)
            } else {
                Heard::PassedOver(reason)
            };
            link.told(seq, heard);
        }
        Asked::Saved(StateSaved { seq, error }) => link.kept(seq, error),
        asked => return Some(asked),
    }
    None
}

async fn connected<A: Account>(
    account: &Arc<A>,
    accounts: &Accounts<A>,
    asked: &mut Streaming<RunAccountRequest>,
    link: &Arc<Link>,
) -> Result<(), Status> {
    let places = Arc::new(Semaphore::new(TASKS_MAX));
    let mut tasks = JoinSet::new();
    let mut running = JoinSet::new();
    running.spawn({
        let account = Arc::clone(account);
        async move { account.run().await }
    });
    let ended = loop {
        while tasks.try_join_next().is_some() {}
        let request = tokio::select! {
            ended = running.join_next() => {
                break Some(match ended {
                    Some(Ok(ended)) => ended,
                    _ => for_now("what the account does by itself broke off: the plugin's log says why"),
                });
            }
            request = asked.message() => request?,
            () = accounts.ending() => break Some(ends()),
        };
        let asked = match request.map(|request| request.message) {
            None | Some(Some(Asked::Stop(_))) => break None,
            Some(Some(asked)) => told(link, asked),
            Some(None) => None, // of a newer version
        };
        let Some(asked) = asked else { continue };
        match Arc::clone(&places).try_acquire_owned() {
            Ok(place) => {
                let (account, link) = (Arc::clone(account), Arc::clone(link));
                tasks.spawn(async move {
                    if let Some(said) = act(&*account, asked).await {
                        link.say(said).await;
                    }
                    drop(place);
                });
            }
            Err(_) => {
                if let Some(said) = too_much(&asked) {
                    link.say(said).await;
                }
            }
        }
    };
    let last = async {
        while tasks.join_next().await.is_some() {}
        running.shutdown().await;
        account.close().await;
    };
    let _ = time::timeout(ENDS_WITHIN, last).await;
    if let Some(ended) = ended {
        link.say(Said::Ended(ended)).await;
    }
    Ok(())
}

async fn act<A: Account>(account: &A, asked: Asked) -> Option<Said> {
    Some(match asked {
        Asked::Send(part) => {
            let id = part.id;
            let outcome = Some(account.send(part).await);
            Said::Part(PartAnswered { id, outcome })
        }
        Asked::Typing(typing) => {
            account.typing(typing).await;
            return None;
        }
        Asked::Preview(preview) => {
            let id = preview.id;
            let outcome = Some(account.show(preview).await);
            Said::Preview(PreviewAnswered { id, outcome })
        }
        Asked::Withdraw(preview) => {
            let id = preview.id;
            let outcome = Some(account.withdraw(preview).await);
            Said::Preview(PreviewAnswered { id, outcome })
        }
        Asked::React(reaction) => {
            let id = reaction.id;
            let error = account.react(reaction).await.err();
            let error = error.map(|error| words(&error));
            Said::Reaction(ReactionAnswered { id, error })
        }
        Asked::Http(request) => {
            let id = request.id;
            let answer = account.http(request).await;
            Said::Http(HttpAnswered { id, ..answer })
        }
        Asked::Probe(_) if account.probe().await => Said::Heard(SignOfLife {}),
        Asked::Probe(_)
        | Asked::Start(_)
        | Asked::Committed(_)
        | Asked::Refused(_)
        | Asked::Saved(_)
        | Asked::Stop(_) => return None,
    })
}

/// Too much is under way: nothing was begun.
fn too_much(asked: &Asked) -> Option<Said> {
    let later = || retry("too much is sent at the same time", Some(LATER));
    let preview = |id| PreviewAnswered {
        id,
        outcome: Some(PreviewOutcome::Busy(later())),
    };
    Some(match asked {
        Asked::Send(part) => Said::Part(PartAnswered {
            id: part.id,
            outcome: Some(PartOutcome::ChatBusy(later())),
        }),
        Asked::Preview(asked) => Said::Preview(preview(asked.id)),
        Asked::Withdraw(asked) => Said::Preview(preview(asked.id)),
        Asked::React(asked) => Said::Reaction(ReactionAnswered {
            id: asked.id,
            error: Some(later().reason),
        }),
        Asked::Http(asked) => Said::Http(HttpAnswered {
            id: asked.id,
            status: 503,
            ..HttpAnswered::default()
        }),
        _ => return None,
    })
}
