//! Messages from chats: `DeliverMessage`, `FindUnknownMessages`.

use std::sync::Arc;

use gatehouse_core::content::Block;
use gatehouse_core::{Case, Content, trace};
use gatehouse_proto::common::v1 as common;
use gatehouse_proto::session::v1 as proto;
use gatehouse_proto::session::v1::peer::{self, Kind};

use super::{Inbound, Peer, PeerKind};
use crate::commands::{self, Chatter, Speaker};
use crate::deliveries::{Recall, Target};
use crate::error::Error;
use crate::id::RunId;
use crate::transcripts::NewEntry;
use crate::turns::destination::Destination;
use crate::turns::fingerprint::Fingerprint;
use crate::turns::{Admission, Brought, Engine, InboundKey, Reply, Seed, Submitted};
use crate::viewer::Viewer;

/// The most that one message of a channel says, as its text alone: the contract's figure.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// A message from a chat.
struct Message {
    place: Inbound,
    key: InboundKey,
    sender: String,
    /// What people call the sender.
    sender_label: String,
    content: Content,
    target: Target,
    speaker: Speaker,
}

impl TryFrom<proto::DeliverMessageRequest> for Message {
    type Error = Error;

    fn try_from(request: proto::DeliverMessageRequest) -> Result<Self, Error> {
        let standing = request.sender_standing().into();
        let proto::DeliverMessageRequest {
            channel,
            account_id,
            message_id,
            peer,
            parent_peer,
            guild_id,
            team_id,
            roles,
            sender_id,
            sender_name,
            text,
            thread_id,
            reply_target,
            sent_at: _, // kept by the bridge
            content,
            sender_standing: _, // read above
            addressed,
        } = request;
        let peer = peer.and_then(read_peer).ok_or(Error::Field {
            path: "/peer",
            problem: "is needed, with a kind and an id",
        })?;
        let target: Target = reply_target
            .ok_or(Error::Field {
                path: "/replyTarget",
                problem: "is needed",
            })?
            .into();
        if target.channel != channel || target.account_id != account_id || target.to.is_empty() {
            // A reply goes to the chat that asked; a target elsewhere is a mistake of the bridge.
            return Err(Error::Field {
                path: "/replyTarget",
                problem: "is not in the channel and account of the message",
            });
        }
        let speaker = Speaker::Chat(Chatter {
            channel: channel.clone(),
            account: account_id.clone(),
            sender: sender_id.clone(),
            standing,
            direct: peer.kind == PeerKind::Direct,
            addressed,
            target: target.clone(),
        });
        Ok(Self {
            speaker,
            place: Inbound {
                channel: channel.clone(),
                account: account_id.clone(),
                peer,
                parent: parent_peer.and_then(read_peer),
                guild: guild_id,
                team: team_id,
                roles,
                thread: thread_id,
            },
            key: InboundKey {
                channel,
                account: account_id,
                message: message_id,
            },
            sender_label: sender_name
                .filter(|name| !name.trim().is_empty())
                .unwrap_or_else(|| sender_id.clone()),
            sender: sender_id,
            content: said(text, content)?,
            target,
        })
    }
}

pub(crate) async fn deliver(
    engine: &Engine,
    request: proto::DeliverMessageRequest,
) -> Result<proto::DeliverMessageResponse, Error> {
    let Message {
        place,
        key: inbound,
        sender,
        sender_label,
        content,
        target,
        speaker,
    } = Message::try_from(request)?;
    let policy = engine.policy()?;
    let route = policy.router.route(&place, &policy.agents)?;
    let channel = Some(place.channel.as_str());
    let Destination {
        key,
        queue,
        forbids_sending,
        ..
    } = Destination::find(engine.stores(), &policy, route.key, channel, None).await?;
    let now = engine.now();
    let run = RunId::generate();
    let InboundKey {
        channel,
        account,
        message,
    } = &inbound;
    let admission = Admission {
        entry: NewEntry::of_person(&content, &run, Some(sender_label), now),
        fingerprint: Fingerprint::of(&["channel", channel, account, message]).into_bytes(),
        queue,
        // What was said is taken and answered, and nothing of it leaves; what somebody says to the gateway is no message.
        reply: if forbids_sending && !commands::is_for_gateway(&content, &speaker, &policy) {
            Reply::Clients
        } else {
            Reply::To(target)
        },
        seed: Seed {
            channel: Some(channel.clone()),
            chat_type: Some(place.peer.kind),
            user: None,
        },
        viewer: Viewer::Owner, // the configuration says where it belongs
        expected_session: None,
        sender: Some(sender),
        inbound: Some(inbound),
        model: None,
        thinking: None,
        timeout_ms: None,
        task: None,
        brought: Brought::default(),
        life: Some(Arc::clone(&policy.life)),
        trace: trace::current().unwrap_or_default(),
        now,
        key,
        run,
    };
    let Submitted { turn, duplicate } = commands::take(engine, &policy, &speaker, admission).await?;
    Ok(proto::DeliverMessageResponse {
        run_id: turn.run.to_string(),
        session_key: turn.key.to_string(),
        agent_id: turn.key.agent().to_string(),
        matched_by: route.matched_by.word().to_owned(),
        duplicate,
    })
}

