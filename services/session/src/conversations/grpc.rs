//! The contract's methods: parse, ask, answer.

use gatehouse_core::Caller;
use gatehouse_core::client::PeerService;
use gatehouse_proto::agent::v1::ListModelsRequest;
use gatehouse_proto::agent::v1::agent_service_client::AgentServiceClient;
use gatehouse_proto::session::v1::conversation_service_server::ConversationService;
use gatehouse_proto::session::v1::*;
use tonic::{Request, Response, Status};

use super::{compact, fork, many, message, search};
use crate::commands;
use crate::deliveries::Recall;
use crate::error::Error;
use crate::id::RunId;
use crate::key::SessionKey;
use crate::sessions::SessionRef;
use crate::turns::Engine;
use crate::turns::grpc as turns;
use crate::viewer::Viewer;

/// Models of one list: those of a configuration are far fewer, and a message holds them all.
const MODELS_BYTES_MAX: usize = 16 * 1024 * 1024;

#[derive(Debug)]
pub(crate) struct Grpc {
    engine: Engine,
    recall: Recall,
    /// Who knows the models.
    agent: AgentServiceClient<PeerService>,
}

impl Grpc {
    pub(crate) fn new(engine: Engine, recall: Recall, agent: PeerService) -> Self {
        Self {
            engine,
            recall,
            agent: AgentServiceClient::new(agent).max_decoding_message_size(MODELS_BYTES_MAX),
        }
    }

    async fn abort(
        &self,
        viewer: &Viewer,
        request: AbortSessionRequest,
    ) -> Result<AbortSessionResponse, Error> {
        let AbortSessionRequest {
            key,
            run_id,
            agent_id,
        } = request;
        let run = run_id.clone().map(RunId::new);
        let (key, agent_id) = match (key, &run) {
            (Some(key), _) => (key, agent_id),
            (None, Some(run)) => match self.engine.stores().turns.find(run).await? {
                Some(turn) if viewer.check_key(&self.engine, &turn.key).await.is_ok() => {
                    (turn.key.to_string(), None)
                }
                Some(_) | None => return Ok(aborted(None)),
            },
            (None, None) => {
                return Err(Error::Field {
                    path: "/key",
                    problem: "is missing, and so is runId: say what is to stop",
                });
            }
        };
        let of_session = AbortChatRequest {
            session_key: key,
            agent_id,
            run_id,
        };
        let stopped = turns::abort(&self.engine, &self.recall, viewer, of_session).await?;
        // What waited was begun later than what ran: the first is the one that ran.
        Ok(aborted(stopped.run_ids.into_iter().next()))
    }

    async fn send(
        &self,
        caller: Option<Caller>,
        request: SendMessageRequest,
    ) -> Result<SendMessageResponse, Error> {
        let SendMessageRequest {
            key,
            message,
            idempotency_key,
            agent_id,
            thinking,
            timeout_ms,
            attachments,
        } = request;
        let viewer = Viewer::behind(caller.as_ref());
        let there = SessionRef::new(key.clone(), agent_id.clone())
            .resolve_to_act(&self.engine, &viewer)
            .await?;
        self.engine.check_there(&there).await?;
        let said = SendChatRequest {
            session_key: key,
            message,
            idempotency_key: idempotency_key.unwrap_or_else(|| RunId::generate().to_string()),
            agent_id,
            thinking,
            timeout_ms,
            attachments,
            ..SendChatRequest::default()
        };
        let SendChatResponse { run_id, status } = turns::send(&self.engine, caller, said).await?;
        Ok(SendMessageResponse { run_id, status })
    }

