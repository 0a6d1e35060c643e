//! What others ask of accounts, parsed.

use gatehouse_proto::channel::v1::{StartChannelRequest, StopChannelRequest};

use super::View;
use crate::{adapter::AccountKey, error::Error};

/// An account, or all accounts of a channel.
#[derive(Debug)]
pub(crate) struct Meant {
    channel: String,
    account: Option<String>,
}

impl From<StartChannelRequest> for Meant {
    fn from(request: StartChannelRequest) -> Self {
        let StartChannelRequest { channel, account_id } = request;
        Self {
            channel,
            account: account_id,
        }
    }
}

impl From<StopChannelRequest> for Meant {
    fn from(request: StopChannelRequest) -> Self {
        let StopChannelRequest {
            channel,
            account_id,
            keep_outbox: _, // what waits there is the outbox's
        } = request;
        Self {
            channel,
            account: account_id,
        }
    }
}

impl Meant {
    /// The accounts, of which there is one at least.
    pub(crate) fn accounts(self, view: &View) -> Result<Vec<AccountKey>, Error> {
        let Self { channel, account } = self;
        let fits = |key: &&AccountKey| {
            key.channel == channel && account.as_ref().is_none_or(|id| *id == key.account)
        };
        let keys: Vec<AccountKey> = view.accounts.keys().filter(fits).cloned().collect();
        match (keys.is_empty(), account) {
            (false, _) => Ok(keys),
            (true, Some(id)) => Err(Error::NoAccount(AccountKey::new(channel, id))),
            (true, None) => Err(Error::NoChannel(channel)),
        }
    }
}

/// Their ids, for the answer.
pub(crate) fn ids(accounts: &[AccountKey]) -> Vec<String> {
    accounts.iter().map(|key| key.account.clone()).collect()
}
