//! The only file that knows all the parts.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::backup::Gate;
use gatehouse_core::config::ConfigHandle;
use gatehouse_core::drain::plan;
use gatehouse_core::server::MESSAGE_BYTES_MAX;
use gatehouse_core::service::{self, Life};
use gatehouse_core::settings::SettingsError;
use gatehouse_core::{Chain, Clock, Drain, Env, Service, ServiceSettings};
use gatehouse_proto::node::v1::node_service_server::NodeServiceServer;
use gatehouse_proto::session::v1::catalog_service_server::CatalogServiceServer;
use gatehouse_proto::session::v1::command_service_server::CommandServiceServer;
use gatehouse_proto::session::v1::conversation_service_server::ConversationServiceServer;
use gatehouse_proto::session::v1::hook_service_server::HookServiceServer;
use gatehouse_proto::session::v1::media_service_server::MediaServiceServer;
use gatehouse_proto::session::v1::pending_service_server::PendingServiceServer;
use gatehouse_proto::session::v1::program_service_server::ProgramServiceServer;
use gatehouse_proto::session::v1::schedule_service_server::ScheduleServiceServer;
use gatehouse_proto::session::v1::session_service_server::SessionServiceServer;
use gatehouse_proto::session::v1::task_service_server::TaskServiceServer;
use gatehouse_proto::session::v1::usage_service_server::UsageServiceServer;
use gatehouse_proto::session::v1::workspace_service_server::WorkspaceServiceServer;
use tokio::sync::{Notify, watch};
use tokio::time::{self, timeout};

use crate::backup::RunningFiles;
use crate::commands::CommandGrpc;
use crate::config::SessionConfig;
use crate::conversations;
use crate::deliveries::{Deliveries, Dispatcher, Recall};
use crate::grpc::Grpc;
use crate::hooks;
use crate::media::grpc::MediaGrpc;
use crate::media::{Links, Media};
use crate::metrics::Metrics;
use crate::nodes::{NodeMetrics, Nodes, grpc::Grpc as NodesGrpc};
use crate::policy::Policy;
use crate::schedules::{self, Runner};
use crate::store::{self, Opened, Upkeep};
use crate::turns::{self, Engine, Parts, Timing};
use crate::workspace::{self, Workspaces};
use crate::{backup, catalog, pending, tasks, usage};

/// The file in the service's folder.
const DATABASE: &str = "session.db";
/// How often old rows are looked for.
const PRUNE: Duration = Duration::from_secs(600);
/// How long a key against doubles is kept: demands.md, item 2.
const KEEP: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The pause between two steps of forgetting, so that others get at the writer.
const PRUNE_PAUSE: Duration = Duration::from_millis(200);
/// How often it is looked whether the bridge has the last replies.
const HAND_OVER_LOOK: Duration = Duration::from_millis(20);

/// The session service.
#[derive(Debug)]
pub struct App {
    store: Opened,
    media: PathBuf,
    timing: Timing,
}

impl App {
    /// Other times, for tests.
    #[must_use]
    pub fn with_timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self
    }
}

impl service::App for App {
    const SERVICE: Service = Service::Session;

    type Settings = ();

    fn read(_: &Env) -> Result<(), SettingsError> {
        Ok(())
    }

    async fn open((): (), common: &ServiceSettings) -> Result<Self, service::Error> {
        let folder = common.home.folder(Service::Session);
        let store = store::open(&folder.join(DATABASE)).map_err(service::Error::open)?;
        let media = backup::media_folder(&common.home);
        Media::clear_unfinished(&media); // the database is ours: nobody else is writing there
        Ok(Self {
            store,
            media,
            timing: Timing::default(),
        })
    }

