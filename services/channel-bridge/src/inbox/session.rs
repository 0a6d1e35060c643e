//! The session service, and how a message reads there.

use async_trait::async_trait;
use gatehouse_core::{Case, Failure, client::PeerService};
use gatehouse_proto::session::v1::{
    DeliverMessageRequest, DeliverMessageResponse, FindUnknownMessagesRequest, MessageKey, Peer,
    SenderStanding, StopChatRequest, StopChatResponse, Target, peer,
    session_service_client::SessionServiceClient,
};

use super::store::InboxRow;
use crate::{
    adapter::{AccountKey, ChatKind, InboundMessage, Origin},
    id::{ChatId, GuildId, RoleId, TeamId},
    policy::Standing,
};

/// The session service, as the inbox sees it.
#[async_trait]
pub(crate) trait SessionClient: Send + Sync + 'static {
    /// Takes a message over; a repeat with the same id is answered the same.
    async fn deliver(&self, request: DeliverMessageRequest) -> Result<DeliverMessageResponse, Failure>;
    /// Stops what it does in a chat.
    async fn stop(&self, request: StopChatRequest) -> Result<StopChatResponse, Failure>;
    /// The places of those messages that it never took over.
    async fn unknown(&self, keys: Vec<MessageKey>) -> Result<Vec<u32>, Failure>;
}

#[async_trait]
impl SessionClient for SessionServiceClient<PeerService> {
    async fn deliver(&self, request: DeliverMessageRequest) -> Result<DeliverMessageResponse, Failure> {
        let answer = self.clone().deliver_message(request).await;
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| Failure::from_status(&status))
    }

    async fn stop(&self, request: StopChatRequest) -> Result<StopChatResponse, Failure> {
        let answer = self.clone().stop_chat(request).await;
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| Failure::from_status(&status))
    }

    async fn unknown(&self, keys: Vec<MessageKey>) -> Result<Vec<u32>, Failure> {
        let asked = FindUnknownMessagesRequest { keys };
        let answer = self.clone().find_unknown_messages(asked).await;
        answer
            .map(|answer| answer.into_inner().unknown)
            .map_err(|status| Failure::from_status(&status))
    }
}

pub(super) fn request(row: &InboxRow, standing: Standing) -> DeliverMessageRequest {
    let AccountKey { channel, account } = row.account.clone();
    let InboundMessage {
        message_id,
        chat_kind,
        chat_id,
        chat_aliases: _, // for the policy as well
        case,
        origin:
            Origin {
                parent,
                guild_id,
                team_id,
                roles,
            },
        reply_to,
        thread_id,
        sender_id,
        sender_aliases: _, // for the policy, which has decided
        sender_name,
        content,
        mentioned,
        from_bot: _, // as well
        sent_at,
    } = row.message.clone();
    let (text, content) = content.into_parts();
    DeliverMessageRequest {
        channel: channel.clone(),
        account_id: account.clone(),
        message_id: message_id.as_str().to_owned(),
        peer: Some(peer(chat_kind, chat_id, case)),
        parent_peer: parent.map(|parent| peer(parent.kind, parent.id, case)),
        guild_id: guild_id.map(GuildId::into),
        team_id: team_id.map(TeamId::into),
        roles: roles.into_iter().map(RoleId::into).collect(),
        sender_id: sender_id.into(),
        sender_name,
        text,
        thread_id: thread_id.clone(),
        reply_target: Some(Target {
            channel,
            account_id: account,
            to: reply_to.into(),
            thread_id,
            reply_to_id: Some(message_id.into()),
        }),
        sent_at,
        content,
        sender_standing: match standing {
            Standing::Anybody => SenderStanding::Unspecified,
            Standing::Listed => SenderStanding::Listed,
            Standing::Owner => SenderStanding::Owner,
        }
        .into(),
        addressed: mentioned || chat_kind == ChatKind::Direct,
    }
}

fn peer(kind: ChatKind, id: ChatId, case: Case) -> Peer {
    let case = match case {
        Case::Rfc1459 => peer::Case::Rfc1459,
        Case::Rfc1459Strict => peer::Case::Rfc1459Strict,
        Case::Ascii | Case::Unicode => peer::Case::Unspecified, // bindings are read so in any case
    };
    let kind = match kind {
        ChatKind::Direct => peer::Kind::Direct,
        ChatKind::Group => peer::Kind::Group,
        ChatKind::Channel => peer::Kind::Channel,
    };
    Peer {
        kind: kind.into(),
        id: id.into(),
        case: case.into(),
    }
}
