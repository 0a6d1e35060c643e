//! What is new in the rooms, read in order and handed over: the place up to which it was read moves once the bridge has committed everything
//! before it.
//!
//! The client keeps a place of its own, which moves as soon as it has the keys and the state of an answer on the disk: earlier than ours. So at
//! each start the server is asked again what has been said since our place, beside the client, whose answer would be empty: it knows it already.
//! What was committed before comes a second time, and the bridge knows it by its id.

mod gap;
mod hear;

use std::time::Duration;

use gatehouse_plugin_sdk::{for_good, for_now};
use gatehouse_proto::channel::v1::{Ended, Heard as SignOfLife, run_account_response::Message as Said};
use matrix_sdk::{
    Client,
    config::{SyncSettings, SyncToken},
    ruma::{
        api::client::{
            filter::FilterDefinition,
            sync::sync_events::v3::{Filter, Request},
        },
        assign,
    },
    sync::SyncResponse,
};
use serde_json::Value;
use tokio::time::{self, Instant};

use self::gap::{Batch, decrypted};
use crate::{
    account::Account,
    invites::{self, Invitation, Strangers},
    login::Folder,
    outcome::Trouble,
    position::Position,
    settings::{Credential, Settings},
};

/// How long the server holds a request when nothing happens: the bridge asks after 30 seconds of silence.
const HOLD: Duration = Duration::from_secs(20);
/// Events of a room in one answer. What is between two answers and does not fit is fetched by pages.
const PAGE: u32 = 50;
/// Failures in a row that are waited out here; then the bridge opens the account anew, and says in its status why.
const FAILURES_MAX: u32 = 3;
/// Between two attempts at something that the bridge could not take, at first and at most.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// How often it is looked whether keys have come for messages without one.
const LOOK: Duration = Duration::from_secs(15);

fn filter() -> Filter {
    let mut filter = FilterDefinition::with_lazy_loading();
    filter.room.timeline.limit = Some(PAGE.into());
    Filter::FilterDefinition(filter)
}

/// Asks the server once what is new, from the client's place on, and keeps keys and state of it.
pub(crate) async fn once(
    client: &Client,
    token: Option<&str>,
    hold: Duration,
) -> Result<SyncResponse, Trouble> {
    let token = token.map_or(SyncToken::ReusePrevious, |token| {
        SyncToken::Specific(token.to_owned())
    });
    let settings = SyncSettings::new().filter(filter()).timeout(hold).token(token);
    Ok(Box::pin(client.sync_once(settings)).await?)
}

/// Reads for as long as the account is connected. Answers why it is over.
pub(crate) async fn run(account: &Account) -> Ended {
    let first = account
        .first
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .take();
    let Some((position, response)) = first else {
        return for_now("the account is read already");
    };
    let mut reading = Reading {
        account,
        position,
        strangers: Strangers::default(),
        looked: Instant::now(),
    };
    match Box::pin(reading.run(response)).await {
        Ok(never) => match never {},
        Err(trouble) => ended(&account.folder, &account.settings, &trouble),
    }
}

/// What the end of an account means to the bridge.
pub(crate) fn ended(folder: &Folder, settings: &Settings, trouble: &Trouble) -> Ended {
    match trouble {
        Trouble::LoggedOut(soft) => {
            folder.logged_out(*soft);
            match settings.credential {
                Credential::Password(..) => {
                    for_now("the server has ended the session: the account logs in again")
                }
                Credential::Token(_) => for_good(
                    "the server does not know `accessToken` any more: log in again and set the new one",
                ),
            }
        }
        trouble => for_now(format!("the homeserver: {trouble}")),
    }
}

struct Reading<'a> {
    account: &'a Account,
    position: Position,
    strangers: Strangers,
    looked: Instant,
}

