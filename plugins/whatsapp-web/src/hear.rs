//! What people say on WhatsApp, on its way to the bridge. WhatsApp is told that a message was received once the bridge has it on its disk:
//! until then it stays with WhatsApp, and comes again on the next connection.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use gatehouse_plugin_sdk::{Heard, Link};
use gatehouse_proto::{
    channel::v1::{
        ChatKind, Inbound, InboundChat, InboundSender, Remarked, remarked::Remark,
        run_account_response::Message,
    },
    common::v1::{Block, Content, block::Kind},
};
use tokio::{sync::watch, time};
use whatsapp_rust::{
    InboundDurabilityHook, Jid, Server,
    prelude::{Client, InboundMessage, MessageInfo, wa},
};

use crate::{
    content::{self, Said},
    ids::{MessageId, Person, is_group},
};

/// How long the bridge may take. What it has not taken by then comes again.
const WITHIN: Duration = Duration::from_secs(20);
/// Messages of which the beginning is remembered, so that an answer can quote them.
const QUOTED_MAX: usize = 500;
/// How much of each, in characters: a phone shows about that much.
const QUOTE_CHARS: usize = 200;
/// Reactions that are remembered, so that the end of one can be told.
const REACTIONS_MAX: usize = 200;

/// What is remembered of what was heard: bounded, and no harm is done when it is lost.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    said: Mutex<VecDeque<(String, String)>>,
    reactions: Mutex<VecDeque<(String, String)>>,
}

impl Memory {
    /// How a message begins.
    pub(crate) fn beginning(&self, id: &str) -> Option<String> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.iter()
            .find(|(known, _)| known == id)
            .map(|(_, text)| text.clone())
    }

    fn said(&self, id: String, words: &str) {
        let beginning: String = words.chars().take(QUOTE_CHARS).collect();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.retain(|(known, _)| *known != id); // it comes again until the bridge has it
        if said.len() >= QUOTED_MAX {
            said.pop_front();
        }
        said.push_back((id, beginning));
    }

    /// The reaction that somebody takes back. An emoji is remembered in its place.
    fn reaction(&self, to: String, emoji: &str) -> Option<String> {
        let mut reactions = self.reactions.lock().unwrap_or_else(PoisonError::into_inner);
        let known = reactions.iter().position(|(known, _)| *known == to);
        let before = known.and_then(|at| reactions.remove(at)).map(|(_, emoji)| emoji);
        if !emoji.is_empty() {
            if reactions.len() >= REACTIONS_MAX {
                reactions.pop_front();
            }
            reactions.push_back((to, emoji.to_owned()));
        }
        before
    }
}

/// The two ids that WhatsApp knows us by.
#[derive(Clone, Debug, Default)]
pub(crate) struct Me {
    pub(crate) number: Option<Jid>,
    pub(crate) hidden: Option<Jid>,
}

impl Me {
    pub(crate) fn of(client: &Client) -> Self {
        Self {
            number: client.pn(),
            hidden: client.lid(),
        }
    }

    fn is_named(&self, text: &str) -> bool {
        text.parse().is_ok_and(|jid| self.is(&jid))
    }

    /// Whether it is us, on whichever device.
    pub(crate) fn is(&self, jid: &Jid) -> bool {
        let same = |own: &Option<Jid>| {
            own.as_ref()
                .is_some_and(|own| own.user_base() == jid.user_base() && own.server == jid.server)
        };
        same(&self.number) || same(&self.hidden)
    }
}

/// What hears people.
pub(crate) struct Hearing {
    pub(crate) link: Arc<Link>,
    pub(crate) memory: Arc<Memory>,
    pub(crate) send_read_receipts: bool,
    /// Why something was not taken: it comes again on the next connection alone.
    pub(crate) missed: watch::Sender<Option<String>>,
}

#[async_trait::async_trait]
impl InboundDurabilityHook for Hearing {
    async fn on_messages(&self, client: Arc<Client>, batch: &[InboundMessage]) -> anyhow::Result<()> {
        let me = Me::of(&client);
        for InboundMessage { message, info, .. } in batch {
            if let Err(reason) = self.hear(&client, &me, message, info).await {
                self.missed.send_replace(Some(reason.clone()));
                anyhow::bail!(reason);
            }
        }
        Ok(())
    }
}

