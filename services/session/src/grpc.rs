//! The contract's methods: parse, ask, answer. A method is a function in one of the modules below; this file only joins
//! them to the generated trait.

mod agents;
mod chat;
mod deliver;
mod sessions;
#[cfg(test)]
mod tests;

use std::pin::Pin;

use futures::Stream;
use gatehouse_core::{Caller, Drain};
use gatehouse_proto::session::v1::session_service_server::SessionService;
use gatehouse_proto::session::v1::*;
use tonic::{Request, Response, Status};

use crate::error::Error;
use crate::turns::Engine;

/// The service.
#[derive(Debug)]
pub(crate) struct Grpc {
    engine: Engine,
    /// The end of serving, not of taking: those who wait for a run hear of its end while the process lets it end.
    drain: Drain,
}

impl Grpc {
    pub(crate) fn new(engine: Engine, drain: Drain) -> Self {
        Self { engine, drain }
    }
}

/// The two answers of `agent`.
type RunAgentStream = Pin<Box<dyn Stream<Item = Result<RunAgentResponse, Status>> + Send>>;

fn answer<T>(result: Result<T, Error>) -> Result<Response<T>, Status> {
    result.map(Response::new).map_err(Status::from)
}

fn traceparent<T>(request: &Request<T>) -> Option<String> {
    Caller::from_request(request).and_then(|caller| caller.traceparent)
}

#[tonic::async_trait]
impl SessionService for Grpc {
    type RunAgentStream = RunAgentStream;

    async fn send_chat(
        &self,
        request: Request<SendChatRequest>,
    ) -> Result<Response<SendChatResponse>, Status> {
        let trace = traceparent(&request);
        answer(chat::send(&self.engine, request.into_inner(), trace).await)
    }

    async fn get_chat_history(
        &self,
        request: Request<GetChatHistoryRequest>,
    ) -> Result<Response<GetChatHistoryResponse>, Status> {
        answer(chat::history(&self.engine, request.into_inner()).await)
    }

    async fn start_chat(
        &self,
        request: Request<StartChatRequest>,
    ) -> Result<Response<GetChatHistoryResponse>, Status> {
        let StartChatRequest {
            session_key,
            agent_id,
            limit,
            cursor,
            max_bytes,
        } = request.into_inner();
        let request = GetChatHistoryRequest {
            session_key,
            agent_id,
            limit,
            offset: None,
            cursor,
            max_bytes,
        };
        answer(chat::history(&self.engine, request).await)
    }

    async fn abort_chat(
        &self,
        request: Request<AbortChatRequest>,
    ) -> Result<Response<AbortChatResponse>, Status> {
        answer(chat::abort(&self.engine, request.into_inner()).await)
    }

    async fn inject_chat(
        &self,
        request: Request<InjectChatRequest>,
    ) -> Result<Response<InjectChatResponse>, Status> {
        answer(chat::inject(&self.engine, request.into_inner()).await)
    }

    async fn run_agent(&self, request: Request<RunAgentRequest>) -> Result<Response<RunAgentStream>, Status> {
        let trace = traceparent(&request);
        let stream = agents::run(&self.engine, request.into_inner(), trace).await;
        answer(stream.map(|stream| Box::pin(self.drain.end_stream(stream)) as RunAgentStream))
    }

    async fn wait_agent(
        &self,
        request: Request<WaitAgentRequest>,
    ) -> Result<Response<WaitAgentResponse>, Status> {
        tokio::select! {
            waited = agents::wait(&self.engine, request.into_inner()) => answer(waited),
            () = self.drain.requested() => Err(Status::unavailable("the session service is ending; the run goes on")),
        }
    }

    async fn list_agents(
        &self,
        _: Request<ListAgentsRequest>,
    ) -> Result<Response<ListAgentsResponse>, Status> {
        answer(agents::list(&self.engine))
    }

