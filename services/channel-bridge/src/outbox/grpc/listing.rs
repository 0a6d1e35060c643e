//! What waits in the outbox: listed and dropped.

use super::*;

/// Deliveries on a page: the contract's figure.
const PAGE: u32 = 50;
/// How much of a text is shown of what waits: the contract's figure.
const PREVIEW_CHARS: usize = 80;

/// A page of what waits.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) chosen: Chosen,
    pub(crate) after: i64,
    pub(crate) limit: u32,
}

impl TryFrom<ListOutboxRequest> for Listing {
    type Error = Error;

    fn try_from(request: ListOutboxRequest) -> Result<Self, Error> {
        let ListOutboxRequest {
            channel,
            account_id,
            to,
            limit,
            cursor,
        } = request;
        let unreadable = || Error::Invalid("/cursor", "the cursor is not one of an earlier answer".into());
        let after = cursor.map(|cursor| cursor.parse::<i64>().map_err(|_| unreadable()));
        Ok(Self {
            chosen: Chosen {
                channel,
                account: account_id,
                to: to.map(|to| parsed("/to", to)).transpose()?,
                ..Chosen::default()
            },
            after: after.transpose()?.unwrap_or(0),
            limit: limit.and_then(|limit| limit.try_into().ok()).unwrap_or(PAGE),
        })
    }
}

impl Listing {
    /// The answer, from a page that was asked for with one delivery more than the limit.
    pub(crate) fn answer(&self, mut page: Page) -> ListOutboxResponse {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = page.deliveries.len() > limit;
        page.deliveries.truncate(limit);
        let last = page.deliveries.last().map(|delivery| delivery.seq.to_string());
        ListOutboxResponse {
            next_cursor: last.filter(|_| more),
            total_count: page.total,
            total_part_count: page.parts,
            deliveries: page.deliveries.into_iter().map(shown).collect(),
        }
    }
}

/// What a caller wants dropped.
impl TryFrom<DropOutboxRequest> for Chosen {
    type Error = Error;

    fn try_from(request: DropOutboxRequest) -> Result<Self, Error> {
        let DropOutboxRequest {
            ids,
            channel,
            account_id,
            to,
            run_id,
            all,
        } = request;
        let chosen = Self {
            ids,
            channel,
            account: account_id,
            to: to.map(|to| parsed("/to", to)).transpose()?,
            run_id,
            ..Self::default()
        };
        match (chosen == Self::default(), all == Some(true)) {
            (true, false) => Err(Error::Invalid(
                "/ids",
                "say what to drop: ids, a channel, an account, a chat (to), a run, or all: true".into(),
            )),
            (false, true) => Err(Error::Invalid(
                "/all",
                "all is everything: set nothing beside it, or leave it out".into(),
            )),
            (true, true) | (false, false) => Ok(chosen),
        }
    }
}

impl From<DropDeliveriesRequest> for Chosen {
    fn from(request: DropDeliveriesRequest) -> Self {
        let DropDeliveriesRequest {
            session_key,
            run_id,
            created_until,
        } = request;
        Self {
            session_key: Some(session_key),
            run_id,
            created_until: created_until.map(Timestamp::from_ms),
            ..Self::default()
        }
    }
}

/// What was dropped, for the answer.
pub(crate) fn dropped(page: Page) -> DropOutboxResponse {
    DropOutboxResponse {
        ok: true,
        dropped_count: page.total,
        dropped_part_count: page.parts,
        dropped: page.deliveries.into_iter().map(shown).collect(),
    }
}

fn shown(delivery: Waiting) -> OutboxDelivery {
    let Waiting {
        seq: _, // the place in the list, which is the cursor
        id,
        key: _, // of the services, as well
        run_id,
        session_key,
        account,
        to,
        thread_id,
        reply_to_id: _,
        sending,
        parts,
        sent,
        attempts,
        queued_at,
        next_at,
        preview,
    } = delivery;
    OutboxDelivery {
        id,
        channel: account.channel,
        account_id: account.account,
        to: to.into(),
        thread_id,
        run_id,
        session_key,
        state: if sending { "sending" } else { "queued" }.to_owned(),
        part_count: parts,
        sent_part_count: sent,
        attempts,
        queued_at: queued_at.as_ms(),
        next_at: next_at.as_ms(),
        preview: preview
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .chars()
            .take(PREVIEW_CHARS)
            .collect(),
    }
}
