//! The session service, and how a message reads there.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use async_trait::async_trait;
use futures::{Stream, StreamExt, stream::BoxStream};
use gatehouse_core::{Case, Failure, client::PeerService};
use gatehouse_proto::session::v1::{
    DeliverMessageRequest, DeliverMessageResponse, FindUnknownMessagesRequest, FollowRunRequest,
    FollowRunResponse, KeepMediaRequest, KeepMediaResponse, MessageKey, Peer, ReadMediaRequest,
    ReadMediaResponse, SenderStanding, StopChatRequest, StopChatResponse, Target,
    media_service_client::MediaServiceClient, peer, session_service_client::SessionServiceClient,
};
use tokio::sync::mpsc;

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
    /// Keeps a medium: its head first, then its bytes.
    async fn keep(&self, parts: Parts) -> Result<KeepMediaResponse, Failure>;
    /// Stops what it does in a chat.
    async fn stop(&self, request: StopChatRequest) -> Result<StopChatResponse, Failure>;
    /// A medium that it keeps: what it is, then its bytes.
    async fn read(&self, id: String) -> Result<Reading, Failure>;
    /// What a run writes while it writes it. `lasting`: what is shown of it stays in the chat.
    async fn follow(&self, run: String, lasting: bool) -> Result<Writing, Failure>;
    /// The places of those messages that it never took over.
    async fn unknown(&self, keys: Vec<MessageKey>) -> Result<Vec<u32>, Failure>;
}

/// What a run writes.
pub(crate) type Writing = BoxStream<'static, Result<FollowRunResponse, Failure>>;

/// A medium that is read.
pub(crate) type Reading = BoxStream<'static, Result<ReadMediaResponse, Failure>>;

/// A medium on its way: its head, then its bytes.
#[derive(Debug)]
pub(crate) struct Parts(pub(crate) mpsc::Receiver<KeepMediaRequest>);

impl Stream for Parts {
    type Item = KeepMediaRequest;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<KeepMediaRequest>> {
        self.0.poll_recv(context)
    }
}

/// The session service itself.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) messages: SessionServiceClient<PeerService>,
    pub(crate) media: MediaServiceClient<PeerService>,
}

#[async_trait]
impl SessionClient for Session {
    async fn deliver(&self, request: DeliverMessageRequest) -> Result<DeliverMessageResponse, Failure> {
        let answer = self.messages.clone().deliver_message(request).await;
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| Failure::from_status(&status))
    }

    async fn keep(&self, parts: Parts) -> Result<KeepMediaResponse, Failure> {
        let answer = self.media.clone().keep_media(parts).await;
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| Failure::from_status(&status))
    }

    async fn stop(&self, request: StopChatRequest) -> Result<StopChatResponse, Failure> {
        let answer = self.messages.clone().stop_chat(request).await;
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| Failure::from_status(&status))
    }

    async fn read(&self, id: String) -> Result<Reading, Failure> {
        let reading = self.media.clone().read_media(ReadMediaRequest { id }).await;
        let reading = reading
            .map_err(|status| Failure::from_status(&status))?
            .into_inner();
        let reading = reading.map(|part| part.map_err(|status| Failure::from_status(&status)));
        Ok(reading.boxed())
    }

    async fn follow(&self, run_id: String, lasting: bool) -> Result<Writing, Failure> {
        let followed = FollowRunRequest { run_id, lasting };
        let writing = self.messages.clone().follow_run(followed).await;
        let writing = writing
            .map_err(|status| Failure::from_status(&status))?
            .into_inner();
        let writing = writing.map(|part| part.map_err(|status| Failure::from_status(&status)));
        Ok(writing.boxed())
    }

    async fn unknown(&self, keys: Vec<MessageKey>) -> Result<Vec<u32>, Failure> {
        let asked = FindUnknownMessagesRequest { keys };
        let answer = self.messages.clone().find_unknown_messages(asked).await;
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
        sent_at: sent_at.as_ms(),
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
