//! What each event that was read is to the bridge.

use gatehouse_plugin_sdk::Heard;
use gatehouse_proto::channel::v1::{
    Inbound, Remarked, remarked::Remark, run_account_response::Message as Said,
};
use matrix_sdk::{
    Room,
    deserialized_responses::TimelineEvent,
    ruma::{EventId, RoomId},
};
use serde_json::Value;
use tokio::time;

use super::{AGAIN, Reading, value};
use crate::{
    account::now_ms,
    event::{self, Meaning},
    inbound::inbound,
    position::Waiting,
    recent::Was,
};

/// The longest reaction that the contract has room for, in bytes.
const REACTION_BYTES_MAX: usize = 64;

impl Reading<'_> {
    /// One event.
    pub(super) async fn event(&mut self, room: &Room, timeline: &TimelineEvent, value: &Value) {
        let sender = value["sender"].as_str().unwrap_or_default();
        if sender == self.account.me {
            if let Some(id) = value["event_id"].as_str() {
                self.account.recent.keep(id, Was::Ours);
            }
            return;
        }
        if timeline.kind.is_utd() {
            tracing::info!(chat = %room.room_id(), sender, "a message came without its key: it is waited for");
            self.position.wait_for(Waiting {
                room: room.room_id().to_string(),
                event: value["event_id"].as_str().unwrap_or_default().to_owned(),
                at: now_ms(),
            });
            return;
        }
        match event::read(value) {
            Meaning::Said(message) => {
                let was = Was::Said(message.sender.clone());
                self.account.recent.keep(&message.id, was);
                if let Some(inbound) = inbound(self.account, room, *message).await {
                    self.kept(inbound).await;
                }
            }
            Meaning::Reacted { id, to, key } => self.reacted(room, sender, &id, &to, key).await,
            Meaning::TakenBack { event, by } => match self.account.recent.was(&event) {
                Some(Was::Reaction(key)) => self.remark(room, &by, Remark::NotReacted(key)).await,
                Some(Was::Said(sender)) if sender == by => {
                    self.remark(room, &by, Remark::TakenBack(true)).await;
                }
                _ => {}
            },
            Meaning::Nothing => {}
        }
    }

    /// Says a message to the bridge until it is kept, or never will be.
    async fn kept(&self, inbound: Inbound) {
        let mut pause = AGAIN.0;
        loop {
            match self.account.link.hear(inbound.clone()).await {
                Heard::Kept => return,
                Heard::PassedOver(reason) => {
                    tracing::info!(reason, "a message was passed over");
                    return;
                }
                Heard::Again(_) => {
                    time::sleep(pause).await;
                    pause = (pause * 2).min(AGAIN.1);
                }
            }
        }
    }

    async fn reacted(&self, room: &Room, by: &str, id: &str, to: &str, key: String) {
        if key.len() > REACTION_BYTES_MAX || !self.is_ours(room, to).await {
            return;
        }
        self.account.recent.keep(id, Was::Reaction(key.clone()));
        self.remark(room, by, Remark::Reacted(key)).await;
    }

    async fn is_ours(&self, room: &Room, event: &str) -> bool {
        if let Some(was) = self.account.recent.was(event) {
            return was == Was::Ours;
        }
        let Ok(id) = EventId::parse(event) else {
            return false;
        };
        let found = room.event(&id, None).await;
        found.is_ok_and(|found| {
            found
                .kind
                .sender()
                .is_some_and(|sender| sender == self.account.me)
        })
    }

    async fn remark(&self, room: &Room, by: &str, remark: Remark) {
        let remarked = Remarked {
            chat: room.room_id().to_string(),
            remark: Some(remark),
            sender_id: by.to_owned(),
            sender_aliases: Vec::new(),
        };
        self.account.link.say(Said::Remarked(remarked)).await;
    }

    /// Looks again at messages that came without a key.
    pub(super) async fn look_for_keys(&mut self) {
        for waiting in self.position.waiting(now_ms()) {
            let (Ok(room), Ok(id)) = (RoomId::parse(&waiting.room), EventId::parse(&waiting.event)) else {
                self.position.came(&waiting.event);
                continue;
            };
            let Some(room) = self.account.room(&room) else {
                continue;
            };
            let Ok(event) = room.event(&id, None).await else {
                continue;
            };
            if !event.kind.is_utd() {
                let value = value(event.raw().json().get());
                self.event(&room, &event, &value).await;
                self.position.came(&waiting.event);
            }
        }
    }
}
