//! How every account is, for `channels.status`: as it is known, or after asking the platforms anew.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use futures::future::join_all;
use gatehouse_core::{Clock, Timestamp};
use gatehouse_proto::channel::v1::{ChannelSummary, GetChannelsStatusRequest, GetChannelsStatusResponse};
use serde::Serialize;
use tokio::time;

use crate::{
    account::{Entry, State, View, room::RoomStatus},
    adapter::{AccountKey, Adapter, Ended},
    error::Error,
    outbox::store::Counts,
    pace::store::Paused,
    store::{StoreError, Stores},
};

/// Partners in a pause that are counted.
const PAUSED_COUNTED_MAX: u32 = 1000;
/// How long platforms are asked unless the caller says: a server that is well answers within a round trip.
const ASK_FOR: Duration = Duration::from_secs(5);
/// The longest that they are asked: the method itself may take 30 seconds.
const ASK_FOR_MAX: Duration = Duration::from_secs(20);

/// What somebody wants to know.
#[derive(Debug, Default)]
pub(crate) struct Asking {
    /// One channel, or all.
    channel: Option<String>,
    /// How long to ask the platforms; nothing: as far as it is known.
    within: Option<Duration>,
}

impl From<GetChannelsStatusRequest> for Asking {
    fn from(request: GetChannelsStatusRequest) -> Self {
        let GetChannelsStatusRequest {
            probe,
            timeout_ms,
            channel,
        } = request;
        let within = timeout_ms.map_or(ASK_FOR, |ms| {
            Duration::from_millis(ms.try_into().unwrap_or(0)).min(ASK_FOR_MAX)
        });
        Self {
            channel,
            within: Some(within).filter(|within| probe == Some(true) && !within.is_zero()),
        }
    }
}

/// Why a connection ended, as `LastDisconnect` of the contract describes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LastDisconnect {
    at: Timestamp,
    error: String,
}

/// That somebody has to link it, as `LoginStatus` of the contract describes it: the code is nobody's who only looks.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LoginStatus {
    how: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

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
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    isolated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_start_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_connected_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_inbound_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_progress_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_outbound_at: Option<Timestamp>,
    reconnect_count: i64,
    outbox_count: i64,
    dead_letter_count: i64,
    possible_duplicate_count: i64,
    unconfirmed_count: i64,
    delivered_count: i64,
    read_count: i64,
    not_delivered_count: i64,
    outbox_part_count: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    outbox_oldest_at: Option<Timestamp>,
    paused_partner_count: usize,
    dm_policy: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
    capabilities: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_disconnect: Option<LastDisconnect>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notices: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rooms: Vec<RoomStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    login: Option<LoginStatus>,
}

impl Account {
    fn of(entry: &Entry, counts: Counts) -> Self {
        let snapshot = entry.progress.snapshot();
        // A platform that recognises a repeat shows it once.
        let repeats_show = entry
            .adapter
            .as_ref()
            .is_some_and(|adapter| !adapter.capabilities().idempotent_sends);
        Self {
            account_id: entry.config.key.account.clone(),
            enabled: entry.config.enabled,
            configured: entry.config.connector.is_ok(),
            running: snapshot.state.running(),
            connected: snapshot.state == State::Connected,
            state: snapshot.state.as_str(),
            isolated: entry
                .adapter
                .as_ref()
                .is_some_and(|adapter| adapter.is_isolated()),
            last_error: snapshot.last_error,
            last_start_at: snapshot.last_start_at,
            last_connected_at: snapshot.last_connected_at,
            last_inbound_at: snapshot.last_inbound_at,
            last_progress_at: snapshot.last_progress_at,
            last_outbound_at: snapshot.last_outbound_at,
            reconnect_count: snapshot.reconnect_count,
            outbox_count: counts.waiting,
            dead_letter_count: counts.dead,
            possible_duplicate_count: if repeats_show { counts.repeated } else { 0 },
            unconfirmed_count: counts.unconfirmed,
            delivered_count: counts.delivered,
            read_count: counts.read,
            not_delivered_count: counts.not_delivered,
            outbox_part_count: counts.parts,
            outbox_oldest_at: counts.oldest_at,
            paused_partner_count: 0,
            dm_policy: entry.config.policy.dm_policy.as_str(),
            warning: snapshot.warning,
            capabilities: entry
                .adapter
                .as_ref()
                .map(|adapter| adapter.capabilities().words())
                .unwrap_or_default(),
            last_disconnect: snapshot.last_disconnect.map(|last| LastDisconnect {
                at: last.at,
                error: last.reason,
            }),
            notices: snapshot.notices,
            rooms: snapshot.rooms,
            login: snapshot.login.map(|login| LoginStatus {
                how: login.how,
                expires_at: login.expires_at,
            }),
        }
    }