    /// When the end is asked for, nothing new is taken, answers under way may end, and their replies are handed to the bridge.
    /// Only then it closes: until there is nothing left to say, whoever waits for it can ask.
    fn assemble(self, life: &mut Life) {
        let Self {
            store: Opened { stores, attach },
            media,
            timing,
        } = self;
        let clock = life.clock.clone();
        let metrics = Metrics::default();
        metrics.register(&mut life.registry);
        let node_metrics = NodeMetrics::default();
        node_metrics.register(&mut life.registry);

        let config = life.config::<SessionConfig>();
        let (policy, policies) = watch::channel(None);
        let replies = Arc::new(Notify::new());
        let links = Links::new(life.credentials.key_for("media links"), clock.clone());
        let media = Media::new(media, Arc::clone(&stores.media), links, clock.clone());
        let publisher = life.publisher();
        let nodes = Nodes::new(
            Arc::clone(&stores.nodes),
            life.peer(Service::Config).service(),
            policies.clone(),
            publisher.clone(),
            clock.clone(),
            (media.clone(), node_metrics),
            life.closing.clone(),
        );
        let workspaces = Workspaces::new(life.settings.home.workspaces());
        let engine = Engine::new(Parts {
            stores: stores.clone(),
            media: media.clone(),
            agent: life.peer(Service::Agent).service(),
            publisher: publisher.clone(),
            policy: policies.clone(),
            clock: clock.clone(),
            timing,
            replies: Arc::clone(&replies),
            metrics: metrics.clone(),
            drain: life.requested.clone(),
            workspaces: workspaces.clone(),
        });
        let jobs = Runner::new(
            engine.clone(),
            publisher,
            policies.clone(),
            Arc::clone(&replies),
            life.requested.clone(),
        );
        let bridge = life.peer(Service::ChannelBridge).service();
        let recall = Recall::new(
            Arc::clone(&stores.deliveries),
            bridge.clone(),
            clock.clone(),
            life.closing.clone(),
        );
        let dispatcher = Dispatcher::new(
            engine.clone(),
            recall.clone(),
            bridge,
            replies,
            clock.clone(),
            metrics.clone(),
        );
        let (upkeep, day, configured) = (Arc::clone(&stores.upkeep), clock.clone(), policies.clone());
        life.on_scrape(move || {
            let (upkeep, day, metrics) = (Arc::clone(&upkeep), day.clone(), metrics.clone());
            if let Some(policy) = configured.borrow().as_ref() {
                metrics.turns_max(policy.concurrent_max);
            }
            async move {
                // A database that fails says so by itself; the last figures stay.
                if let Ok(depths) = upkeep.depths().await {
                    metrics.depths(depths, day.now());
                }
            }
        });

        let measured = nodes.clone();
        life.on_scrape(move || {
            let nodes = measured.clone();
            async move { nodes.measure().await }
        });

        let (requested, closing) = (life.requested.clone(), life.closing.clone());
        requested.spawn("turns", engine.clone().run());
        requested.spawn("jobs", jobs.clone().run());
        requested.spawn("posts", jobs.sender(clock.clone()).run(requested.clone()));
        requested.spawn(
            "prune",
            prune(
                Arc::clone(&stores.upkeep),
                engine.clone(),
                media.clone(),
                policies,
                clock.clone(),
                requested.clone(),
            ),
        );
        requested.spawn("nodes", nodes.clone().keep_up(requested.clone()));
        closing.spawn("policy", follow(config, policy, closing.clone()));
        closing.spawn("replies", dispatcher.run(closing.clone()));
        let configured = engine.clone();
        let ready = move || match configured.policy() {
            Ok(_) => Ok(()),
            Err(_) => Err("the configuration is not known yet".to_owned()),
        };
        // Nothing of another service is stored here that is not offered again: its gate stays open.
        let files = Arc::new(RunningFiles::new(media.clone(), life.settings.home.workspaces()));
        attach.attach(life, Gate::default(), files, Box::new(ready));

        life.serve(MediaServiceServer::new(MediaGrpc::new(media)));
        life.serve(CommandServiceServer::new(CommandGrpc::new(engine.clone())));
        let lists = tasks::grpc::Grpc::new(engine.clone(), requested.clone());
        life.serve(TaskServiceServer::new(lists).max_decoding_message_size(MESSAGE_BYTES_MAX));
        let counted = usage::grpc::Grpc::new(engine.clone());
        life.serve(UsageServiceServer::new(counted).max_encoding_message_size(MESSAGE_BYTES_MAX));
        life.serve(PendingServiceServer::new(pending::Grpc));
        let programs = turns::program::Grpc::new(engine.clone(), closing.clone());
        life.serve(ProgramServiceServer::new(programs).max_decoding_message_size(MESSAGE_BYTES_MAX));
        life.serve(HookServiceServer::new(hooks::grpc::Grpc::new(jobs.clone())));
        let jobs = schedules::grpc::Grpc::new(jobs);
        life.serve(
            ScheduleServiceServer::new(jobs)
                .max_decoding_message_size(MESSAGE_BYTES_MAX)
                .max_encoding_message_size(MESSAGE_BYTES_MAX),
        );
        let around = catalog::grpc::Grpc::new(engine.clone(), workspaces.clone(), nodes.clone());
        life.serve(CatalogServiceServer::new(around));
        let files = workspace::grpc::Grpc::new(engine.clone(), workspaces);
        life.serve(WorkspaceServiceServer::new(files).max_decoding_message_size(MESSAGE_BYTES_MAX));
        let agent = life.peer(Service::Agent).service();
        let beside = conversations::Grpc::new(engine.clone(), recall.clone(), agent);
        life.serve(
            ConversationServiceServer::new(beside)
                .max_decoding_message_size(MESSAGE_BYTES_MAX)
                .max_encoding_message_size(MESSAGE_BYTES_MAX),
        );
        let grpc = Grpc::new(engine.clone(), recall, closing.clone());
        life.serve(
            SessionServiceServer::new(grpc)
                .max_decoding_message_size(MESSAGE_BYTES_MAX)
                .max_encoding_message_size(MESSAGE_BYTES_MAX),
        );
        life.serve(
            NodeServiceServer::new(NodesGrpc::new(nodes, closing.clone()))
                .max_decoding_message_size(MESSAGE_BYTES_MAX)
                .max_encoding_message_size(MESSAGE_BYTES_MAX),
        );
        let (turns, limited) = (life.requested.clone(), engine.clone());
        life.before_closing(
            move || limited.drain_limit() + plan::CUT_SHORT + plan::HAND_OVER,
            async move {
                let limit = engine.drain_limit();
                tracing::info!(answers = engine.running(), limit = ?limit, "stopping: answers under way may end first");
                if !turns.finish(limit + plan::CUT_SHORT).await {
                    tracing::warn!("some tasks were still under way when the time for answers was over");
                }
                if timeout(plan::HAND_OVER, handed_over(&*stores.deliveries, &clock)).await.is_err() {
                    tracing::warn!(
                        "the bridge has not taken every reply; they are offered again at the next start"
                    );
                }
            },
        );
    }
}

