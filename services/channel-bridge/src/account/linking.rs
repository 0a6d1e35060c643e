//! Linking an account with its platform, as a person at a page or a terminal goes through it.
//!
//! An account is made anew when its plugin is, so it is looked up again whenever something changes.

use std::{sync::Arc, time::Duration};

use gatehouse_core::{Secret, Timestamp};
use gatehouse_proto::channel::v1::{
    StartWebLoginRequest, StartWebLoginResponse, WaitWebLoginRequest, WaitWebLoginResponse,
};
use tokio::time::{self, Instant};

use super::{Entry, Manager, State, View, login::Login};
use crate::{adapter::AccountKey, error::Error};

/// How long somebody waits unless they say: what OpenClaw's pages say.
const CODE_WITHIN: Duration = Duration::from_secs(30);
/// The longest that a call waits: the methods themselves may take 130 seconds.
const WAIT_MAX: Duration = Duration::from_secs(120);

/// The code that somebody shows.
#[derive(Debug, Default)]
struct Shown {
    picture: Option<String>,
    pair_code: Option<String>,
}

/// How far it is.
struct Reached {
    key: AccountKey,
    state: State,
    message: String,
    login: Option<Login>,
}

/// Asks an account for its code.
pub(crate) async fn start(
    manager: &Manager,
    request: StartWebLoginRequest,
) -> Result<StartWebLoginResponse, Error> {
    let StartWebLoginRequest {
        channel,
        account_id,
        force,
        timeout_ms,
    } = request;
    let until = Instant::now() + within(timeout_ms, CODE_WITHIN);
    let (key, entry) = find(&*manager.view()?, channel, account_id)?;
    let before = entry.progress.started();
    let state = entry.progress.snapshot().state;
    let anew = force == Some(true) && state != State::Connected && state.running();
    if anew {
        manager.stop(vec![key.clone()]).await?;
    }
    let starts = anew || matches!(state, State::Failed | State::Stopped);
    if starts {
        manager.start(vec![key.clone()]).await?;
    }
    // What the account was before it was started says nothing.
    let stale = starts.then_some(before);
    reach(manager, &key, until, stale, |_| true).await.map(answer)
}

/// Waits until it is linked, or has another code than the one that is shown.
pub(crate) async fn wait(
    manager: &Manager,
    request: WaitWebLoginRequest,
) -> Result<WaitWebLoginResponse, Error> {
    let WaitWebLoginRequest {
        channel,
        account_id,
        timeout_ms,
        current_qr_data_url,
        current_pair_code,
    } = request;
    let until = Instant::now() + within(timeout_ms, WAIT_MAX);
    let (key, _) = find(&*manager.view()?, channel, account_id)?;
    let shown = Shown {
        picture: current_qr_data_url,
        pair_code: current_pair_code,
    };
    let reached = reach(manager, &key, until, None, |login| shown.is_old(login)).await?;
    let StartWebLoginResponse {
        channel,
        account_id,
        connected,
        state,
        message,
        qr_data_url,
        qr,
        pair_code,
        expires_at,
    } = answer(reached);
    Ok(WaitWebLoginResponse {
        channel,
        account_id,
        connected,
        state,
        message,
        qr_data_url,
        qr,
        pair_code,
        expires_at,
    })
}

fn answer(reached: Reached) -> StartWebLoginResponse {
    let Reached {
        key,
        state,
        message,
        login,
    } = reached;
    let told = |code: Option<&Secret>| code.map(|code| code.expose().to_owned());
    StartWebLoginResponse {
        channel: key.channel,
        account_id: key.account,
        connected: state == State::Connected,
        state: state.as_str().to_owned(),
        message,
        qr_data_url: login.as_ref().and_then(Login::picture),
        qr: told(login.as_ref().and_then(|login| login.qr.as_ref())),
        pair_code: told(login.as_ref().and_then(|login| login.pair_code.as_ref())),
        expires_at: login.and_then(|login| login.expires_at).map(Timestamp::as_ms),
    }
}

fn within(timeout_ms: Option<i64>, unset: Duration) -> Duration {
    timeout_ms.map_or(unset, |ms| {
        Duration::from_millis(ms.try_into().unwrap_or(0)).min(WAIT_MAX)
    })
}

impl Shown {
    /// Whether the account has another code. Who shows none waits for none.
    fn is_old(&self, login: &Login) -> bool {
        let pair_code = login.pair_code.as_ref().map(Secret::expose);
        (self.picture.is_some() && self.picture != login.picture())
            || (self.pair_code.is_some() && self.pair_code.as_deref() != pair_code)
    }
}

