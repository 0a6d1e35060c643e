//! The gateway's side: the plugin as a whole is started, and what follows speaks to it as the bridge, as the edge and as Teams do.

use std::{net::SocketAddr, time::Duration};

use gatehouse_msteams::{
    Secret,
    app::{self, Options},
    contract::ms_teams_service_client::MsTeamsServiceClient,
    service_url::Hosts,
    settings::{Machine, Services},
    store::Store,
};
use gatehouse_plugin_sdk::{Place, Server};
use gatehouse_proto::channel::v1::{
    Inbound, InboundCommitted, RunAccountRequest, RunAccountResponse, StartAccount,
    channel_adapter_client::ChannelAdapterClient, run_account_request::Message as Asked,
    run_account_response::Message as Said,
};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::{net::TcpListener, sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{
    Request, Status, Streaming,
    metadata::{Ascii, MetadataValue},
    service::interceptor::InterceptedService,
    transport::{Channel, Endpoint},
};

use crate::{
    microsoft::{APP, Microsoft, TENANT, changed},
    teams::SECRET,
};

/// Far more than anything here takes.
const DEADLINE: Duration = Duration::from_secs(60);
const TOKEN: &str = "the plugin's own";

type Show = Box<dyn FnMut(Request<()>) -> Result<Request<()>, Status> + Send>;
pub(crate) type Shown = InterceptedService<Channel, Show>;

/// A plugin that runs.
pub(crate) struct Plugin {
    gateway: SocketAddr,
    teams: SocketAddr,
    http: Client,
    pub(crate) microsoft: Microsoft,
}

/// A stream of an account.
pub(crate) struct Account {
    asking: mpsc::Sender<RunAccountRequest>,
    answers: Streaming<RunAccountResponse>,
}

impl Plugin {
    pub(crate) async fn start() -> Self {
        Self::at(loopback().await, TOKEN, "127.0.0.1:0", true).await
    }

    /// One without a stand-in for Microsoft's hosts, at this address.
    pub(crate) async fn bare(address: &str) -> Self {
        Self::at(loopback().await, TOKEN, address, false).await
    }

    /// One that a gateway reaches here, and which has this credential.
    pub(crate) async fn of(gateway: TcpListener, token: &str) -> Self {
        Self::at(gateway, token, "127.0.0.1:0", true).await
    }

    async fn at(gateway: TcpListener, token: &str, address: &str, stand_in: bool) -> Self {
        let microsoft = Microsoft::start().await;
        let teams = TcpListener::bind(address).await.expect("a port");
        let (of_gateway, of_teams) = (
            gateway.local_addr().expect("an address"),
            teams.local_addr().expect("an address"),
        );
        let options = Options {
            gateway: Server::new(Place::Tcp(gateway), Secret::new(token)),
            teams,
            machine: Machine::default(),
            store: Store::in_memory().expect("a store"),
            services: stand_in.then(|| Services {
                issuers: microsoft.issuers(),
                hosts: Hosts::only(&microsoft.origin),
                us_government: false,
            }),
        };
        tokio::spawn(async move {
            app::run(options, std::future::pending())
                .await
                .expect("it serves");
        });
        Self {
            gateway: of_gateway,
            teams: SocketAddr::from(([127, 0, 0, 1], of_teams.port())),
            http: Client::new(),
            microsoft,
        }
    }

    fn shown(&self, token: &str) -> Shown {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.gateway)).expect("an address");
        let digest = Sha256::digest(token.as_bytes());
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let value: MetadataValue<Ascii> = format!("Bearer {hex}").parse().expect("metadata");
        let show: Show = Box::new(move |mut request: Request<()>| {
            request.metadata_mut().insert("authorization", value.clone());
            Ok(request)
        });
        InterceptedService::new(endpoint.connect_lazy(), show)
    }

    pub(crate) fn channel(&self) -> ChannelAdapterClient<Shown> {
        ChannelAdapterClient::new(self.shown(TOKEN))
    }

    /// As somebody who does not know the plugin's token.
    pub(crate) fn strangers_channel(&self) -> ChannelAdapterClient<Shown> {
        ChannelAdapterClient::new(self.shown("another's"))
    }

    pub(crate) fn methods(&self) -> MsTeamsServiceClient<Shown> {
        MsTeamsServiceClient::new(self.shown(TOKEN))
    }

    /// Opens the stream of an account that is configured so.
    pub(crate) async fn open(&self, config: &Value) -> Account {
        let (asking, asked) = mpsc::channel(64);
        let start = Asked::Start(StartAccount {
            channel: "msteams".into(),
            account_id: "default".into(),
            config: config.to_string(),
            ..StartAccount::default()
        });
        let first = RunAccountRequest { message: Some(start) };
        asking.send(first).await.expect("a queue");
        let answers = self.channel().run_account(ReceiverStream::new(asked)).await;
        Account {
            asking,
            answers: answers.expect("it is taken").into_inner(),
        }
    }

    /// An account that is connected.
    pub(crate) async fn connected(&self) -> Account {
        let mut account = self.open(&bot()).await;
        let said = account.said().await;
        assert!(matches!(said, Said::Connected(_)), "{said:?}");
        account
    }

    pub(crate) fn teams_address(&self) -> SocketAddr {
        self.teams
    }

    /// A request of Teams, without a token.
    pub(crate) fn request(&self, activity: &Value) -> RequestBuilder {
        self.http
            .post(format!("http://{}/api/messages", self.teams))
            .json(activity)
    }

    /// What a page of a browser may send anywhere without asking.
    pub(crate) fn form(&self, activity: &Value) -> RequestBuilder {
        self.http
            .post(format!("http://{}/api/messages", self.teams))
            .header("content-type", "text/plain")
            .body(activity.to_string())
    }

    /// Where the connector is.
    pub(crate) fn service_url(&self) -> String {
        format!("{}connector/", self.microsoft.origin)
    }

    /// A message in a chat of two, with these changes.
    pub(crate) fn activity(&self, change: &Value) -> Value {
        let activity = json!({
            "type": "message", "id": "1700000000001", "channelId": "msteams", "serviceUrl": self.service_url(),
            "from": {"id": "29:anna", "name": "Anna", "aadObjectId": "3f1c"}, "recipient": {"id": "28:bot", "name": "Gatehouse"},
            "conversation": {"id": "a:1", "conversationType": "personal", "tenantId": TENANT}, "text": "hello",
        });
        changed(activity, change)
    }

    /// Sends an activity with a token that is in order, and made out for the service that the activity names.
    pub(crate) async fn deliver(&self, activity: &Value) -> Response {
        let service = activity["serviceUrl"].as_str().map(str::to_owned);
        let service = service.unwrap_or_else(|| self.service_url());
        let token = self.microsoft.token(&json!({ "serviceurl": service }));
        let answer = self.request(activity).header("authorization", token).send();
        timeout(DEADLINE, answer)
            .await
            .expect("in time")
            .expect("an answer")
    }

    /// Sends an activity, and commits what becomes of it.
    pub(crate) async fn kept(&self, account: &mut Account, activity: &Value) -> (Inbound, Response) {
        let (inbound, answer) = tokio::join!(account.keep(), self.deliver(activity));
        (inbound, answer)
    }
}

impl Account {
    pub(crate) async fn ask(&self, message: Asked) {
        let request = RunAccountRequest {
            message: Some(message),
        };
        self.asking.send(request).await.expect("the stream is open");
    }

    /// What the plugin says next.
    pub(crate) async fn said(&mut self) -> Said {
        let answer = timeout(DEADLINE, self.answers.message()).await.expect("in time");
        let answer = answer.expect("no error").expect("the stream is open");
        answer.message.expect("a message")
    }

    /// The message that comes next.
    pub(crate) async fn heard(&mut self) -> Inbound {
        match self.said().await {
            Said::Inbound(inbound) => *inbound,
            other => panic!("{other:?}"),
        }
    }

    /// The message that comes next, committed.
    pub(crate) async fn keep(&mut self) -> Inbound {
        let inbound = self.heard().await;
        self.ask(Asked::Committed(InboundCommitted {
            seq: inbound.seq,
            duplicate: false,
        }))
        .await;
        inbound
    }
}

/// A free port of this machine.
pub(crate) async fn loopback() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("a port")
}

/// The settings of a bot.
pub(crate) fn bot() -> Value {
    json!({"appId": APP, "tenantId": TENANT, "clientSecret": SECRET})
}
