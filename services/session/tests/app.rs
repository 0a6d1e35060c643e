//! The service as a process would run it: its own socket, a config service that a test plays, everybody else away.

use std::time::Duration;

use gatehouse_core::credential::{Credential, Credentials};
use gatehouse_core::server::Server;
use gatehouse_core::service::{Bound, Settings};
use gatehouse_core::{Drain, Health, Identity, Listener, Service, ServiceSettings};
use gatehouse_proto::config::v1 as config;
use gatehouse_proto::config::v1::config_service_server::{ConfigService, ConfigServiceServer};
use gatehouse_proto::session::v1::session_service_client::SessionServiceClient;
use gatehouse_proto::session::v1::{GetChatHistoryRequest, SendChatRequest, WaitAgentRequest};
use gatehouse_session::{App, Timing};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status};

struct FakeConfig;

#[tonic::async_trait]
impl ConfigService for FakeConfig {
    type WatchConfigStream = ReceiverStream<Result<config::WatchConfigResponse, Status>>;

    async fn watch_config(
        &self,
        _: Request<config::WatchConfigRequest>,
    ) -> Result<Response<Self::WatchConfigStream>, Status> {
        let (sender, revisions) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            let config = r#"{"agents":{"entries":{"rusty":{"name":"Rusty"}}}}"#.to_owned();
            let revision = config::WatchConfigResponse {
                hash: "h1".to_owned(),
                config,
                token_digest: String::new(),
                credentials: Vec::new(),
                devices: Vec::new(),
                left_out: Vec::new(),
            };
            let _gone = sender.send(Ok(revision)).await;
            sender.closed().await;
        });
        Ok(Response::new(ReceiverStream::new(revisions)))
    }

    async fn get_config(
        &self,
        _: Request<config::GetConfigRequest>,
    ) -> Result<Response<config::GetConfigResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn patch_config(
        &self,
        _: Request<config::PatchConfigRequest>,
    ) -> Result<Response<config::PatchConfigResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn set_config(
        &self,
        _: Request<config::SetConfigRequest>,
    ) -> Result<Response<config::SetConfigResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn apply_config(
        &self,
        _: Request<config::ApplyConfigRequest>,
    ) -> Result<Response<config::ApplyConfigResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn look_up_config_schema(
        &self,
        _: Request<config::LookUpConfigSchemaRequest>,
    ) -> Result<Response<config::LookUpConfigSchemaResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn list_config_history(
        &self,
        _: Request<config::ListConfigHistoryRequest>,
    ) -> Result<Response<config::ListConfigHistoryResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn restore_config(
        &self,
        _: Request<config::RestoreConfigRequest>,
    ) -> Result<Response<config::RestoreConfigResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn get_config_schema(
        &self,
        _: Request<config::GetConfigSchemaRequest>,
    ) -> Result<Response<config::GetConfigSchemaResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn rotate_token(
        &self,
        _: Request<config::RotateTokenRequest>,
    ) -> Result<Response<config::RotateTokenResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }
}

#[tokio::test]
async fn the_service_starts_answers_keeps_what_it_took_and_ends_in_order() {
    let home = tempfile::tempdir().unwrap();
    let settings = ServiceSettings::for_tests(home.path(), Service::Session);
    let known = Credentials::make(&ServiceSettings::for_tests(home.path(), Service::Config)).unwrap();
    let operator = Credential::load(&settings.home, Identity::Operator).unwrap();
    let others = Drain::new();
    let config = Listener::bind(settings.peers.address(Service::Config))
        .await
        .unwrap();
    let config =
        Server::new(config, known.callers(), Health::new()).add(ConfigServiceServer::new(FakeConfig));
    let end = others.clone();
    others.spawn("fake config", async move { config.run(end).await.unwrap() });

    for start in 0..2 {
        let settings = ServiceSettings::for_tests(home.path(), Service::Session);
        let app = open(settings).await;
        let address = app.address().unwrap();
        let drain = Drain::new();
        let running = tokio::spawn(app.run(drain.clone()));
        let mut client = SessionServiceClient::new(operator.peer(Service::Session, &address).service());

        let send = |text: &str| SendChatRequest {
            session_key: "main".to_owned(),
            message: text.to_owned(),
            idempotency_key: "r1".to_owned(),
            ..SendChatRequest::default()
        };
        let status = loop {
            match client.send_chat(send("hi")).await {
                Ok(answer) => break answer.into_inner().status,
                Err(early) if early.code() == Code::Unavailable => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Err(other) => panic!("{other}"),
            }
        };
        assert_eq!(status, if start == 0 { "started" } else { "error" });
        // The agent service is away: the turn fails with a notice, and stays so.
        let wait = WaitAgentRequest {
            run_id: "r1".to_owned(),
            timeout_ms: Some(30_000),
        };
        assert_eq!(
            client.wait_agent(wait).await.unwrap().into_inner().status,
            "error"
        );
        let history = GetChatHistoryRequest {
            session_key: "main".to_owned(),
            ..Default::default()
        };
        let page = client.get_chat_history(history).await.unwrap().into_inner();
        assert_eq!(
            (page.session_key.as_str(), page.total_messages),
            ("agent:rusty:main", 2)
        );
        let refused = client
            .send_chat(SendChatRequest {
                idempotency_key: String::new(),
                ..send("x")
            })
            .await;
        assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument);

        drain.start();
        tokio::time::timeout(Duration::from_secs(10), running)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }
    assert!(others.finish(Duration::from_secs(5)).await);
}

/// The database's threads may still be closing it.
async fn open(common: ServiceSettings) -> Bound<App> {
    loop {
        let settings = Settings::<App> {
            common: common.clone(),
            own: (),
        };
        if let Ok(mut bound) = settings.build().await {
            let timing = Timing {
                retry: Duration::from_millis(10),
                drain: Some(Duration::ZERO),
                ..Timing::default()
            };
            bound.app = bound.app.with_timing(timing);
            return bound;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