impl Reading<'_> {
    async fn run(&mut self, first: SyncResponse) -> Result<std::convert::Infallible, Trouble> {
        let mut token = first.next_batch.clone();
        self.follow(invitations(&first, self.account)).await;
        invites::join_configured(self.account).await;
        // What was said before the account was first connected was not said to the assistant.
        if let Some(since) = self.position.token().map(str::to_owned) {
            self.catch_up(&since).await?;
        }
        self.position.move_to(&token);
        self.save().await;
        let mut failures = 0;
        loop {
            match once(&self.account.client, Some(&token), HOLD).await {
                Ok(response) => {
                    failures = 0;
                    let since = std::mem::replace(&mut token, response.next_batch.clone());
                    self.heard(response, &since).await?;
                }
                Err(trouble @ (Trouble::LoggedOut(_) | Trouble::Never(_))) => return Err(trouble),
                Err(trouble) => {
                    failures += 1;
                    if failures > FAILURES_MAX {
                        return Err(trouble);
                    }
                    let pause = match trouble {
                        Trouble::Busy(Some(after)) => after,
                        _ => AGAIN.0 * failures,
                    };
                    time::sleep(pause).await;
                }
            }
        }
    }

    /// An answer of the server.
    async fn heard(&mut self, response: SyncResponse, since: &str) -> Result<(), Trouble> {
        self.account.link.say(Said::Heard(SignOfLife {})).await;
        self.follow(invitations(&response, self.account)).await;
        let before = self.position.clone();
        let mut has_said = false;
        for (room, update) in response.rooms.joined {
            let timeline = update.timeline;
            has_said |= !timeline.events.is_empty();
            let gap = timeline.prev_batch.filter(|_| timeline.limited);
            let batch = Batch {
                room,
                gap,
                events: timeline.events,
            };
            self.hand_over(batch, since).await?;
        }
        let has_keys = !response.to_device.is_empty();
        if has_keys || self.looked.elapsed() >= LOOK {
            self.looked = Instant::now();
            self.look_for_keys().await;
        }
        // A place that nothing was said before needs no write: asking from the one before finds nothing either.
        if has_said || self.position != before {
            self.position.move_to(&response.next_batch);
            self.save().await;
        }
        Ok(())
    }

    /// Everything that was said since this place, whatever the client knows of it.
    async fn catch_up(&mut self, since: &str) -> Result<(), Trouble> {
        let client = &self.account.client;
        let request = assign!(Request::new(), {
            filter: Some(filter()),
            since: Some(since.to_owned()),
            timeout: Some(Duration::ZERO),
        });
        let response = client.send(request).await?;
        let me = self.account.me.as_str();
        let invited = response.rooms.invite.into_iter().filter_map(|(room, invited)| {
            let events = invited.invite_state.events.into_iter();
            Invitation::read(room, me, events.map(|event| value(event.json().get())))
        });
        let invited: Vec<_> = invited.filter(|invitation| invitation.is_open(client)).collect();
        self.follow(invited).await;
        for (id, joined) in response.rooms.join {
            let Some(room) = self.account.room(&id) else {
                continue;
            };
            let mut events = Vec::new();
            for event in joined.timeline.events {
                events.push(decrypted(&room, event).await?);
            }
            let gap = joined.timeline.prev_batch.filter(|_| joined.timeline.limited);
            self.hand_over(
                Batch {
                    room: id,
                    gap,
                    events,
                },
                since,
            )
            .await?;
        }
        Ok(())
    }

    async fn follow(&mut self, invitations: Vec<Invitation>) {
        for invitation in invitations {
            invites::consider(self.account, &mut self.strangers, &invitation).await;
        }
    }

    async fn save(&self) {
        if let Err(error) = self.account.link.save(self.position.written()).await {
            tracing::warn!(
                error,
                "the place is not kept: more is read again after the next start"
            );
        }
    }
}

fn invitations(response: &SyncResponse, account: &Account) -> Vec<Invitation> {
    let invited = response.rooms.invited.iter();
    let invitations = invited.filter_map(|(room, invited)| {
        let events = invited.invite_state.events.iter();
        let events = events.map(|event| value(event.json().get()));
        Invitation::read(room.clone(), account.me.as_str(), events)
    });
    invitations.collect()
}

fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_default()
}
