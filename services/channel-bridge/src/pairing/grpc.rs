//! What others ask of pairing, parsed, and what they are answered.

use gatehouse_core::Timestamp;
use gatehouse_proto::channel::v1::{
    ApprovePairingRequest, DismissPairingRequest, ListPairingRequestsRequest, ListPairingRequestsResponse,
    PairingAccount, PairingLimits, PairingRequest,
};

use super::store::{PAIRING_TTL, PENDING_PER_ACCOUNT, PairingRow};
use crate::{account::View, adapter::AccountKey, platform::Platforms, policy::DmPolicy};

/// Whom to let in.
#[derive(Debug)]
pub(crate) struct Approval {
    pub(crate) account: AccountKey,
    /// The request's id, or its code.
    pub(crate) named: String,
    /// Whether the sender is told.
    pub(crate) notify: bool,
}

impl From<ApprovePairingRequest> for Approval {
    fn from(request: ApprovePairingRequest) -> Self {
        let ApprovePairingRequest {
            channel,
            account_id,
            request_id,
            notify,
        } = request;
        Self {
            account: AccountKey::new(channel, account_id),
            named: request_id,
            notify: notify.unwrap_or(false),
        }
    }
}

/// Whose request to forget.
#[derive(Debug)]
pub(crate) struct Dismissal {
    pub(crate) account: AccountKey,
    pub(crate) request: String,
}

impl From<DismissPairingRequest> for Dismissal {
    fn from(request: DismissPairingRequest) -> Self {
        let DismissPairingRequest {
            channel,
            account_id,
            request_id,
        } = request;
        Self {
            account: AccountKey::new(channel, account_id),
            request: request_id,
        }
    }
}

/// Which accounts' requests to list.
#[derive(Debug)]
pub(crate) struct Listing {
    channel: Option<String>,
    account: Option<String>,
}

impl From<ListPairingRequestsRequest> for Listing {
    fn from(request: ListPairingRequestsRequest) -> Self {
        let ListPairingRequestsRequest { channel, account_id } = request;
        Self {
            channel,
            account: account_id,
        }
    }
}

impl Listing {
    fn fits(&self, key: &AccountKey) -> bool {
        self.channel
            .as_ref()
            .is_none_or(|channel| *channel == key.channel)
            && self.account.as_ref().is_none_or(|id| *id == key.account)
    }

    pub(crate) fn answer(&self, view: &View, waiting: Vec<PairingRow>) -> ListPairingRequestsResponse {
        let accounts = view
            .accounts
            .iter()
            .filter(|(key, entry)| entry.config.policy.dm_policy == DmPolicy::Pairing && self.fits(key))
            .map(|(key, _)| PairingAccount {
                channel: key.channel.clone(),
                channel_label: view.platforms.label(&key.channel),
                account_id: key.account.clone(),
                notify_supported: true,
            });
        let requests = waiting
            .into_iter()
            .filter(|row| self.fits(&row.account))
            .map(|row| pairing_request(&view.platforms, row));
        ListPairingRequestsResponse {
            accounts: accounts.collect(),
            requests: requests.collect(),
            command_owner_configured: false,
            limits: Some(PairingLimits {
                pending_per_account: i64::try_from(PENDING_PER_ACCOUNT).unwrap_or(i64::MAX),
                ttl_ms: i64::try_from(PAIRING_TTL.as_millis()).unwrap_or(i64::MAX),
            }),
        }
    }
}

fn pairing_request(platforms: &Platforms, row: PairingRow) -> PairingRequest {
    let PairingRow {
        id,
        account: AccountKey { channel, account },
        sender_id,
        sender_name,
        reply_to: _,
        code: _, // the owner types what the sender was told
        created_at,
        last_seen_at,
        expires_at,
    } = row;
    let time = |at: Timestamp| {
        jiff::Timestamp::from_millisecond(at.as_ms())
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
            .to_string()
    };
    PairingRequest {
        request_id: id,
        channel_label: platforms.label(&channel),
        channel,
        account_id: account,
        sender_label: sender_name.unwrap_or_else(|| sender_id.to_string()),
        sender_id: sender_id.into(),
        created_at: time(created_at),
        last_seen_at: time(last_seen_at),
        expires_at: time(expires_at),
        notify_supported: true,
    }
}