impl Hearing {
    /// # Errors
    /// Why the bridge has not taken it.
    async fn hear(
        &self,
        client: &Arc<Client>,
        me: &Me,
        message: &wa::Message,
        info: &Arc<MessageInfo>,
    ) -> Result<(), String> {
        if let Some(reason) = passed_over(info) {
            tracing::debug!(message.id = info.id, reason, "a message was passed over");
            return Ok(());
        }
        match content::read(message) {
            Said::Words(blocks) => {
                let words = words(&blocks);
                let inbound = inbound(info, me, content::context(message), blocks);
                // Before the bridge has it: its answer may be here before its word is.
                self.memory.said(inbound.message_id.clone(), &words);
                match time::timeout(WITHIN, self.link.hear(inbound)).await {
                    Ok(Heard::Kept) => self.read(client, info),
                    Ok(Heard::PassedOver(reason)) => {
                        tracing::info!(message.id = info.id, reason, "a message was passed over");
                    }
                    Ok(Heard::Again(reason)) => return Err(reason),
                    Err(_) => return Err("the gateway did not take a message in time".to_owned()),
                }
            }
            Said::Reaction { to, emoji } => {
                let ours = is_ours(me, info, &to);
                let key = format!("{}|{}", to.id.unwrap_or_default(), info.source.sender.to_non_ad());
                let before = self.memory.reaction(key, &emoji);
                let remark = match (emoji.is_empty(), before) {
                    (false, _) => Remark::Reacted(emoji),
                    (true, Some(before)) => Remark::NotReacted(before),
                    (true, None) => return Ok(()),
                };
                if ours {
                    self.remark(info, remark).await;
                }
            }
            Said::TakenBack => self.remark(info, Remark::TakenBack(true)).await,
            Said::Nothing(reason) => {
                tracing::debug!(message.id = info.id, reason, "a message was passed over");
            }
        }
        Ok(())
    }

    async fn remark(&self, info: &MessageInfo, remark: Remark) {
        let source = &info.source;
        let person = Person::of(&source.sender.to_non_ad(), source.sender_alt.as_ref());
        let remarked = Remarked {
            chat: source.chat.to_non_ad_string(),
            remark: Some(remark),
            sender_id: person.id,
            sender_aliases: person.aliases,
        };
        self.link.say(Message::Remarked(remarked)).await;
    }

    /// Tells the sender that it was read. Not from here: what calls us holds what sending needs.
    fn read(&self, client: &Arc<Client>, info: &Arc<MessageInfo>) {
        if !self.send_read_receipts {
            return;
        }
        let (client, info) = (Arc::clone(client), Arc::clone(info));
        tokio::spawn(async move {
            let sender = info.source.is_group.then_some(&info.source.sender);
            if let Err(error) = client.mark_as_read(&info.source.chat, sender, &[&info.id]).await {
                tracing::debug!(error = %error, "a receipt was not sent");
            }
        });
    }
}

/// Why nobody has to answer a message, whatever it says.
fn passed_over(info: &MessageInfo) -> Option<&'static str> {
    let source = &info.source;
    match () {
        () if source.is_from_me => Some("our own, from another device"),
        () if source.chat.server == Server::Broadcast => Some("a status or a list"),
        () if source.chat.server == Server::Newsletter => Some("a channel that is followed"),
        () => None,
    }
}

/// Whether a reaction is to a message of ours. Its key is as its sender sees it.
fn is_ours(me: &Me, info: &MessageInfo, to: &wa::MessageKey) -> bool {
    match &to.participant {
        Some(participant) => me.is_named(participant),
        None => !info.source.is_group && to.from_me != Some(true),
    }
}

fn words(blocks: &[Kind]) -> String {
    let text = blocks.iter().find_map(|block| match block {
        Kind::Text(text) => Some(text.text.clone()),
        _ => None,
    });
    text.unwrap_or_default()
}

/// What the bridge is told.
fn inbound(info: &MessageInfo, me: &Me, context: Option<&wa::ContextInfo>, blocks: Vec<Kind>) -> Inbound {
    let source = &info.source;
    let (chat, sender) = (source.chat.to_non_ad(), source.sender.to_non_ad());
    let is_group = source.is_group || is_group(&chat);
    let person = Person::of(&sender, source.sender_alt.as_ref());
    let mentioned = !is_group
        || context.is_some_and(|context| {
            context.mentioned_jid.iter().any(|jid| me.is_named(jid))
                || context.participant.as_deref().is_some_and(|who| me.is_named(who))
        });
    let message_id = MessageId {
        id: info.id.clone(),
        chat: chat.clone(),
        sender,
    };
    Inbound {
        seq: 0,
        message_id: message_id.text(),
        chat: Some(InboundChat {
            kind: i32::from(if is_group {
                ChatKind::Group
            } else {
                ChatKind::Direct
            }),
            id: if is_group {
                chat.to_string()
            } else {
                person.id.clone()
            },
            aliases: if is_group {
                Vec::new()
            } else {
                person.aliases.clone()
            },
            parent: None,
            guild_id: None,
            team_id: None,
        }),
        sender: Some(InboundSender {
            id: person.id,
            aliases: person.aliases,
            name: info.push_name.chars().take(200).collect(),
            bot: false,
            roles: Vec::new(),
        }),
        text: String::new(),
        content: Some(Content {
            blocks: blocks
                .into_iter()
                .map(|kind| Block { kind: Some(kind) })
                .collect(),
        }),
        mentioned,
        sent_at: info.timestamp.timestamp_millis(),
        reply_to: chat.to_string(),
        thread_id: None,
        name_case: 0,
    }
}

#[cfg(test)]
mod tests;