    async fn get_agent_identity(
        &self,
        request: Request<GetAgentIdentityRequest>,
    ) -> Result<Response<GetAgentIdentityResponse>, Status> {
        answer(agents::identity(&self.engine, request.into_inner()))
    }

    async fn list_sessions(
        &self,
        request: Request<ListSessionsRequest>,
    ) -> Result<Response<ListSessionsResponse>, Status> {
        answer(sessions::list(&self.engine, request.into_inner()).await)
    }

    async fn describe_session(
        &self,
        request: Request<DescribeSessionRequest>,
    ) -> Result<Response<DescribeSessionResponse>, Status> {
        answer(sessions::describe(&self.engine, request.into_inner()).await)
    }

    async fn resolve_session(
        &self,
        request: Request<ResolveSessionRequest>,
    ) -> Result<Response<ResolveSessionResponse>, Status> {
        answer(sessions::resolve(&self.engine, request.into_inner()))
    }

    async fn create_session(
        &self,
        request: Request<CreateSessionRequest>,
    ) -> Result<Response<CreateSessionResponse>, Status> {
        answer(sessions::create(&self.engine, request.into_inner()).await)
    }

    async fn patch_session(
        &self,
        request: Request<PatchSessionRequest>,
    ) -> Result<Response<PatchSessionResponse>, Status> {
        answer(sessions::patch(&self.engine, request.into_inner()).await)
    }

    async fn reset_session(
        &self,
        request: Request<ResetSessionRequest>,
    ) -> Result<Response<ResetSessionResponse>, Status> {
        answer(sessions::reset(&self.engine, request.into_inner()).await)
    }

    async fn delete_session(
        &self,
        request: Request<DeleteSessionRequest>,
    ) -> Result<Response<DeleteSessionResponse>, Status> {
        answer(sessions::delete(&self.engine, request.into_inner()).await)
    }

    // The edge keeps the topics of its connections; here a subscription is only answered.
    async fn subscribe_sessions(
        &self,
        _: Request<SubscribeSessionsRequest>,
    ) -> Result<Response<SubscribeSessionsResponse>, Status> {
        Ok(Response::new(SubscribeSessionsResponse { subscribed: true }))
    }

    async fn unsubscribe_sessions(
        &self,
        _: Request<UnsubscribeSessionsRequest>,
    ) -> Result<Response<UnsubscribeSessionsResponse>, Status> {
        Ok(Response::new(UnsubscribeSessionsResponse { subscribed: false }))
    }

    async fn subscribe_messages(
        &self,
        request: Request<SubscribeMessagesRequest>,
    ) -> Result<Response<SubscribeMessagesResponse>, Status> {
        let SubscribeMessagesRequest { key, agent_id } = request.into_inner();
        let key = sessions::key(&self.engine, &key, agent_id.as_deref());
        answer(key.map(|key| SubscribeMessagesResponse {
            subscribed: true,
            key: key.to_string(),
        }))
    }

    async fn unsubscribe_messages(
        &self,
        request: Request<UnsubscribeMessagesRequest>,
    ) -> Result<Response<UnsubscribeMessagesResponse>, Status> {
        let UnsubscribeMessagesRequest { key, agent_id } = request.into_inner();
        let key = sessions::key(&self.engine, &key, agent_id.as_deref());
        answer(key.map(|key| UnsubscribeMessagesResponse {
            subscribed: false,
            key: key.to_string(),
        }))
    }

    async fn deliver_message(
        &self,
        request: Request<DeliverMessageRequest>,
    ) -> Result<Response<DeliverMessageResponse>, Status> {
        let trace = request
            .metadata()
            .get("traceparent")
            .and_then(|trace| trace.to_str().ok())
            .map(str::to_owned);
        answer(deliver::deliver(&self.engine, request.into_inner(), trace).await)
    }

    async fn find_unknown_messages(
        &self,
        request: Request<FindUnknownMessagesRequest>,
    ) -> Result<Response<FindUnknownMessagesResponse>, Status> {
        answer(deliver::unknown(&self.engine, request.into_inner()).await)
    }
}