/// Waits until no reply waits for the bridge. One that the bridge has put off is not waited for.
async fn handed_over(deliveries: &dyn Deliveries, clock: &Clock) {
    loop {
        match deliveries.waiting(clock.now(), 1).await {
            Ok(waiting) if waiting.is_empty() => return,
            Ok(_) => {}
            Err(error) => {
                tracing::error!(error = %Chain(&error), "replies could not be read");
            }
        }
        time::sleep(HAND_OVER_LOOK).await;
    }
}

/// Reads each revision once, for everybody.
async fn follow(
    mut config: ConfigHandle<SessionConfig>,
    policy: watch::Sender<Option<Arc<Policy>>>,
    drain: Drain,
) {
    loop {
        if let Some(revision) = config.current() {
            policy.send_replace(Some(Arc::new(Policy::read(&revision.value))));
        }
        tokio::select! {
            () = drain.requested() => return,
            _ = config.changed() => {}
        }
    }
}

async fn prune(
    store: Arc<dyn Upkeep>,
    engine: Engine,
    media: Media,
    mut policies: watch::Receiver<Option<Arc<Policy>>>,
    clock: Clock,
    drain: Drain,
) {
    // What is kept for how long stands in the configuration.
    let known = async { policies.wait_for(Option::is_some).await.is_ok() };
    tokio::select! {
        () = drain.requested() => return,
        known = known => if !known { return },
    }
    loop {
        if let Err(error) = media.sweep().await {
            tracing::warn!(error = %Chain(&error), "media that nobody names could not be forgotten");
        }
        if let Err(error) = engine.forget_expired().await {
            tracing::warn!(error = %Chain(&error), "sessions that are not kept any longer could not be forgotten");
        }
        if let Err(error) = engine.forget_surplus().await {
            tracing::warn!(error = %Chain(&error), "old sessions could not be forgotten");
        }
        let pause = match store.prune(clock.now() - KEEP).await {
            Ok(0) => PRUNE,
            Ok(_) => PRUNE_PAUSE,
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "old rows could not be forgotten");
                PRUNE
            }
        };
        tokio::select! {
            () = drain.requested() => return,
            () = time::sleep(pause) => {}
        }
    }
}
