//! The calls: parse, ask, answer.

use std::{pin::Pin, sync::Arc, time::Duration};

use futures::{Stream, StreamExt};
use gatehouse_core::{Drain, Failure, config::ConfigHandle, trace};
use gatehouse_document::agents::CONCURRENT_MAX;
use gatehouse_proto::agent::v1::{
    EmbedTextsRequest, EmbedTextsResponse, ListModelsRequest, ListModelsResponse, RunTurnRequest,
    RunTurnResponse, TestModelRequest, TestModelResponse, agent_service_server::AgentService,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::{
    catalog::{Catalog, Discovered, View},
    config::Config,
    embed,
    error::Error,
    metrics::Metrics,
    request::RunTurn,
    trial,
    turn::{self, Bounds, Tools},
};

/// Turns at once: as many as session may be told to run. Each holds one connection to a provider; a household has a handful.
const TURNS_MAX: usize = CONCURRENT_MAX as usize;

/// Tests at once: each is a call to a provider, and whoever tests all of them tries a handful.
const TESTS_MAX: usize = 4;

/// Requests for vectors at once: each holds some megabytes.
const EMBEDDINGS_MAX: usize = 4;

/// Events of one turn on their way to session.
const EVENTS: usize = 64;

#[derive(Debug)]
pub(crate) struct Grpc {
    config: ConfigHandle<Arc<Config>>,
    tools: Tools,
    metrics: Metrics,
    drain: Drain,
    places: Arc<Semaphore>,
    tests: Semaphore,
    embeddings: Semaphore,
    discovered: Discovered,
}

impl Grpc {
    pub(crate) fn new(
        config: ConfigHandle<Arc<Config>>,
        tools: Tools,
        metrics: Metrics,
        drain: Drain,
    ) -> Self {
        metrics.running_max.set(CONCURRENT_MAX.into());
        Self {
            config,
            tools,
            metrics,
            drain,
            places: Arc::new(Semaphore::new(TURNS_MAX)),
            tests: Semaphore::new(TESTS_MAX),
            embeddings: Semaphore::new(EMBEDDINGS_MAX),
            discovered: Discovered::default(),
        }
    }

    fn config(&self) -> Result<Arc<Config>, Error> {
        let revision = self.config.current().ok_or(Error::Starting)?;
        Ok(Arc::clone(&revision.value))
    }

    fn catalog<'a>(&'a self, config: &'a Config, provider: Option<&'a str>) -> Catalog<'a> {
        Catalog {
            config,
            tools: &self.tools,
            discovered: &self.discovered,
            provider,
        }
    }

    fn place(&self) -> Result<OwnedSemaphorePermit, Error> {
        Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| Error::Full { max: TURNS_MAX })
    }
}

#[tonic::async_trait]
impl AgentService for Grpc {
    type RunTurnStream = Pin<Box<dyn Stream<Item = Result<RunTurnResponse, Status>> + Send>>;

    async fn list_models(
        &self,
        request: Request<ListModelsRequest>,
    ) -> Result<Response<ListModelsResponse>, Status> {
        let config = self.config()?;
        let ListModelsRequest {
            view,
            refresh,
            provider,
        } = request.into_inner();
        let view = match (refresh, view.as_deref()) {
            (Some(true), _) => View::Asked,
            (_, Some("all")) => View::All,
            _ => View::Configured,
        };
        let (models, provider_outcomes) = self.catalog(&config, provider.as_deref()).list(view).await;
        Ok(Response::new(ListModelsResponse {
            models,
            provider_outcomes,
        }))
    }

    async fn test_model(
        &self,
        request: Request<TestModelRequest>,
    ) -> Result<Response<TestModelResponse>, Status> {
        let config = self.config()?;
        let _place = self
            .tests
            .try_acquire()
            .map_err(|_| Error::Testing { max: TESTS_MAX })?;
        let TestModelRequest {
            model,
            provider,
            timeout_ms,
        } = request.into_inner();
        let limit = timeout_ms
            .and_then(|ms| u64::try_from(ms).ok())
            .map_or(trial::LIMIT, Duration::from_millis);
        let catalog = self.catalog(&config, None);
        let response = match trial::choose(&catalog, model.as_deref(), provider.as_deref()).await {
            Ok(name) => trial::run(Arc::clone(&config), &self.tools, &name, limit).await,
            Err(why) => trial::not_asked(model.as_deref(), provider.as_deref(), why),
        };
        Ok(Response::new(response))
    }

    async fn embed_texts(
        &self,
        request: Request<EmbedTextsRequest>,
    ) -> Result<Response<EmbedTextsResponse>, Status> {
        let config = self.config()?;
        let full = |_| Error::Embedding { max: EMBEDDINGS_MAX };
        let _place = self.embeddings.try_acquire().map_err(full)?;
        let answered = embed::run(&config, &self.tools, request.get_ref()).await;
        Ok(Response::new(answered?))
    }

    async fn run_turn(
        &self,
        request: Request<RunTurnRequest>,
    ) -> Result<Response<Self::RunTurnStream>, Status> {
        let config = self.config()?;
        let place = self.place()?;
        let request = RunTurn::try_from(request.into_inner()).map_err(Failure::from)?;
        tracing::debug!(run.id = request.run, "a turn begins");
        self.metrics.started.inc();
        self.metrics.running.inc();

        let (sender, events) = mpsc::channel(EVENTS);
        let turn = turn::run(request, Bounds::TURN, config, self.tools.clone(), sender);
        let running = self.metrics.running.clone();
        let running_turn = async move {
            turn.await;
            running.dec();
            drop(place);
        };
        self.drain.spawn_work("turn", trace::carry(running_turn));
        // The receiver goes with the stream: a caller that goes away closes it, and that cancels the turn.
        Ok(Response::new(Box::pin(
            self.drain.end_stream(ReceiverStream::new(events).map(Ok)),
        )))
    }
}
