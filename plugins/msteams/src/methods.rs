//! What clients may ask beside the channel: `msteams.conversations.list`, `msteams.members.list`, `msteams.card.send`.

use tonic::{Request, Response, Status};

use crate::{
    account::{Account, Accounts, now_ms},
    activity::PlaceKind,
    card,
    connector::{ConnectorError, patiently},
    contract::{
        Conversation, ListConversationsRequest, ListConversationsResponse, ListMembersRequest,
        ListMembersResponse, Member, SendCardRequest, SendCardResponse,
        ms_teams_service_server::MsTeamsService,
    },
    say::Target,
    store::Known,
};

/// Listed unless somebody says otherwise.
const LIMIT: u32 = 100;
/// The most that are listed, and the most members of a page of Teams'.
const LIMIT_MAX: u32 = 500;
/// The fewest members of a page of Teams'.
const MEMBERS_MIN: u32 = 50;

/// The methods.
#[derive(Clone, Debug)]
pub struct Methods(Accounts);

impl Methods {
    /// Over these accounts.
    #[must_use]
    pub fn new(accounts: Accounts) -> Self {
        Self(accounts)
    }

    fn account(&self, id: Option<&str>) -> Result<std::sync::Arc<Account>, Status> {
        self.0.only(id).ok_or_else(|| {
            Status::unavailable("no such account is connected to Teams: `gatehouse channels` says why; name one of several by `accountId`")
        })
    }
}

#[tonic::async_trait]
impl MsTeamsService for Methods {
    async fn list_conversations(
        &self,
        request: Request<ListConversationsRequest>,
    ) -> Result<Response<ListConversationsResponse>, Status> {
        let request = request.into_inner();
        let account = self.account(request.account_id.as_deref())?;
        let kind =
            match request.kind.as_deref() {
                None => None,
                Some(word) => Some(PlaceKind::from_word(word).ok_or_else(|| {
                    Status::invalid_argument("`kind` is `personal`, `groupChat` or `channel`")
                })?),
            };
        let behind = request.cursor.as_deref().map(behind).transpose()?;
        let limit = request.limit.unwrap_or(LIMIT).clamp(1, LIMIT_MAX);
        let listed = account
            .store
            .list(&account.id, kind, behind, limit)
            .await
            .map_err(|error| Status::internal(error.to_string()))?;
        let is_full = listed.len() == limit as usize;
        let cursor = listed.last().filter(|_| is_full).map(cursor);
        Ok(Response::new(ListConversationsResponse {
            conversations: listed.into_iter().map(conversation).collect(),
            cursor,
        }))
    }

    async fn list_members(
        &self,
        request: Request<ListMembersRequest>,
    ) -> Result<Response<ListMembersResponse>, Status> {
        let request = request.into_inner();
        let account = self.account(request.account_id.as_deref())?;
        let target = target(&account, &request.conversation_id, None).await?;
        let limit = request.limit.unwrap_or(LIMIT).clamp(MEMBERS_MIN, LIMIT_MAX);
        let page = patiently(|| {
            account.connector.members(
                &target.service,
                &target.conversation,
                limit,
                request.cursor.as_deref(),
            )
        })
        .await
        .map_err(|error| status(&error))?;
        let members = page.members.into_iter().map(|member| Member {
            id: member.id,
            user_id: member.aad_object_id,
            name: member.name,
            email: member.email,
            role: member.user_role,
        });
        Ok(Response::new(ListMembersResponse {
            members: members.collect(),
            cursor: page.continuation_token.filter(|token| !token.is_empty()),
        }))
    }

    async fn send_card(
        &self,
        request: Request<SendCardRequest>,
    ) -> Result<Response<SendCardResponse>, Status> {
        let request = request.into_inner();
        let parse =
            |text: &str| card::parse(text).map_err(|error| Status::invalid_argument(error.to_string()));
        let shown = parse(&request.card)?;
        if let Some(answer) = &request.answer_card {
            parse(answer)?;
        }
        let account = self.account(request.account_id.as_deref())?;
        let target = target(&account, &request.conversation_id, request.thread_id.as_deref()).await?;
        let message = card::message(&shown, request.summary.as_deref());
        let posted = patiently(|| {
            account
                .connector
                .post(&target.service, &target.conversation, &message)
        })
        .await
        .map_err(|error| status(&error))?;
        if let Some(answer) = &request.answer_card {
            let conversation = target
                .conversation
                .split(";messageid=")
                .next()
                .unwrap_or_default();
            account
                .store
                .keep_answer(&account.id, conversation, &posted.id, answer, now_ms())
                .await
                .map_err(|error| {
                    Status::internal(format!(
                        "the card was sent, and its answer is not remembered: {error}"
                    ))
                })?;
        }
        Ok(Response::new(SendCardResponse {
            message_id: posted.id,
        }))
    }
}

async fn target(account: &Account, conversation: &str, thread: Option<&str>) -> Result<Target, Status> {
    let target = Target::known(account, conversation, thread).await;
    target.map_err(|error| status(&error))
}

fn status(error: &ConnectorError) -> Status {
    let text = error.to_string();
    match error {
        ConnectorError::Busy { .. } | ConnectorError::Unreached(_) => Status::unavailable(text),
        ConnectorError::Unknown(_) => Status::unknown(format!("{text}; nobody knows whether Teams took it")),
        ConnectorError::Credential(_) => Status::failed_precondition(text),
        ConnectorError::Refused { status: 404, .. } => Status::not_found(text),
        ConnectorError::Refused { status: 403, .. } => Status::permission_denied(text),
        ConnectorError::Refused { .. } => Status::invalid_argument(text),
    }
}

/// Where a list goes on.
fn cursor(last: &Known) -> String {
    format!("{}:{}", last.heard_at, last.place.conversation)
}

fn behind(cursor: &str) -> Result<(i64, String), Status> {
    let wrong = || Status::invalid_argument("`cursor` is not one of an answer before");
    let (heard_at, id) = cursor.split_once(':').ok_or_else(wrong)?;
    Ok((heard_at.parse().map_err(|_| wrong())?, id.to_owned()))
}

fn conversation(known: Known) -> Conversation {
    let place = known.place;
    Conversation {
        id: place.conversation,
        kind: place.kind.word().to_owned(),
        name: place.name,
        tenant_id: place.tenant,
        team_id: place.team,
        team_group_id: place.team_group,
        last_heard_at: known.heard_at,
    }
}
