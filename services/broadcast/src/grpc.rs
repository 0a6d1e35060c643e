//! The calls: parse, ask, answer.

use std::{pin::Pin, sync::Arc};

use futures::{Stream, StreamExt, stream};
use gatehouse_contract::Map;
use gatehouse_core::{
    Drain, Identity,
    bus::{Page, Subscription},
    caller,
    server::Connection,
    trace::{Context, Kind, Span},
};
use gatehouse_proto::broadcast::v1::{
    Event, GetHealthRequest, GetHealthResponse, GetPresenceRequest, GetPresenceResponse, GetStatusRequest,
    GetStatusResponse, Position, PublishRequest, PublishResponse, ReportHealthRequest, ReportHealthResponse,
    ReportPresenceRequest, ReportPresenceResponse, SubscribeRequest, SubscribeResponse,
    broadcast_service_server::BroadcastService,
};
use tonic::{Request, Response, Status};

use crate::{
    conversations::{self, Asker, Conversations},
    error::Error,
    hub::Hub,
    living::Living,
    metrics::Metrics,
    plugins::Plugins,
    presence,
};

#[derive(Debug)]
pub(crate) struct Grpc {
    pub(crate) hub: Arc<Hub>,
    pub(crate) plugins: Arc<Plugins>,
    pub(crate) living: Arc<Living>,
    pub(crate) conversations: Conversations,
    pub(crate) metrics: Metrics,
    pub(crate) drain: Drain,
}

#[tonic::async_trait]
impl BroadcastService for Grpc {
    type SubscribeStream = Pin<Box<dyn Stream<Item = Result<SubscribeResponse, Status>> + Send>>;

    async fn get_presence(
        &self,
        request: Request<GetPresenceRequest>,
    ) -> Result<Response<GetPresenceResponse>, Status> {
        let asker = Asker::of(&request);
        let mut presence = self.hub.presence().await;
        presence::show_to(&asker, &mut presence);
        Ok(Response::new(GetPresenceResponse { presence }))
    }

    async fn get_health(
        &self,
        request: Request<GetHealthRequest>,
    ) -> Result<Response<GetHealthResponse>, Status> {
        let asker = Asker::of(&request);
        Ok(Response::new(GetHealthResponse {
            health: Some({
                let (answers, summary) = tokio::join!(self.living.ask(), self.conversations.ask(&asker));
                let mut health = self.hub.health(&answers).await;
                conversations::tell_health(&mut health, summary);
                health
            }),
        }))
    }

    async fn get_status(
        &self,
        request: Request<GetStatusRequest>,
    ) -> Result<Response<GetStatusResponse>, Status> {
        let asker = Asker::of(&request);
        let (answers, summary) = tokio::join!(self.living.ask(), self.conversations.ask(&asker));
        let (mut status, health) = self.hub.status(&answers).await;
        conversations::tell(&mut status, summary, &health);
        Ok(Response::new(status))
    }

