//! The contract's methods. A method is a function in the `grpc` of its noun; this file only joins them to the generated trait,
//! which is one for all nouns that exist today: clients and the released contract know it by its name.

#[cfg(test)]
mod tests;

use gatehouse_core::{Caller, Drain, Timestamp};
use gatehouse_proto::session::v1::session_service_server::SessionService;
use gatehouse_proto::session::v1::*;
use tonic::{Request, Response, Status};

use crate::agents::grpc as agents;
use crate::deliveries::Recall;
use crate::error::Error;
use crate::routing::grpc as routing;
use crate::sessions::grpc as sessions;
use crate::transcripts::grpc as transcripts;
use crate::turns::grpc::{self as turns, FollowRunStream, RunAgentStream};
use crate::turns::{Engine, Listener};
use crate::viewer::Viewer;

#[derive(Debug)]
pub(crate) struct Grpc {
    engine: Engine,
    recall: Recall,
    /// The end of serving, not of taking: those who wait for a run hear of its end while the process lets it end.
    drain: Drain,
}

impl Grpc {
    pub(crate) fn new(engine: Engine, recall: Recall, drain: Drain) -> Self {
        Self {
            engine,
            recall,
            drain,
        }
    }
}

/// The connection that a call came by, if it is one that hears events.
fn listener<T>(request: &Request<T>) -> Option<Listener> {
    let caller = Caller::from_request(request)?;
    Some(Listener {
        connection: caller.connection_id,
        since: Timestamp::from_ms(caller.connected_at?),
    })
}

fn answer<T>(result: Result<T, Error>) -> Result<Response<T>, Status> {
    result.map(Response::new).map_err(Status::from)
}

#[tonic::async_trait]
impl SessionService for Grpc {
    type RunAgentStream = RunAgentStream;
    type FollowRunStream = FollowRunStream;

    async fn send_chat(
        &self,
        request: Request<SendChatRequest>,
    ) -> Result<Response<SendChatResponse>, Status> {
        let caller = Caller::from_request(&request);
        answer(turns::send(&self.engine, caller, request.into_inner()).await)
    }

    async fn get_chat_history(
        &self,
        request: Request<GetChatHistoryRequest>,
    ) -> Result<Response<GetChatHistoryResponse>, Status> {
        let listener = listener(&request);
        answer(
            transcripts::history(
                &self.engine,
                listener,
                &Viewer::of(&request),
                request.into_inner(),
            )
            .await,
        )
    }

    async fn start_chat(
        &self,
        request: Request<StartChatRequest>,
    ) -> Result<Response<GetChatHistoryResponse>, Status> {
        let listener = listener(&request);
        answer(
            transcripts::start(
                &self.engine,
                listener,
                &Viewer::of(&request),
                request.into_inner(),
            )
            .await,
        )
    }

    async fn abort_chat(
        &self,
        request: Request<AbortChatRequest>,
    ) -> Result<Response<AbortChatResponse>, Status> {
        let viewer = Viewer::of(&request);
        let stopped = turns::abort(&self.engine, &self.recall, &viewer, request.into_inner()).await?;
        Ok(if stopped.aborted {
            self.engine.behind_events(stopped).await
        } else {
            Response::new(stopped)
        })
    }

    async fn inject_chat(
        &self,
        request: Request<InjectChatRequest>,
    ) -> Result<Response<InjectChatResponse>, Status> {
        answer(transcripts::inject(&self.engine, &Viewer::of(&request), request.into_inner()).await)
    }

    async fn run_agent(&self, request: Request<RunAgentRequest>) -> Result<Response<RunAgentStream>, Status> {
        let caller = Caller::from_request(&request);
        let stream = turns::run(&self.engine, caller, request.into_inner()).await;
        answer(stream.map(|stream| Box::pin(self.drain.end_stream(stream)) as RunAgentStream))
    }

