//! The stream of one account: what the bridge says is done, and what becomes of it is answered. What the bridge says of messages that came
//! in is passed on at once, whatever else is under way.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream::BoxStream};
use gatehouse_proto::channel::v1::{
    Connected, Ended, Heard as SignOfLife, InboundCommitted, InboundRefused, PartAnswered, PartRetry,
    PreviewAnswered, RunAccountRequest, RunAccountResponse, StartAccount, part_answered, preview_answered,
    run_account_request::Message as Asked, run_account_response::Message as Said,
};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::{Shared, ours};
use crate::{
    account::Account,
    connector::ConnectorError,
    link::{Heard, Link, QUEUE_MAX},
    say,
    settings::{Callers, Settings},
};

/// Things that are done at the same time for one account. The bridge is told that it is too much before they queue up here.
const TASKS_MAX: usize = 32;
/// How long what was begun may take once the bridge wants the end.
const ENDS_WITHIN: Duration = Duration::from_secs(2);
/// What the bridge is told to wait when too much is under way, in milliseconds.
const LATER_MS: u32 = 1_000;

/// Begins the account, and answers what it says.
pub(super) fn begin(
    shared: Arc<Shared>,
    asked: Streaming<RunAccountRequest>,
) -> BoxStream<'static, Result<RunAccountResponse, Status>> {
    let (queue, queued) = mpsc::channel(QUEUE_MAX);
    tokio::spawn(async move {
        let gone = queue.clone();
        tokio::select! {
            outcome = run(&shared, asked, queue.clone()) => {
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

/// Takes the account out of the list however its stream ends.
struct Place {
    shared: Arc<Shared>,
    account: Arc<Account>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.accounts.leave(&self.account);
        self.account.link.end();
    }
}

async fn run(
    shared: &Arc<Shared>,
    mut asked: Streaming<RunAccountRequest>,
    queue: crate::link::Queue,
) -> Result<(), Status> {
    let Some(RunAccountRequest {
        message: Some(Asked::Start(start)),
    }) = asked.message().await?
    else {
        return Err(Status::invalid_argument("the first message is `start`"));
    };
    ours(&start.channel)?;
    let link = Link::new(queue.clone());
    let account = match account(shared, &start, link).await {
        Ok(account) => account,
        Err(ended) => {
            let message = Some(Said::Ended(ended));
            let _ = queue.send(Ok(RunAccountResponse { message })).await;
            return Ok(());
        }
    };
    let account = Arc::new(account);
    let _place = Place {
        shared: Arc::clone(shared),
        account: Arc::clone(&account),
    };
    account.link.say(Said::Connected(Connected {})).await;
    shared.accounts.join(&account);
    tracing::info!(account.id = account.id, "the account is connected");

    let places = Arc::new(Semaphore::new(TASKS_MAX));
    let mut tasks = JoinSet::new();
    while let Some(request) = asked.message().await? {
        while tasks.try_join_next().is_some() {}
        match request.message {
            Some(Asked::Committed(InboundCommitted { seq, .. })) => account.link.told(seq, Heard::Kept),
            Some(Asked::Refused(InboundRefused { seq, reason, again })) => {
                let heard = if again {
                    Heard::Again(reason)
                } else {
                    Heard::PassedOver(reason)
                };
                account.link.told(seq, heard);
            }
            Some(Asked::Stop(_)) => break,
            Some(asked) => match Arc::clone(&places).try_acquire_owned() {
                Ok(place) => {
                    let account = Arc::clone(&account);
                    tasks.spawn(async move {
                        act(&account, asked).await;
                        drop(place);
                    });
                }
                Err(_) => too_much(&account, &asked).await,
            },
            None => {} // of a newer version
        }
    }
    let _ = time::timeout(ENDS_WITHIN, async { while tasks.join_next().await.is_some() {} }).await;
    Ok(())
}

/// The account that is to run, or why it cannot.
async fn account(shared: &Shared, start: &StartAccount, link: Link) -> Result<Account, Ended> {
    let for_good = |reason: String| Ended {
        reason,
        for_good: true,
    };
    let settings =
        Settings::read(&start.config, &shared.machine, shared.services.clone()).map_err(for_good)?;
    if matches!(settings.callers, Callers::Anybody) && !shared.loopback {
        return Err(for_good(
            "`playground` lets in whoever reaches the plugin, and is refused while it listens on more than this machine: start it with \
             `--listen 127.0.0.1:3978`"
                .into(),
        ));
    }
    let account = Account::new(&start.account_id, settings, shared.store.clone(), link).map_err(for_good)?;
    match account.believed().await {
        Ok(()) => Ok(account),
        Err(ConnectorError::Credential(reason)) => Err(for_good(reason)),
        Err(error) => Err(Ended {
            reason: error.to_string(),
            for_good: false,
        }),
    }
}

async fn act(account: &Account, asked: Asked) {
    let said = match asked {
        Asked::Send(part) => Said::Part(say::send(account, part).await),
        Asked::Typing(typing) => return say::typing(account, typing).await,
        Asked::Preview(preview) => Said::Preview(say::show(account, preview).await),
        Asked::Withdraw(preview) => Said::Preview(say::withdraw(account, preview).await),
        Asked::React(reaction) => Said::Reaction(say::react(&reaction)),
        // Teams calls us, so its silence says nothing: the bot's token is what can be asked about.
        Asked::Probe(_) => match account.believed().await {
            Ok(()) => {
                say::trusted(account).await;
                Said::Heard(SignOfLife {})
            }
            Err(error) => {
                say::doubted(account, &error).await;
                return;
            }
        },
        Asked::Start(_)
        | Asked::Committed(_)
        | Asked::Refused(_)
        | Asked::Http(_)
        | Asked::Saved(_)
        | Asked::Stop(_) => return,
    };
    account.link.say(said).await;
}

/// Too much is under way: nothing was begun.
async fn too_much(account: &Account, asked: &Asked) {
    let later = || PartRetry {
        reason: "too much is sent at the same time".into(),
        after_ms: LATER_MS,
    };
    let said = match asked {
        Asked::Send(part) => Said::Part(PartAnswered {
            id: part.id,
            outcome: Some(part_answered::Outcome::ChatBusy(later())),
        }),
        Asked::Preview(preview) => Said::Preview(PreviewAnswered {
            id: preview.id,
            outcome: Some(preview_answered::Outcome::Busy(later())),
        }),
        Asked::Withdraw(preview) => Said::Preview(PreviewAnswered {
            id: preview.id,
            outcome: Some(preview_answered::Outcome::Busy(later())),
        }),
        _ => return,
    };
    account.link.say(said).await;
}
