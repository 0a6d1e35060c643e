//! Which rooms the account joins: those that it is configured to be in, and those that it is invited to by people who may.

use std::{collections::VecDeque, time::Duration};

use gatehouse_proto::channel::v1::{Room as Told, RoomState, Rooms, run_account_response::Message as Said};
use matrix_sdk::{
    Client, RoomState as State,
    ruma::{OwnedRoomId, RoomOrAliasId},
};
use serde_json::Value;
use tokio::time::Instant;

use crate::{account::Account, outcome::Trouble, settings::AutoJoin};

/// Invitations of people nobody named that are accepted within an hour: more of them is somebody's joke.
const STRANGERS_MAX: usize = 20;
const HOUR: Duration = Duration::from_secs(3_600);

/// An invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Invitation {
    room: OwnedRoomId,
    from: String,
    /// Whether it is one into a chat of two.
    direct: bool,
}

impl Invitation {
    /// Reads it from the few events that a server shows of a room that one is not in.
    pub(crate) fn read(room: OwnedRoomId, me: &str, events: impl Iterator<Item = Value>) -> Option<Self> {
        let own = |event: &Value| {
            event["type"] == "m.room.member"
                && event["state_key"] == me
                && event["content"]["membership"] == "invite"
        };
        let mut events = events;
        let invite = events.find(own)?;
        Some(Self {
            room,
            from: invite["sender"].as_str()?.to_owned(),
            direct: invite["content"]["is_direct"] == true,
        })
    }

    /// Whether nobody has followed it yet.
    pub(crate) fn is_open(&self, client: &Client) -> bool {
        let room = client.get_room(&self.room);
        room.is_none_or(|room| room.state() == State::Invited)
    }
}

/// How many strangers were followed of late.
#[derive(Debug, Default)]
pub(crate) struct Strangers(VecDeque<Instant>);

impl Strangers {
    fn may_one_more(&mut self) -> bool {
        let now = Instant::now();
        while self.0.front().is_some_and(|at| now.duration_since(*at) >= HOUR) {
            self.0.pop_front();
        }
        if self.0.len() >= STRANGERS_MAX {
            return false;
        }
        self.0.push_back(now);
        true
    }
}

/// Accepts an invitation, if it is one to accept. Who may talk there is not decided by it.
pub(crate) async fn consider(account: &Account, strangers: &mut Strangers, invitation: &Invitation) {
    let Invitation { room, from, direct } = invitation;
    let settings = &account.settings;
    let is_named = settings.invites_from.iter().any(|person| person == from);
    let accepts = match settings.auto_join {
        AutoJoin::Off => false,
        _ if is_named => true,
        AutoJoin::Direct => *direct && strangers.may_one_more(),
        AutoJoin::All => strangers.may_one_more(),
    };
    if !accepts {
        tracing::info!(chat = %room, sender = from, "an invitation was not accepted: see `autoJoin` and `invitesFrom`");
        return;
    }
    if *direct {
        account.is_meant_as_direct(room);
    }
    match account.client.join_room_by_id(room).await {
        Ok(_) => tracing::info!(chat = %room, sender = from, "an invitation was accepted"),
        Err(error) => {
            tracing::warn!(chat = %room, error = %Trouble::from(error), "an invitation was not accepted");
        }
    }
}

/// Joins the rooms of the configuration, and says how they are.
pub(crate) async fn join_configured(account: &Account) {
    if account.settings.rooms.is_empty() {
        return;
    }
    let mut rooms = Vec::new();
    for name in &account.settings.rooms {
        let joined = match RoomOrAliasId::parse(name) {
            Ok(id) => account
                .client
                .join_room_by_id_or_alias(&id, &[])
                .await
                .map(drop)
                .map_err(|error| Trouble::from(error).to_string()),
            Err(_) => Err("this is neither a room's id nor an alias".to_owned()),
        };
        let mut told = Told {
            name: name.clone(),
            state: RoomState::Joined.into(),
            ..Told::default()
        };
        if let Err(reason) = joined {
            told.state = RoomState::Refused.into();
            told.reason = Some(reason);
            told.next_step = Some(format!("invite {} into it", account.me));
        }
        rooms.push(told);
    }
    account.link.say(Said::Rooms(Rooms { rooms })).await;
}

#[cfg(test)]
mod tests {
    use matrix_sdk::ruma::room_id;
    use serde_json::json;

    use super::{HOUR, Invitation, STRANGERS_MAX, Strangers};

    #[test]
    fn an_invitation_says_who_it_is_from_and_what_the_room_is_for() {
        let events = [
            json!({"type": "m.room.name", "content": {"name": "x"}}),
            json!({"type": "m.room.member", "state_key": "@bot:example", "sender": "@anna:example", "content": {"membership": "invite", "is_direct": true}}),
        ];

        let invitation = Invitation::read(
            room_id!("!1:example").to_owned(),
            "@bot:example",
            events.into_iter(),
        );

        let invitation = invitation.expect("it is one");
        assert_eq!((&*invitation.from, invitation.direct), ("@anna:example", true));
        assert_eq!(
            Invitation::read(
                room_id!("!1:example").to_owned(),
                "@bot:example",
                std::iter::empty()
            ),
            None
        );
    }

    #[tokio::test(start_paused = true)]
    async fn many_strangers_at_once_are_not_followed() {
        let mut strangers = Strangers::default();
        for _ in 0..STRANGERS_MAX {
            assert!(strangers.may_one_more());
        }
        assert!(!strangers.may_one_more());

        tokio::time::advance(HOUR).await;
        assert!(strangers.may_one_more());
    }
}
