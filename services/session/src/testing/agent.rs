//! An agent service that a test plays itself, over a real socket.

use std::path::Path;

use gatehouse_core::credential::Directory;
use gatehouse_core::server::Server;
use gatehouse_core::{Address, Content, Drain, Health, Identity, Listener, Secret};
use gatehouse_proto::agent::v1 as agent;
use gatehouse_proto::agent::v1::agent_service_server::{AgentService, AgentServiceServer};
use gatehouse_proto::agent::v1::run_turn_response::Event as TurnEvent;
use gatehouse_proto::agent::v1::turn_message::Role as Speaker;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::within;

/// A call that the agent service received; the test answers it.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) request: agent::RunTurnRequest,
    answer: mpsc::Sender<Result<agent::RunTurnResponse, Status>>,
}

impl Call {
    pub(crate) async fn event(&self, event: TurnEvent) {
        let _cancelled = self
            .answer
            .send(Ok(agent::RunTurnResponse { event: Some(event) }))
            .await;
    }

    pub(crate) async fn text(&self, text: &str) {
        self.event(TurnEvent::TextDelta(agent::TextDelta {
            text: text.to_owned(),
        }))
        .await;
    }

    /// A message is finished, and the turn goes on.
    pub(crate) async fn entry(&self, role: Speaker, json: &str) {
        let content = Content::from_json(json).unwrap();
        self.event(TurnEvent::Entry(agent::TurnEntry {
            role: role.into(),
            content: Some(content.into()),
        }))
        .await;
    }

    pub(crate) async fn done(self) {
        self.done_with(None).await;
    }

    /// Ends it well, with a last message that is more than its text.
    pub(crate) async fn done_with(self, json: Option<&str>) {
        self.event(TurnEvent::Completed(agent::Completed {
            stop_reason: "stop".to_owned(),
            usage: Some(agent::Usage {
                input: 1,
                output: 2,
                total_tokens: 3,
            }),
            provider: "p".to_owned(),
            model: "m".to_owned(),
            content: json.map(|json| Content::from_json(json).unwrap().into()),
        }))
        .await;
    }

    /// Ends it for another reason than that all was said.
    pub(crate) async fn cut_off(self, stop_reason: &str) {
        self.event(TurnEvent::Completed(agent::Completed {
            stop_reason: stop_reason.to_owned(),
            ..agent::Completed::default()
        }))
        .await;
    }

    pub(crate) async fn fail(self, kind: agent::FailureKind, message: &str) {
        let message = message.to_owned();
        self.event(TurnEvent::Failed(agent::Failed {
            kind: kind.into(),
            message,
            provider: None,
            model: None,
        }))
        .await;
    }

    /// Breaks off, as a dying process does.
    pub(crate) async fn break_off(self) {
        let _cancelled = self.answer.send(Err(Status::unavailable("gone"))).await;
    }

    /// Waits until the caller hung up.
    pub(crate) async fn cancelled(&self) {
        within("the cancellation of a call", self.answer.closed()).await;
    }

    /// What was said, oldest first.
    pub(crate) fn texts(&self) -> Vec<&str> {
        self.request
            .messages
            .iter()
            .map(|message| message.text.as_str())
            .collect()
    }
}

struct FakeAgent(mpsc::Sender<Call>);

#[tonic::async_trait]
impl AgentService for FakeAgent {
    type RunTurnStream = ReceiverStream<Result<agent::RunTurnResponse, Status>>;

    async fn embed_texts(
        &self,
        _: Request<agent::EmbedTextsRequest>,
    ) -> Result<Response<agent::EmbedTextsResponse>, Status> {
        Err(Status::unimplemented("no test asks for vectors here"))
    }

    async fn list_models(
        &self,
        _: Request<agent::ListModelsRequest>,
    ) -> Result<Response<agent::ListModelsResponse>, Status> {
        let model = agent::Model {
            id: "m".to_owned(),
            provider: "p".to_owned(),
            ..agent::Model::default()
        };
        Ok(Response::new(agent::ListModelsResponse {
            models: vec![model],
            ..agent::ListModelsResponse::default()
        }))
    }

    async fn test_model(
        &self,
        _: Request<agent::TestModelRequest>,
    ) -> Result<Response<agent::TestModelResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn run_turn(
        &self,
        request: Request<agent::RunTurnRequest>,
    ) -> Result<Response<Self::RunTurnStream>, Status> {
        let (answer, events) = mpsc::channel(64);
        let call = Call {
            request: request.into_inner(),
            answer,
        };
        self.0
            .send(call)
            .await
            .map_err(|_| Status::unavailable("the test is over"))?;
        Ok(Response::new(ReceiverStream::new(events)))
    }
}

/// Serves the fake agent; answers where.
pub(crate) async fn serve_agent(
    folder: &Path,
    calls: mpsc::Sender<Call>,
    secret: &Secret,
    drain: &Drain,
) -> Address {
    let address = Address::Unix(folder.join("agent.sock"));
    let listener = Listener::bind(&address).await.unwrap();
    let callers = Directory::of([(Identity::Session, secret)]);
    let server = Server::new(listener, callers, Health::new()).add(AgentServiceServer::new(FakeAgent(calls)));
    let end = drain.clone();
    drain.spawn("fake agent", async move { server.run(end).await.unwrap() });
    address
}
