//! Nodes over the whole of this folder, on a real store: what a node and an operator see.

mod ending;
mod invoking;
mod pairing;

use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::error::Failure;
use gatehouse_core::publish::{Published, Publisher};
use gatehouse_core::{Caller, Clock, Drain, Kind, Secret};
use gatehouse_proto::node::v1::node_service_server::NodeService;
use gatehouse_proto::node::v1::*;
use prometheus_client::registry::Registry;
use prost::{Message, Name};
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tonic::{Request, Response, Status};

use super::grpc::Grpc;
use super::live::{Arrival, Frame};
use super::{Facts, NodeId, NodeMetrics, Nodes, Surface};
use crate::media::{Links, Media};
use crate::policy::Policy;
use crate::store::{self, Stores};
use crate::testing::{FakeDevices, within};

/// Nodes, and what they say.
struct Bench {
    nodes: Nodes,
    grpc: Arc<Grpc>,
    stores: Stores,
    events: Published,
    clock: Clock,
    drain: Drain,
    devices: FakeDevices,
    registry: Registry,
    credential: Secret,
    folder: TempDir,
}

impl Bench {
    async fn new(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let stores = store::open(&folder.path().join("session.db")).unwrap().stores;
        let (publisher, events) = Publisher::for_tests();
        let policy = Policy::read(&serde_json::from_str(config).unwrap());
        let (_, policies) = watch::channel(Some(Arc::new(policy)));
        let (clock, drain) = (Clock::fixed(1_800_000_000_000), Drain::new());
        let credential = Secret::generate();
        let links = Links::new(Secret::generate(), Clock::system());
        let media = Media::new(
            folder.path().join("media"),
            Arc::clone(&stores.media),
            links,
            clock.clone(),
        );
        let (metrics, mut registry) = (NodeMetrics::default(), Registry::default());
        metrics.register(&mut registry);
        let nodes = Nodes::new(
            Arc::clone(&stores.nodes),
            FakeDevices::peer(folder.path(), &credential).service(),
            policies,
            publisher,
            clock.clone(),
            (media, metrics),
            drain.clone(),
        );
        drain.spawn("nodes", nodes.clone().keep_up(drain.clone()));
        let mut recovered = nodes.0.recovered.subscribe();
        within(
            "the last process's end",
            recovered.wait_for(|recovered| *recovered),
        )
        .await
        .unwrap();
        Self {
            grpc: Arc::new(Grpc::new(nodes.clone(), drain.clone())),
            nodes,
            stores,
            events,
            clock,
            drain,
            devices: FakeDevices::default(),
            registry,
            credential,
            folder,
        }
    }

    /// The config service comes: until then nobody answers in its place.
    async fn serve_devices(&self) {
        let folder = self.folder.path();
        self.devices.serve(folder, &self.credential, &self.drain).await;
    }

    async fn remove(&self, node: &str) -> Result<RemoveNodeResponse, Failure> {
        let request = RemoveNodeRequest {
            node_id: node.to_owned(),
        };
        let caller = operator(&["operator.pairing"]);
        failure(self.grpc.remove_node(by(request, &caller)).await)
    }

    /// A node that offers these commands is there.
    async fn attach(&self, id: &str, connection: &str, commands: &[&str]) -> Node {
        self.attach_as(id, connection, "linux", commands).await
    }

