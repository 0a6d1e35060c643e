//! A message from a channel.

use gatehouse_core::Content;
use gatehouse_core::content::Block;
use gatehouse_proto::common::v1 as common;
use gatehouse_proto::session::v1 as proto;
use gatehouse_proto::session::v1::peer::Kind;

use super::chat::{fingerprint, user_row};
use crate::error::Error;
use crate::id::RunId;
use crate::routing::{Inbound, Peer, PeerKind};
use crate::store::{Admission, InboundKey, Reply, Seed, Target};
use crate::turns::queue;
use crate::turns::{Engine, Submitted};

/// The most that one message of a channel says, as its text alone: the contract's figure.
const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

pub(super) async fn deliver(
    engine: &Engine,
    request: proto::DeliverMessageRequest,
    traceparent: Option<String>,
) -> Result<proto::DeliverMessageResponse, Error> {
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
    } = request;
    let peer = peer.and_then(place).ok_or(Error::Field {
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
    let content = said(text, content)?;
    let policy = engine.policy()?;
    let inbound = Inbound {
        channel: channel.clone(),
        account: account_id.clone(),
        peer,
        parent: parent_peer.and_then(place),
        guild: guild_id,
        team: team_id,
        roles,
        thread: thread_id,
    };
    let route = policy.router.route(&inbound, &policy.agents)?;
    let session = engine.stores().sessions.find(&route.key).await?;
    let chosen = session.as_ref().and_then(|session| session.queue_mode.as_deref());
    let now = engine.now_ms();
    let run = RunId::generate();
    let sender = sender_name
        .filter(|name| !name.trim().is_empty())
        .unwrap_or(sender_id);
    let admission = Admission {
        entry: user_row(&content, &run, Some(sender), now),
        fingerprint: fingerprint(&["channel", &channel, &account_id, &message_id]),
        queue: queue::rule(&policy.queue, Some(&channel), chosen, None),
        reply: Reply::To(target),
        seed: Seed {
            channel: Some(channel.clone()),
            chat_type: Some(inbound.peer.kind.word().to_owned()),
        },
        expected_session: None,
        inbound: Some(InboundKey {
            channel,
            account: account_id,
            message: message_id,
        }),
        model: None,
        thinking: None,
        timeout_ms: None,
        traceparent,
        now,
        key: route.key,
        run,
    };
    let Submitted { turn, duplicate } = engine.submit(admission).await?;
    Ok(proto::DeliverMessageResponse {
        run_id: turn.run.to_string(),
        session_key: turn.key.to_string(),
        agent_id: turn.key.agent().to_string(),
        matched_by: route.matched_by.word().to_owned(),
        duplicate,
    })
}

pub(super) async fn unknown(
    engine: &Engine,
    request: proto::FindUnknownMessagesRequest,
) -> Result<proto::FindUnknownMessagesResponse, Error> {
    let key = |key: proto::MessageKey| InboundKey {
        channel: key.channel,
        account: key.account_id,
        message: key.message_id,
    };
    let keys = request.keys.into_iter().map(key).collect();
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

fn place(peer: proto::Peer) -> Option<Peer> {
    let kind = match peer.kind() {
        Kind::Unspecified => return None,
        Kind::Direct => PeerKind::Direct,
        Kind::Group => PeerKind::Group,
        Kind::Channel => PeerKind::Channel,
    };
    (!peer.id.trim().is_empty()).then_some(Peer { kind, id: peer.id })
}