    async fn wait_agent(
        &self,
        request: Request<WaitAgentRequest>,
    ) -> Result<Response<WaitAgentResponse>, Status> {
        let viewer = Viewer::of(&request);
        tokio::select! {
            waited = turns::wait(&self.engine, &viewer, request.into_inner()) => answer(waited),
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
        answer(sessions::list(&self.engine, &Viewer::of(&request), request.into_inner()).await)
    }

    async fn describe_session(
        &self,
        request: Request<DescribeSessionRequest>,
    ) -> Result<Response<DescribeSessionResponse>, Status> {
        answer(sessions::describe(&self.engine, &Viewer::of(&request), request.into_inner()).await)
    }

    async fn resolve_session(
        &self,
        request: Request<ResolveSessionRequest>,
    ) -> Result<Response<ResolveSessionResponse>, Status> {
        answer(sessions::resolve(&self.engine, &Viewer::of(&request), request.into_inner()).await)
    }

    async fn create_session(
        &self,
        request: Request<CreateSessionRequest>,
    ) -> Result<Response<CreateSessionResponse>, Status> {
        let caller = Caller::from_request(&request);
        // Boxed, because it says a message, too.
        answer(Box::pin(sessions::create(&self.engine, caller, request.into_inner())).await)
    }

    async fn patch_session(
        &self,
        request: Request<PatchSessionRequest>,
    ) -> Result<Response<PatchSessionResponse>, Status> {
        answer(sessions::patch(&self.engine, &Viewer::of(&request), request.into_inner()).await)
    }

    async fn reset_session(
        &self,
        request: Request<ResetSessionRequest>,
    ) -> Result<Response<ResetSessionResponse>, Status> {
        answer(sessions::reset(&self.engine, &Viewer::of(&request), request.into_inner()).await)
    }

    async fn delete_session(
        &self,
        request: Request<DeleteSessionRequest>,
    ) -> Result<Response<DeleteSessionResponse>, Status> {
        answer(sessions::delete(&self.engine, &Viewer::of(&request), request.into_inner()).await)
    }

    async fn preview_sessions(
        &self,
        request: Request<PreviewSessionsRequest>,
    ) -> Result<Response<PreviewSessionsResponse>, Status> {
        answer(sessions::preview(&self.engine, &Viewer::of(&request), request.into_inner()).await)
    }

    async fn list_branches(
        &self,
        request: Request<ListBranchesRequest>,
    ) -> Result<Response<ListBranchesResponse>, Status> {
        answer(sessions::branches(&self.engine, &Viewer::of(&request), request.into_inner()).await)
    }

    async fn list_groups(
        &self,
        _: Request<ListGroupsRequest>,
    ) -> Result<Response<ListGroupsResponse>, Status> {
        answer(sessions::groups(&self.engine).await)
    }

    async fn put_groups(
        &self,
        request: Request<PutGroupsRequest>,
    ) -> Result<Response<PutGroupsResponse>, Status> {
        answer(sessions::put_groups(&self.engine, &Viewer::of(&request), request.into_inner()).await)
    }

    async fn rename_group(
        &self,
        request: Request<RenameGroupRequest>,
    ) -> Result<Response<RenameGroupResponse>, Status> {
        answer(sessions::rename_group(&self.engine, &Viewer::of(&request), request.into_inner()).await)
    }

    async fn delete_group(
        &self,
        request: Request<DeleteGroupRequest>,
    ) -> Result<Response<DeleteGroupResponse>, Status> {
        answer(sessions::delete_group(&self.engine, &Viewer::of(&request), request.into_inner()).await)
    }

    async fn list_group_defaults(
        &self,
        _: Request<ListGroupDefaultsRequest>,
    ) -> Result<Response<ListGroupDefaultsResponse>, Status> {
        // A group of this gateway sets neither a folder nor a worktree.
        Ok(Response::new(ListGroupDefaultsResponse::default()))
    }

    async fn summarise_sessions(
        &self,
        request: Request<SummariseSessionsRequest>,
    ) -> Result<Response<SummariseSessionsResponse>, Status> {
        answer(sessions::summarise(&self.engine, request.into_inner()).await)
    }

    // The edge keeps the topics of its connections; here a subscription is only answered.
    async fn subscribe_sessions(
        &self,
        request: Request<SubscribeSessionsRequest>,
    ) -> Result<Response<SubscribeSessionsResponse>, Status> {
        let viewer = Viewer::of(&request);
        answer(sessions::subscribe_all(&self.engine, &viewer, request.into_inner()).await)
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
        answer(sessions::subscribe(&self.engine, &Viewer::of(&request), request.into_inner()).await)
    }

    async fn unsubscribe_messages(
        &self,
        request: Request<UnsubscribeMessagesRequest>,
    ) -> Result<Response<UnsubscribeMessagesResponse>, Status> {
        answer(sessions::unsubscribe(&self.engine, request.into_inner()))
    }

    async fn deliver_message(
        &self,
        request: Request<DeliverMessageRequest>,
    ) -> Result<Response<DeliverMessageResponse>, Status> {
        answer(routing::deliver(&self.engine, request.into_inner()).await)
    }

    async fn stop_chat(
        &self,
        request: Request<StopChatRequest>,
    ) -> Result<Response<StopChatResponse>, Status> {
        answer(routing::stop(&self.engine, &self.recall, request.into_inner()).await)
    }

    async fn find_unknown_messages(
        &self,
        request: Request<FindUnknownMessagesRequest>,
    ) -> Result<Response<FindUnknownMessagesResponse>, Status> {
        answer(routing::unknown(&self.engine, request.into_inner()).await)
    }

    async fn follow_run(
        &self,
        request: Request<FollowRunRequest>,
    ) -> Result<Response<FollowRunStream>, Status> {
        let stream = turns::follow(&self.engine, request.into_inner());
        Ok(Response::new(
            Box::pin(self.drain.end_stream(stream)) as FollowRunStream
        ))
    }
}