/// Where somebody in a chat wants no more of it.
struct Place {
    place: Inbound,
    target: Target,
}

impl TryFrom<proto::StopChatRequest> for Place {
    type Error = Error;

    fn try_from(request: proto::StopChatRequest) -> Result<Self, Error> {
        let proto::StopChatRequest {
            channel,
            account_id,
            peer,
            parent_peer,
            guild_id,
            team_id,
            roles,
            thread_id,
            reply_target,
        } = request;
        let needed = |path, problem| Error::Field { path, problem };
        Ok(Self {
            place: Inbound {
                channel,
                account: account_id,
                peer: peer
                    .and_then(read_peer)
                    .ok_or(needed("/peer", "is needed, with a kind and an id"))?,
                parent: parent_peer.and_then(read_peer),
                guild: guild_id,
                team: team_id,
                roles,
                thread: thread_id,
            },
            target: reply_target.ok_or(needed("/replyTarget", "is needed"))?.into(),
        })
    }
}

pub(crate) async fn stop(
    engine: &Engine,
    recall: &Recall,
    request: proto::StopChatRequest,
) -> Result<proto::StopChatResponse, Error> {
    let Place { place, target } = Place::try_from(request)?;
    let policy = engine.policy()?;
    let key = policy.router.route(&place, &policy.agents)?.key;
    let stopped = engine.abort_in_chat(key.clone(), target.clone()).await?;
    // After the runs: what one of them said last is taken back as well.
    let dropped_count = recall.of_chat(&key, target).await?;
    Ok(proto::StopChatResponse {
        session_key: key.to_string(),
        run_ids: stopped.iter().map(ToString::to_string).collect(),
        dropped_count,
    })
}

impl From<proto::MessageKey> for InboundKey {
    fn from(key: proto::MessageKey) -> Self {
        let proto::MessageKey {
            channel,
            account_id,
            message_id,
        } = key;
        Self {
            channel,
            account: account_id,
            message: message_id,
        }
    }
}

pub(crate) async fn unknown(
    engine: &Engine,
    request: proto::FindUnknownMessagesRequest,
) -> Result<proto::FindUnknownMessagesResponse, Error> {
    let keys = request.keys.into_iter().map(InboundKey::from).collect();
    let unknown = engine.stores().turns.unknown(keys).await?;
    Ok(proto::FindUnknownMessagesResponse { unknown })
}

/// What somebody said: words and media, and no more of it than one turn may hold.
fn said(text: String, content: Option<common::Content>) -> Result<Content, Error> {
    let wrong = |problem| Error::Field {
        path: "/content",
        problem,
    };
    let content = Content::from_parts(text, content).map_err(|error| wrong(error.problem()))?;
    let by_people = |block: &Block| matches!(block, Block::Text(_) | Block::Media(_) | Block::Opaque(_));
    if !content.blocks().iter().all(by_people) {
        return Err(wrong("holds a block that no person writes"));
    }
    if content.bytes() > MESSAGE_BYTES_MAX {
        return Err(wrong("is larger than 1 MiB"));
    }
    Ok(content)
}

fn read_peer(peer: proto::Peer) -> Option<Peer> {
    let kind = match peer.kind() {
        Kind::Unspecified => return None,
        Kind::Direct => PeerKind::Direct,
        Kind::Group => PeerKind::Group,
        Kind::Channel => PeerKind::Channel,
    };
    let case = match peer.case() {
        peer::Case::Unspecified => Case::Unicode, // as bindings are read
        peer::Case::Rfc1459 => Case::Rfc1459,
        peer::Case::Rfc1459Strict => Case::Rfc1459Strict,
    };
    (!peer.id.trim().is_empty()).then_some(Peer {
        kind,
        id: peer.id,
        case,
    })
}
