//! Somebody with a Matrix client of their own.

use std::time::Duration;

use matrix_sdk::{
    Client, Room, RoomState,
    config::SyncSettings,
    deserialized_responses::TimelineEvent,
    ruma::{
        OwnedRoomId, RoomId, UserId,
        api::client::room::create_room::v3::{Request, RoomPreset},
        assign,
        events::{InitialStateEvent, room::encryption::RoomEncryptionEventContent},
    },
};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::synapse::{DEADLINE, PASSWORD, Synapse};

pub(crate) struct Person {
    pub(crate) client: Client,
    pub(crate) id: String,
}

impl Person {
    /// Somebody new.
    pub(crate) async fn new(synapse: &Synapse, name: &str) -> Self {
        let id = synapse.register(name).await;
        Self::log_in(synapse, &id).await
    }

    /// Another device of somebody's.
    pub(crate) async fn log_in(synapse: &Synapse, id: &str) -> Self {
        let client = Client::builder().homeserver_url(&synapse.url).build().await;
        let client = client.expect("a client");
        let login = client.matrix_auth().login_username(id, PASSWORD).send().await;
        login.expect("logged in");
        let person = Self {
            client,
            id: id.to_owned(),
        };
        person.sync().await;
        person
    }

    pub(crate) fn token(&self) -> String {
        self.client.access_token().expect("a session")
    }

    async fn sync(&self) -> Vec<(OwnedRoomId, Vec<TimelineEvent>)> {
        let settings = SyncSettings::new().timeout(Duration::from_millis(500));
        let synced = Box::pin(self.client.sync_once(settings))
            .await
            .expect("an answer");
        let joined = synced.rooms.joined.into_iter();
        joined
            .map(|(room, update)| (room, update.timeline.events))
            .collect()
    }

    /// Makes a room and invites somebody, who has joined when this returns.
    pub(crate) async fn room_with(&self, other: &str, encrypted: bool, direct: bool) -> Room {
        let encryption =
            InitialStateEvent::with_empty_state_key(RoomEncryptionEventContent::with_recommended_defaults());
        let request = assign!(Request::new(), {
            invite: vec![UserId::parse(other).expect("an id")],
            is_direct: direct,
            preset: Some(RoomPreset::TrustedPrivateChat),
            initial_state: if encrypted { vec![encryption.to_raw_any()] } else { Vec::new() },
        });
        let room = self.client.create_room(request).await.expect("a room");
        let until = Instant::now() + DEADLINE;
        loop {
            let other = UserId::parse(other).expect("an id");
            let member = room.get_member_no_sync(&other).await.expect("members");
            let is_there = room.state() == RoomState::Joined
                && member.is_some_and(|member| member.membership().as_str() == "join");
            if is_there {
                return room;
            }
            assert!(Instant::now() < until, "{other} does not come");
            self.sync().await;
        }
    }

    /// Says something: the event.
    pub(crate) async fn say(&self, room: &Room, content: Value) -> String {
        let sent = room.send_raw("m.room.message", content).await.expect("sent");
        sent.response.event_id.to_string()
    }

    pub(crate) async fn write(&self, room: &Room, text: &str) -> String {
        self.say(room, json!({"msgtype": "m.text", "body": text})).await
    }

    /// Reads until an event of the room is what is looked for.
    pub(crate) async fn reads(&self, room: &RoomId, looks: impl Fn(&Value) -> bool) -> Value {
        let reading = async {
            loop {
                for (id, events) in self.sync().await {
                    let values = events.iter().map(|event| event.raw().json().get());
                    let values = values.map(|json| serde_json::from_str(json).expect("JSON"));
                    for event in values.filter(|_| id == *room) {
                        if looks(&event) {
                            return event;
                        }
                    }
                }
            }
        };
        timeout(DEADLINE, reading).await.expect("it was said in time")
    }
}