/// The account, which is a plugin's: the others log in with credentials.
fn find(view: &View, channel: Option<String>, account: Option<String>) -> Result<(AccountKey, Entry), Error> {
    let channel = match channel {
        Some(named) => known(view, named)?,
        None => waiting(view)?,
    };
    let key = match account {
        Some(account) if !account.is_empty() => AccountKey::new(channel, account),
        _ => {
            let account = view.defaults.get(&channel).cloned();
            AccountKey::new(channel, account.unwrap_or_else(|| "default".to_owned()))
        }
    };
    let entry = view.accounts.get(&key).cloned();
    let entry = entry.ok_or_else(|| Error::NoAccount(key.clone()))?;
    if view
        .platforms
        .get(&key.channel)
        .is_none_or(|platform| platform.is_compiled_in())
    {
        let channel = &key.channel;
        return Err(Error::Invalid(
            "/channel",
            format!(
                "nothing is scanned for {channel}: it logs in with credentials, which `gatehouse channels login {channel}` takes"
            ),
        ));
    }
    Ok((key, entry))
}

/// The channel of this name, or the only one whose name begins with it: pages ask for `whatsapp`, whatever speaks it.
fn known(view: &View, named: String) -> Result<String, Error> {
    if view.accounts.keys().any(|key| key.channel == named) {
        return Ok(named);
    }
    let begins = |channel: &&String| {
        let rest = channel.strip_prefix(named.as_str());
        rest.is_some_and(|rest| rest.starts_with('-'))
    };
    let mut longer: Vec<&String> = view
        .accounts
        .keys()
        .map(|key| &key.channel)
        .filter(begins)
        .collect();
    longer.dedup();
    match longer.as_slice() {
        [only] => Ok((*only).clone()),
        [] => Err(Error::NoChannel(named)),
        several => Err(Error::WhichChannel(several.iter().copied().cloned().collect())),
    }
}

/// The channel that waits for a person.
fn waiting(view: &View) -> Result<String, Error> {
    let waits = |entry: &Entry| entry.progress.logins().borrow().is_some();
    let mut channels: Vec<&String> = view
        .accounts
        .iter()
        .filter(|(_, entry)| waits(entry))
        .map(|(key, _)| &key.channel)
        .collect();
    channels.dedup();
    match channels.as_slice() {
        [only] => Ok((*only).clone()),
        [] => Err(Error::Invalid(
            "/channel",
            "no account waits to be linked: name the channel".to_owned(),
        )),
        several => Err(Error::WhichChannel(several.iter().copied().cloned().collect())),
    }
}

/// Waits until the account is connected, cannot be, or has a code that is wanted; at most until then. `stale`: when it was started before,
/// where it is started anew.
async fn reach(
    manager: &Manager,
    key: &AccountKey,
    until: Instant,
    stale: Option<Option<Instant>>,
    is_wanted: impl Fn(&Login) -> bool,
) -> Result<Reached, Error> {
    let mut views = manager.views();
    loop {
        let view: Option<Arc<View>> = views.borrow_and_update().clone();
        let view = view.ok_or(Error::NotReady)?;
        let entry = view
            .accounts
            .get(key)
            .ok_or_else(|| Error::NoAccount(key.clone()))?;
        let (mut states, mut logins) = (entry.progress.watch(), entry.progress.logins());
        states.borrow_and_update();
        let login = logins.borrow_and_update().clone();
        let snapshot = entry.progress.snapshot();
        let is_stale = stale.is_some_and(|before| entry.progress.started() == before);
        let is_over = !is_stale
            && (snapshot.state == State::Connected
                || !snapshot.state.running()
                || login.as_ref().is_some_and(&is_wanted));
        if is_over || Instant::now() >= until {
            let message = words(
                key,
                snapshot.state,
                login.as_ref(),
                snapshot.last_error.as_deref(),
            );
            return Ok(Reached {
                key: key.clone(),
                state: snapshot.state,
                message,
                login,
            });
        }
        tokio::select! {
            changed = views.changed() => changed.map_err(|_| Error::Ending)?,
            Ok(()) = states.changed() => {}
            Ok(()) = logins.changed() => {}
            () = time::sleep_until(until) => {}
        }
    }
}

/// Where it is, for a person.
fn words(key: &AccountKey, state: State, login: Option<&Login>, error: Option<&str>) -> String {
    match (state, login, error) {
        (State::Connected, ..) => {
            format!(
                "{key} is connected; who wants to link it anew unlinks it in the platform's application first"
            )
        }
        (_, Some(login), _) if !login.how.is_empty() => login.how.clone(),
        (_, Some(_), _) => "scan the code with the platform's application".to_owned(),
        (State::Standby, ..) => format!("another bridge has {key}"),
        (State::Stopped, ..) => format!(
            "{key} is stopped; `gatehouse channels start {}` connects it",
            key.channel
        ),
        (State::Failed, _, Some(error)) => format!("{key} cannot be connected: {error}"),
        (_, _, Some(error)) => format!("{key} is not connected yet: {error}"),
        (_, _, None) => format!("{key} is being connected, and has no code yet"),
    }
}
