//! One account while it is connected.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use gatehouse_plugin_sdk::{Account as Connected, Fetched, Link, PartOutcome, PreviewOutcome};
use gatehouse_proto::channel::v1::{
    AddReaction, Ended, MediaHead, Notice, NoticeTopic, SendPart, ShowPreview, ShowTyping, WithdrawPreview,
    run_account_response::Message as Said,
};
use matrix_sdk::{
    Client, Room, RoomState,
    ruma::{OwnedRoomId, OwnedUserId, RoomId},
    sync::SyncResponse,
};
use tonic::Status;

use crate::{login::Folder, media, position::Position, recent::Recent, say, settings::Settings, sync};

/// Rooms that are remembered for a while. An account is in far fewer.
const ROOMS_MAX: usize = 10_000;

/// One account.
#[derive(Debug)]
pub struct Account {
    /// The client, with the account's keys.
    pub client: Client,
    /// Its own id.
    pub me: OwnedUserId,
    /// What people call it.
    pub name: Option<String>,
    /// How it is configured.
    pub settings: Settings,
    /// Where its session is kept.
    pub folder: Folder,
    /// The way to the bridge.
    pub link: Arc<Link>,
    pub(crate) recent: Recent,
    /// What is read first: where the last stream stopped, and what the server has said since it was asked.
    pub(crate) first: Mutex<Option<(Position, SyncResponse)>>,
    /// Rooms that somebody invited the account into for a chat of two.
    direct: Mutex<HashSet<OwnedRoomId>>,
    /// Rooms that were encrypted when something was said there.
    encrypted: Mutex<HashSet<OwnedRoomId>>,
}

impl Account {
    pub(crate) fn new(
        (client, me): (Client, OwnedUserId),
        name: Option<String>,
        settings: Settings,
        folder: Folder,
        link: Arc<Link>,
        first: (Position, SyncResponse),
    ) -> Self {
        Self {
            client,
            me,
            name,
            settings,
            folder,
            link,
            recent: Recent::default(),
            first: Mutex::new(Some(first)),
            direct: Mutex::default(),
            encrypted: Mutex::default(),
        }
    }

    /// A room that the account is in.
    pub(crate) fn room(&self, id: &RoomId) -> Option<Room> {
        let room = self.client.get_room(id)?;
        (room.state() == RoomState::Joined).then_some(room)
    }

    /// Whether a room is a chat of two: it is meant as one, and nobody else is there.
    pub(crate) fn is_direct(&self, room: &Room) -> bool {
        let is_meant = room.direct_targets_length() == 1 || self.direct_rooms().contains(room.room_id());
        is_meant && room.active_members_count() <= 2
    }

    pub(crate) fn is_meant_as_direct(&self, room: &RoomId) {
        remember(&mut self.direct_rooms(), room);
    }

    pub(crate) fn has_been_encrypted(&self, room: &RoomId) {
        remember(&mut self.encrypted_rooms(), room);
    }

    pub(crate) fn was_encrypted(&self, room: &RoomId) -> bool {
        self.encrypted_rooms().contains(room)
    }

    /// Says what is not as it should be with the login, or that everything is.
    pub(crate) async fn notice(&self, text: Option<String>) {
        let notice = Notice {
            topic: NoticeTopic::Login.into(),
            text,
        };
        self.link.say(Said::Notice(notice)).await;
    }

    fn direct_rooms(&self) -> std::sync::MutexGuard<'_, HashSet<OwnedRoomId>> {
        self.direct.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn encrypted_rooms(&self) -> std::sync::MutexGuard<'_, HashSet<OwnedRoomId>> {
        self.encrypted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn remember(rooms: &mut HashSet<OwnedRoomId>, room: &RoomId) {
    if rooms.len() < ROOMS_MAX {
        rooms.insert(room.to_owned());
    }
}

impl Connected for Account {
    async fn run(&self) -> Ended {
        sync::run(self).await
    }

    async fn send(&self, part: SendPart) -> PartOutcome {
        say::send(self, part).await
    }

    async fn typing(&self, typing: ShowTyping) {
        say::typing(self, &typing).await;
    }

    async fn show(&self, preview: ShowPreview) -> PreviewOutcome {
        say::show(self, preview).await
    }

    async fn withdraw(&self, preview: WithdrawPreview) -> PreviewOutcome {
        say::withdraw(self, preview).await
    }

    async fn react(&self, reaction: AddReaction) -> Result<(), String> {
        say::react(self, &reaction).await
    }

    async fn probe(&self) -> bool {
        self.client.whoami().await.is_ok()
    }

    async fn fetch(&self, address: String) -> Result<Fetched, Status> {
        media::fetch(self, &address).await
    }

    async fn take(
        &self,
        head: MediaHead,
        data: futures::stream::BoxStream<'static, Result<bytes::Bytes, Status>>,
    ) -> Result<String, Status> {
        media::take(self, head, data).await
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