    /// These are not answered for a while: the operator reads it here, and once in the log.
    fn pauses(&mut self, paused: &[Paused], now: Timestamp) {
        self.paused_partner_count = paused.len();
        let Some(Paused { chat, sender, until }) = paused.last() else {
            return;
        };
        let whom = sender.as_deref().unwrap_or("whoever is there");
        let others = match paused.len() {
            1 => String::new(),
            several => format!(" and {} more", several - 1),
        };
        let minutes = until.since(now).as_secs() / 60 + 1;
        let words = format!(
            "{whom} in {chat}{others}: not answered for {minutes} min, because they and the assistant only answered each \
             other (loopGuard bounds it)"
        );
        self.warning = Some(match self.warning.take() {
            Some(warning) => format!("{words}; {warning}"),
            None => words,
        });
    }

    /// It looked connected, and the platform was asked.
    fn is_found(&mut self, found: Found) {
        self.connected = false;
        let (state, why) = match found {
            Found::Silent(within) => (
                State::Degraded,
                format!("the platform did not answer within {} ms", within.as_millis()),
            ),
            Found::Stumbles(reason) => (State::Degraded, reason),
            Found::Refused(reason) => (State::Failed, reason),
        };
        self.running = state.running();
        self.state = state.as_str();
        self.last_error = Some(why);
    }
}

fn seems_connected(entry: &Entry) -> bool {
    matches!(
        entry.progress.snapshot().state,
        State::Connected | State::Degraded
    )
}

/// What is wrong with an account that looks connected, found by asking.
enum Found {
    /// The platform does not answer in time.
    Silent(Duration),
    /// It answers, and not as it should.
    Stumbles(String),
    /// It does not know the account any more.
    Refused(String),
}

/// Asks the platform about an account that looks connected. `None`: nothing is wrong, or it cannot be asked.
async fn ask_of(entry: &Entry, ask: Option<Duration>) -> Option<Found> {
    let (within, adapter) = (ask?, entry.adapter.as_ref()?);
    if !seems_connected(entry) {
        return None;
    }
    match time::timeout(within, entry.progress.known.ask(&**adapter)).await {
        Ok(Some(Ok(()))) => return None,
        Ok(Some(Err(Ended::Failed(reason)))) => return Some(Found::Refused(reason)),
        Ok(Some(Err(Ended::Retry(reason)))) => return Some(Found::Stumbles(reason)),
        Err(_) => return Some(Found::Silent(within)),
        Ok(None) => {}
    }
    is_silent(entry, within, &**adapter)
        .await
        .then_some(Found::Silent(within))
}

/// Whether a connection that can be asked says nothing in time.
async fn is_silent(entry: &Entry, within: Duration, adapter: &dyn Adapter) -> bool {
    // A platform that calls us is not there to be asked.
    if adapter.limits().liveness.is_none() {
        return false;
    }
    // What ended while it was asked is told by its state.
    !entry.progress.answers(within).await && seems_connected(entry)
}

/// Reads it all, or one channel. Asks the platforms first, all at once, where that is wanted.
pub(crate) async fn read(
    view: &View,
    stores: &Stores,
    clock: &Clock,
    asking: &Asking,
) -> Result<GetChannelsStatusResponse, Error> {
    let (only, ask) = (asking.channel.as_deref(), asking.within);
    let meant = || {
        let fits = |(key, _): &(&AccountKey, &Entry)| only.is_none_or(|only| only == key.channel);
        view.accounts.iter().filter(fits)
    };
    let found = join_all(meant().map(|(_, entry)| ask_of(entry, ask))).await;
    let mut accounts: BTreeMap<&str, Vec<Account>> = BTreeMap::new();
    for ((key, entry), found) in meant().zip(found) {
        let counts = stores.outbox.counts(key.clone()).await?;
        let mut account = Account::of(entry, counts);
        let paused = stores
            .pace
            .paused(
                key.clone(),
                entry.config.policy.pace,
                clock.now(),
                PAUSED_COUNTED_MAX,
            )
            .await?;
        account.pauses(&paused, clock.now());
        if let Some(found) = found {
            account.is_found(found);
        }
        accounts.entry(&key.channel).or_default().push(account);
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
    let order: Vec<String> = view
        .platforms
        .iter()
        .map(|platform| platform.name.clone().into_owned())
        .filter(|id| channels.contains_key(id))
        .collect();
    let fits = |(channel, _): &(&String, &String)| channels.contains_key(*channel);
    Ok(GetChannelsStatusResponse {
        ts: clock.now_ms(),
        channel_labels: order
            .iter()
            .map(|channel| (channel.clone(), view.platforms.label(channel)))
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

#[cfg(test)]
mod tests;
