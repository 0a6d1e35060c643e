//! How every account is, for `channels.status`.

use std::collections::{BTreeMap, HashMap};

use gatehouse_proto::channel::v1::{ChannelSummary, GetChannelsStatusResponse};
use serde::Serialize;

use super::label;
use crate::{
    account::{Entry, State, View},
    config::CHANNELS,
    error::Error,
    store::{Counts, Store, StoreError},
};

/// One account, as `AccountStatus` of the contract describes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Account {
    account_id: String,
    enabled: bool,
    configured: bool,
    running: bool,
    connected: bool,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_start_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_connected_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_inbound_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_progress_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_outbound_at: Option<i64>,
    reconnect_count: i64,
    outbox_count: i64,
    dead_letter_count: i64,
    dm_policy: &'static str,
}

impl Account {
    fn of(entry: &Entry, counts: Counts) -> Self {
        let snapshot = entry.progress.snapshot();
        Self {
            account_id: entry.config.key.account.clone(),
            enabled: entry.config.enabled,
            configured: entry.config.platform.is_ok(),
            running: snapshot.state.running(),
            connected: snapshot.state == State::Connected,
            state: snapshot.state.as_str(),
            last_error: snapshot.last_error,
            last_start_at: snapshot.last_start_at,
            last_connected_at: snapshot.last_connected_at,
            last_inbound_at: snapshot.last_inbound_at,
            last_progress_at: snapshot.last_progress_at,
            last_outbound_at: snapshot.last_outbound_at,
            reconnect_count: snapshot.reconnect_count,
            outbox_count: counts.waiting,
            dead_letter_count: counts.dead,
            dm_policy: entry.config.policy.dm_policy.as_str(),
        }
    }
}

/// Reads it all, or one channel.
pub(super) async fn read(
    view: &View,
    store: &dyn Store,
    only: Option<&str>,
    now: i64,
) -> Result<GetChannelsStatusResponse, Error> {
    let mut accounts: BTreeMap<&str, Vec<Account>> = BTreeMap::new();
    for (key, entry) in view
        .accounts
        .iter()
        .filter(|(key, _)| only.is_none_or(|only| only == key.channel))
    {
        let counts = store.counts(key.clone()).await?;
        accounts
            .entry(&key.channel)
            .or_default()
            .push(Account::of(entry, counts));
    }
    let summary = |accounts: &Vec<Account>| {
        let running = || accounts.iter().filter(|account| account.running);
        ChannelSummary {
            configured: accounts.iter().any(|account| account.configured),
            running: running().next().is_some(),
            connected: running().next().is_some() && running().all(|account| account.connected),
        }
    };
    let channels: HashMap<String, ChannelSummary> = accounts
        .iter()
        .map(|(channel, accounts)| ((*channel).to_owned(), summary(accounts)))
        .collect();
    let order: Vec<String> = CHANNELS
        .iter()
        .map(|(id, _)| (*id).to_owned())
        .filter(|id| channels.contains_key(id))
        .collect();
    let fits = |(channel, _): &(&String, &String)| channels.contains_key(*channel);
    Ok(GetChannelsStatusResponse {
        ts: now,
        channel_labels: order
            .iter()
            .map(|channel| (channel.clone(), label(channel)))
            .collect(),
        channel_order: order,
        channel_accounts: serde_json::to_string(&accounts)
            .map_err(|error| Error::Store(StoreError::Row(error)))?,
        channel_default_account_id: view
            .defaults
            .iter()
            .filter(fits)
            .map(|(channel, account)| (channel.clone(), account.clone()))
            .collect(),
        channels,
    })
}