    async fn publish(&self, request: Request<PublishRequest>) -> Result<Response<PublishResponse>, Status> {
        let publisher = caller::identity(&request);
        let mut request = request.into_inner();
        let map = self.hub.map();
        for event in &request.events {
            may_publish(&map, publisher, &event.r#type)?;
        }
        // Nobody can use up the sequence of another service.
        let name = publisher.map_or("nobody", Identity::name);
        request.publisher_id = format!("{name}/{}", request.publisher_id);
        self.metrics.published(&request);
        let _steps: Vec<_> = request.events.iter_mut().filter_map(step).collect();
        let offset = self.hub.publish(request).await?;
        Ok(Response::new(PublishResponse { offset }))
    }

    async fn subscribe(
        &self,
        request: Request<SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        let SubscribeRequest {
            edge_id,
            epoch,
            offset,
        } = request.into_inner();
        tracing::debug!(edge.id = edge_id, "an edge subscribes");
        self.hub.edge_came(&edge_id);
        self.metrics.edges.inc();
        let subscribed = Subscribed {
            hub: Arc::clone(&self.hub),
            plugins: Arc::clone(&self.plugins),
            metrics: self.metrics.clone(),
            edge_id,
        };
        let (position, subscription) = self.hub.subscribe(epoch, offset).await?;
        let events = follow(position, subscription).inspect(move |_| {
            // Held for as long as the stream is.
            let _ = &subscribed;
        });
        Ok(Response::new(Box::pin(self.drain.end_stream(events))))
    }

    async fn report_presence(
        &self,
        request: Request<ReportPresenceRequest>,
    ) -> Result<Response<ReportPresenceResponse>, Status> {
        let ReportPresenceRequest { edge_id, entries } = request.into_inner();
        self.hub.report_presence(edge_id, entries).await?;
        Ok(Response::new(ReportPresenceResponse {}))
    }

    async fn report_health(
        &self,
        request: Request<ReportHealthRequest>,
    ) -> Result<Response<ReportHealthResponse>, Status> {
        let name = request
            .get_ref()
            .service
            .as_ref()
            .map(|service| service.service.as_str());
        let named = caller::names_itself(&request, name.unwrap_or_default());
        let connection = Connection::of(&request);
        let ReportHealthRequest { service, leaving } = request.into_inner();
        let service = service.ok_or(Error::MissingService)?;
        named.map_err(Status::from)?;
        self.hub
            .report_health(service, leaving, connection.as_ref().map(Connection::id))
            .await?;
        if let Some(connection) = connection {
            self.watch(connection);
        }
        Ok(Response::new(ReportHealthResponse {}))
    }
}

impl Grpc {
    /// Sees to it that the end of a process is known when its connection ends, once for each connection.
    fn watch(&self, connection: Connection) {
        if !self.hub.is_new(connection.id()) {
            return;
        }
        let (hub, end) = (Arc::clone(&self.hub), self.drain.clone());
        self.drain.spawn_work("connection of a process", async move {
            tokio::select! {
                () = connection.ended() => hub.connection_ended(connection.id()).await,
                () = end.requested() => (),
            }
        });
    }
}

/// The contract says who may publish a family of events. One that it does not know is for the hub to refuse.
fn may_publish(map: &Map, publisher: Option<Identity>, family: &str) -> Result<(), Error> {
    let Some(event) = map.event(family) else {
        return Ok(());
    };
    match publisher {
        Some(publisher) if event.publishers.contains(&publisher) => Ok(()),
        publisher => Err(Error::NotItsEvent {
            publisher: publisher.map_or("nobody", Identity::name),
            event: event.name.clone(),
        }),
    }
}

/// An edge that is here. Dropped with its stream, however that ends.
struct Subscribed {
    hub: Arc<Hub>,
    plugins: Arc<Plugins>,
    metrics: Metrics,
    edge_id: String,
}

impl Drop for Subscribed {
    fn drop(&mut self) {
        self.metrics.edges.dec();
        if self.hub.edge_left(&self.edge_id) {
            self.plugins.forget(&self.edge_id);
        }
    }
}

/// The step in which an event that ends recorded work is handed to the edges; theirs follow it.
fn step(event: &mut Event) -> Option<Span> {
    let context: Context = event.traceparent.as_deref()?.parse().ok()?;
    let mut step = Span::of(context, Kind::Producer, || format!("publish {}", event.r#type));
    step.set("messaging.system", "gatehouse");
    step.set("messaging.operation.name", "publish");
    step.set("messaging.operation.type", "send");
    event.traceparent = Some(step.context().to_string());
    Some(step)
}

/// One edge's stream: where it begins with the states there, and then what follows. It keeps nothing: an edge that does not read
/// falls behind on the bus, and is told of the gap, instead of growing a queue.
fn follow(
    position: Position,
    subscription: Subscription,
) -> impl Stream<Item = Result<SubscribeResponse, Status>> + Send + use<> {
    let Subscription { start, gap: _, pages } = subscription;
    let first = SubscribeResponse {
        epoch: start.epoch,
        position: Some(position),
        ..SubscribeResponse::default()
    };
    let pages = pages.map(|page| {
        let Page {
            events,
            gap,
            position,
        } = page.map_err(Error::from)?;
        Ok(SubscribeResponse {
            epoch: position.epoch,
            position: None,
            events,
            gap,
        })
    });
    stream::iter([Ok(first)]).chain(pages)
}