    async fn attach_as(&self, id: &str, connection: &str, platform: &str, commands: &[&str]) -> Node {
        let surface = Surface {
            commands: commands.iter().map(|command| (*command).to_owned()).collect(),
            ..Surface::default()
        };
        let facts = Facts {
            platform: Some(platform.to_owned()),
            ..Facts::default()
        };
        let mut frames = self
            .nodes
            .attach(Arrival {
                node: NodeId::new(id),
                connection: connection.to_owned(),
                facts,
                declared: surface,
            })
            .await
            .unwrap();
        let first = within("the first frame", frames.recv()).await.unwrap().unwrap();
        assert_eq!(first.r#type, "");
        Node {
            frames,
            id: id.to_owned(),
            connection: connection.to_owned(),
        }
    }

    /// A node whose offer was approved.
    async fn approved(&self, id: &str, connection: &str, commands: &[&str]) -> Node {
        let mut node = self.attach(id, connection, commands).await;
        let known = self.stores.nodes.node(&NodeId::new(id)).await.unwrap().unwrap();
        if let Some(request) = known.request {
            self.approve(&request.id, &operator(&["operator.admin"]))
                .await
                .unwrap();
            node.next::<NodePairResolvedEvent>().await;
        }
        node
    }

    async fn approve(&self, request: &str, caller: &Caller) -> Result<ApproveNodeResponse, Failure> {
        let request = ApproveNodeRequest {
            request_id: request.to_owned(),
        };
        failure(self.grpc.approve_node(by(request, caller)).await)
    }

    /// Invokes in a task of its own.
    fn invoke(&self, request: InvokeNodeRequest, caller: Caller) -> tokio::task::JoinHandle<Invoked> {
        let grpc = Arc::clone(&self.grpc);
        tokio::spawn(async move { failure(grpc.invoke_node(by(request, &caller)).await) })
    }

    /// The next event of this kind that operators are told.
    async fn told<M: Message + Name + Default>(&mut self) -> M {
        loop {
            let event = within(&M::full_name(), self.events.recv()).await.unwrap();
            if event.r#type == M::full_name() {
                return M::decode(&*event.payload).unwrap();
            }
        }
    }

    /// What somebody who scrapes is told.
    async fn figures(&self) -> String {
        self.nodes.measure().await;
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text
    }

    async fn state(&self, key: &str) -> InvocationState {
        let listed = self
            .grpc
            .list_invocations(Request::new(ListInvocationsRequest::default()))
            .await
            .unwrap()
            .into_inner();
        let found = listed
            .invocations
            .into_iter()
            .find(|one| one.idempotency_key == key);
        found.map_or(InvocationState::Unspecified, |one| one.state())
    }
}

type Invoked = Result<InvokeNodeResponse, Failure>;

/// The far end of an attachment.
struct Node {
    frames: mpsc::Receiver<Frame>,
    id: String,
    connection: String,
}

impl Node {
    /// The next event for it, of this kind.
    async fn next<M: Message + Name + Default>(&mut self) -> M {
        let frame = within(&M::full_name(), self.frames.recv())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(frame.r#type, M::full_name());
        M::decode(&*frame.payload).unwrap()
    }

    fn caller(&self) -> Caller {
        Caller {
            role: "node".into(),
            connection_id: self.connection.clone(),
            client_id: "node-host".into(),
            device_id: Some(self.id.clone()),
            ..Caller::default()
        }
    }

    /// Says how something ended.
    async fn report(
        &self,
        bench: &Bench,
        id: &str,
        payload: &str,
    ) -> Result<ReportInvokeResultResponse, Failure> {
        let request = ReportInvokeResultRequest {
            id: id.to_owned(),
            node_id: self.id.clone(),
            ok: true,
            payload: Some(payload.to_owned()),
            payload_json: None,
            error: None,
        };
        failure(bench.grpc.report_invoke_result(by(request, &self.caller())).await)
    }
}

fn operator(scopes: &[&str]) -> Caller {
    Caller {
        role: "operator".into(),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        connection_id: "op".into(),
        client_id: "cli".into(),
        device_id: None,
        ..Caller::default()
    }
}

fn by<T>(message: T, caller: &Caller) -> Request<T> {
    let mut request = Request::new(message);
    caller.attach(request.metadata_mut());
    request
}

fn failure<T>(answer: Result<Response<T>, Status>) -> Result<T, Failure> {
    answer
        .map(Response::into_inner)
        .map_err(|status| Failure::from_status(&status))
}

fn wish(node: &str, command: &str, key: &str) -> InvokeNodeRequest {
    InvokeNodeRequest {
        node_id: node.to_owned(),
        command: command.to_owned(),
        idempotency_key: key.to_owned(),
        ..InvokeNodeRequest::default()
    }
}

fn detail<'f>(failure: &'f Failure, key: &str) -> Option<&'f str> {
    failure.details.get(key).map(String::as_str)
}
