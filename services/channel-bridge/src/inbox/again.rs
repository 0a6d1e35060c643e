//! After a start: what session took over and does not know any more is offered to it again. Its database may be an older copy
//! than ours, and nobody else has the message.

use gatehouse_core::{Chain, Kind, backoff::Backoff};
use gatehouse_proto::session::v1::MessageKey;
use tokio::time;

use super::store::OFFER_AGAIN;
use super::{Inbox, RETRY_FIRST, RETRY_MAX};
use crate::store::StoreError;

/// Messages in one question: the bound of the contract.
const PAGE: u32 = 500;

/// Why a page could not be compared.
enum Stop {
    /// Later it may be.
    Later(String),
    /// The session service is of a version that cannot be asked.
    Never,
}

impl Inbox {
    /// Compares everything that can still be offered, page by page, until it is done.
    pub(super) async fn offer_again(&self) {
        let (mut after, mut offered) = (0, 0);
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MAX);
        loop {
            match self.compare_page(after).await {
                Ok(Some((last, again))) => {
                    (after, offered) = (last, offered + again);
                    backoff = Backoff::new(RETRY_FIRST, RETRY_MAX);
                }
                Ok(None) => break,
                Err(Stop::Never) => {
                    return tracing::warn!("the session service is too old to be asked what it has lost");
                }
                Err(Stop::Later(reason)) => {
                    tracing::debug!(reason, "the session service cannot be asked yet what it has lost");
                    time::sleep(backoff.next()).await;
                }
            }
        }
        if offered > 0 {
            tracing::warn!(
                messages = offered,
                "the session service had lost messages (an older copy of its database?): they were offered again"
            );
        }
    }

    /// The place of the last message of the page and how many were offered again, or nothing when the page is empty.
    async fn compare_page(&self, after: i64) -> Result<Option<(i64, usize)>, Stop> {
        let store = |error: StoreError| Stop::Later(Chain(&error).to_string());
        let page = self
            .store
            .adopted(after, self.clock.before(OFFER_AGAIN), PAGE)
            .await
            .map_err(store)?;
        let Some(last) = page.last().map(|message| message.seq) else {
            return Ok(None);
        };
        let keys = page.iter().map(|message| MessageKey {
            channel: message.account.channel.clone(),
            account_id: message.account.account.clone(),
            message_id: message.message_id.as_str().to_owned(),
        });
        let unknown = self
            .session
            .unknown(keys.collect())
            .await
            .map_err(|failure| match failure.kind {
                Kind::Invalid | Kind::NotFound | Kind::Forbidden => Stop::Never,
                _ => Stop::Later(failure.message),
            })?;
        let lost: Vec<i64> = unknown
            .into_iter()
            .filter_map(|place| page.get(usize::try_from(place).ok()?))
            .map(|message| message.seq)
            .collect();
        if lost.is_empty() {
            return Ok(Some((last, 0)));
        }
        let offered = self
            .store
            .offer_again(lost, self.clock.now())
            .await
            .map_err(store)?;
        self.wake.notify_one();
        Ok(Some((last, offered)))
    }
}
