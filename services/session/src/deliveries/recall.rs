//! Takes replies back that somebody wants no more of: those that wait here, and those that the bridge has and has not said yet.

use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::backoff::Backoff;
use gatehouse_core::client::PeerService;
use gatehouse_core::{Clock, Drain, Failure, Kind};
use gatehouse_proto::channel::v1::DropDeliveriesRequest;
use gatehouse_proto::channel::v1::channel_service_client::ChannelServiceClient;
use tokio::time;

use super::{Deliveries, Recalled, Target};
use crate::error::Error;
use crate::id::RunId;
use crate::key::SessionKey;

/// How long whoever stops something waits for the bridge. It answers within milliseconds, or is not there.
const PATIENCE: Duration = Duration::from_secs(2);
/// The pauses while it is away, and how long it is told all the same: it says nothing meanwhile.
const PAUSE_FIRST: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(5);
const TOLD_WITHIN: Duration = Duration::from_secs(600);

/// What takes replies back. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Recall {
    deliveries: Arc<dyn Deliveries>,
    bridge: ChannelServiceClient<PeerService>,
    clock: Clock,
    drain: Drain,
}

impl Recall {
    pub(crate) fn new(
        deliveries: Arc<dyn Deliveries>,
        bridge: PeerService,
        clock: Clock,
        drain: Drain,
    ) -> Self {
        Self {
            deliveries,
            bridge: ChannelServiceClient::new(bridge),
            clock,
            drain,
        }
    }

    /// Takes back the replies of a session, or of one run. Answers how many there were; those that the bridge has are not
    /// counted while it is away, and taken back when it comes.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn of_session(&self, key: &SessionKey, run: Option<&RunId>) -> Result<i64, Error> {
        let recalled = Recalled {
            run: run.cloned(),
            chat: None,
        };
        let here = self
            .deliveries
            .recall(key.clone(), recalled, self.clock.now())
            .await?;
        Ok(here + self.at_the_bridge(key, run).await)
    }

    /// Takes back the replies to a chat that the bridge does not have: it knows its own.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn of_chat(&self, key: &SessionKey, chat: Target) -> Result<i64, Error> {
        let recalled = Recalled {
            run: None,
            chat: Some(chat),
        };
        self.deliveries
            .recall(key.clone(), recalled, self.clock.now())
            .await
    }

    /// Has the bridge drop what it was given. How much it was, as far as it answers.
    pub(crate) async fn at_the_bridge(&self, key: &SessionKey, run: Option<&RunId>) -> i64 {
        let request = DropDeliveriesRequest {
            session_key: key.to_string(),
            run_id: run.map(ToString::to_string),
            // What is said after this stop is not meant, however late the bridge hears of it.
            created_until: Some(self.clock.now_ms()),
        };
        match self.ask(request.clone()).await {
            Ok(dropped) => dropped,
            Err(failure) if !may_come_back(failure.kind) => {
                tracing::warn!(error = %failure.message, "the bridge does not drop replies: is it older than this service?");
                0
            }
            Err(_) => {
                let recall = self.clone();
                self.drain
                    .spawn_work("recall", async move { recall.insist(request).await });
                0
            }
        }
    }

    async fn ask(&self, request: DropDeliveriesRequest) -> Result<i64, Failure> {
        let mut bridge = self.bridge.clone();
        match time::timeout(PATIENCE, bridge.drop_deliveries(request)).await {
            Ok(Ok(answer)) => Ok(answer.into_inner().dropped_count),
            Ok(Err(status)) => Err(Failure::from_status(&status)),
            Err(_) => Err(Failure::new(Kind::Timeout, "no answer in time")),
        }
    }

    /// Tells a bridge that is away, once it is back.
    async fn insist(self, request: DropDeliveriesRequest) {
        let mut backoff = Backoff::new(PAUSE_FIRST, PAUSE_MAX);
        let told = async {
            loop {
                match self.ask(request.clone()).await {
                    Err(failure) if may_come_back(failure.kind) => time::sleep(backoff.next()).await,
                    Ok(_) | Err(_) => return,
                }
            }
        };
        tokio::select! {
            told = time::timeout(TOLD_WITHIN, told) => if told.is_err() {
                tracing::warn!("the bridge could not be told to drop replies: it may say them when it is back");
            },
            () = self.drain.requested() => {}
        }
    }
}

const fn may_come_back(kind: Kind) -> bool {
    match kind {
        Kind::Unavailable | Kind::Timeout | Kind::Exhausted | Kind::Unauthenticated | Kind::Internal => true,
        Kind::Invalid | Kind::NotFound | Kind::Conflict | Kind::Precondition | Kind::Forbidden => false,
    }
}
