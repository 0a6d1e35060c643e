//! The calls: parse, ask, answer.

use std::{pin::Pin, sync::Arc};

use futures::{Stream, StreamExt};
use gatehouse_core::{Drain, Failure, config::ConfigHandle, trace};
use gatehouse_document::agents::CONCURRENT_MAX;
use gatehouse_proto::agent::v1::{
    ListModelsRequest, ListModelsResponse, Model, RunTurnRequest, RunTurnResponse,
    agent_service_server::AgentService,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::{
    config::{Config, ECHO},
    error::Error,
    metrics::Metrics,
    request::RunTurn,
    turn::{self, Tools},
};

/// Turns at once: as many as session may be told to run. Each holds one connection to a provider; a household has a handful.
const TURNS_MAX: usize = CONCURRENT_MAX as usize;

/// Events of one turn on their way to session.
const EVENTS: usize = 64;

#[derive(Debug)]
pub(crate) struct Grpc {
    config: ConfigHandle<Arc<Config>>,
    tools: Tools,
    metrics: Metrics,
    drain: Drain,
    places: Arc<Semaphore>,
}

impl Grpc {
    pub(crate) fn new(
        config: ConfigHandle<Arc<Config>>,
        tools: Tools,
        metrics: Metrics,
        drain: Drain,
    ) -> Self {
        Self {
            config,
            tools,
            metrics,
            drain,
            places: Arc::new(Semaphore::new(TURNS_MAX)),
        }
    }

    fn config(&self) -> Result<Arc<Config>, Error> {
        let revision = self.config.current().ok_or(Error::Starting)?;
        Ok(Arc::clone(&revision.value))
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
        _: Request<ListModelsRequest>,
    ) -> Result<Response<ListModelsResponse>, Status> {
        let config = self.config()?;
        Ok(Response::new(ListModelsResponse {
            models: models(&config),
        }))
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
        let turn = turn::run(request, config, self.tools.clone(), sender);
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

fn models(config: &Config) -> Vec<Model> {
    let configured = config.providers.iter().flat_map(|(provider, entry)| {
        entry.models.iter().map(|model| Model {
            id: model.id.clone(),
            name: model.name.clone().unwrap_or_else(|| model.id.clone()),
            provider: provider.clone(),
            context_window: model.context_window.and_then(|tokens| i64::try_from(tokens).ok()),
            reasoning: Some(model.reasoning),
        })
    });
    let echo = Model {
        id: ECHO.into(),
        name: "Echo (built in)".into(),
        provider: ECHO.into(),
        context_window: None,
        reasoning: None,
    };
    configured.chain([echo]).collect()
}