    async fn viewers(
        &self,
        viewer: &Viewer,
        request: SetViewersRequest,
    ) -> Result<SetViewersResponse, Error> {
        let SetViewersRequest {
            session_keys,
            agent_id,
        } = request;
        let mut keys: Vec<String> = Vec::with_capacity(session_keys.len());
        for name in session_keys {
            // The agent beside it is that of aliases; a full key says its own.
            let agent = agent_id.clone().filter(|_| SessionKey::parse(&name).is_err());
            let key = SessionRef::new(name, agent)
                .resolve(&self.engine, viewer)
                .await?
                .to_string();
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        Ok(SetViewersResponse { session_keys: keys })
    }

    async fn metadata(&self, request: GetChatMetadataRequest) -> Result<GetChatMetadataResponse, Error> {
        let GetChatMetadataRequest {
            agent_id,
            session_key,
        } = request;
        let policy = self.engine.policy()?;
        if let Some(id) = &agent_id {
            policy.agents.named(id)?;
        }
        if let Some(key) = session_key {
            SessionRef::new(key, agent_id).key(&policy.agents)?;
        }
        let listed = self.agent.clone().list_models(ListModelsRequest::default()).await;
        let models = listed.map_err(|status| Error::Models(Box::new(status)))?;
        Ok(GetChatMetadataResponse {
            models: models.into_inner().models,
            commands: commands::entries(true),
            swarm_enabled: false,
            runtime_selection_locked: false,
        })
    }
}

fn aborted(run: Option<String>) -> AbortSessionResponse {
    let status = if run.is_some() { "aborted" } else { "no-active-run" };
    AbortSessionResponse {
        ok: true,
        aborted_run_id: run,
        status: status.to_owned(),
    }
}

fn answer<T>(result: Result<T, Error>) -> Result<Response<T>, Status> {
    result.map(Response::new).map_err(Status::from)
}

#[tonic::async_trait]
impl ConversationService for Grpc {
    async fn send_message(
        &self,
        request: Request<SendMessageRequest>,
    ) -> Result<Response<SendMessageResponse>, Status> {
        let caller = Caller::from_request(&request);
        // Boxed, because it takes a message with all that belongs to it.
        answer(Box::pin(self.send(caller, request.into_inner())).await)
    }

    async fn abort_session(
        &self,
        request: Request<AbortSessionRequest>,
    ) -> Result<Response<AbortSessionResponse>, Status> {
        let stopped = self.abort(&Viewer::of(&request), request.into_inner()).await?;
        Ok(if stopped.aborted_run_id.is_some() {
            self.engine.behind_events(stopped).await
        } else {
            Response::new(stopped)
        })
    }

    async fn compact_session(
        &self,
        request: Request<CompactSessionRequest>,
    ) -> Result<Response<CompactSessionResponse>, Status> {
        let caller = Caller::from_request(&request);
        answer(compact::compact(&self.engine, caller, request.into_inner()).await)
    }

    async fn fork_session(
        &self,
        request: Request<ForkSessionRequest>,
    ) -> Result<Response<ForkSessionResponse>, Status> {
        answer(
            fork::at_row(
                &self.engine,
                Caller::from_request(&request).as_ref(),
                request.into_inner(),
            )
            .await,
        )
    }

    async fn search_sessions(
        &self,
        request: Request<SearchSessionsRequest>,
    ) -> Result<Response<SearchSessionsResponse>, Status> {
        answer(search::search(&self.engine, &Viewer::of(&request), request.into_inner()).await)
    }

    async fn patch_sessions(
        &self,
        request: Request<PatchSessionsRequest>,
    ) -> Result<Response<PatchSessionsResponse>, Status> {
        answer(many::patch(&self.engine, &Viewer::of(&request), request.into_inner()).await)
    }

    async fn set_viewers(
        &self,
        request: Request<SetViewersRequest>,
    ) -> Result<Response<SetViewersResponse>, Status> {
        answer(self.viewers(&Viewer::of(&request), request.into_inner()).await)
    }

    async fn get_message(
        &self,
        request: Request<GetMessageRequest>,
    ) -> Result<Response<GetMessageResponse>, Status> {
        answer(message::get(&self.engine, &Viewer::of(&request), request.into_inner()).await)
    }

    async fn get_chat_metadata(
        &self,
        request: Request<GetChatMetadataRequest>,
    ) -> Result<Response<GetChatMetadataResponse>, Status> {
        answer(self.metadata(request.into_inner()).await)
    }
}
