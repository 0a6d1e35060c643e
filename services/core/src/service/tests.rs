use std::{
    future::pending,
    path::Path,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::Stream;
use gatehouse_proto::broadcast::v1::{
    GetHealthRequest, GetHealthResponse, GetPresenceRequest, GetPresenceResponse, GetStatusRequest,
    GetStatusResponse, PublishRequest, PublishResponse, ReportHealthRequest, ReportHealthResponse,
    ReportPresenceRequest, ReportPresenceResponse, SubscribeRequest, SubscribeResponse,
    broadcast_service_server::{BroadcastService, BroadcastServiceServer},
    service_health::State,
};
use tokio::{
    net::TcpListener,
    time::{sleep, timeout},
};
use tonic::{Request, Response, Status};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use super::*;
use crate::{credential, health::Health, health::STOPPING, server::Server};

/// Longer than anything here takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(20);

/// What happened, in order.
#[derive(Clone, Default)]
struct Story(Arc<Mutex<Vec<&'static str>>>);

impl Story {
    fn add(&self, what: &'static str) {
        self.0.lock().unwrap().push(what);
    }

    fn told(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().clone()
    }
}

type Assemble = Box<dyn FnOnce(&mut Life) + Send>;

/// A service that a test puts together.
struct Played(Assemble);

impl App for Played {
    const SERVICE: Service = Service::Agent;

    type Settings = Result<Assemble, std::io::Error>;

    fn read(_: &Env) -> Result<Self::Settings, SettingsError> {
        Ok(Err(std::io::Error::other("the disk is on fire")))
    }

    async fn open(own: Self::Settings, _: &ServiceSettings) -> Result<Self, Error> {
        Ok(Self(own.map_err(Error::open)?))
    }

    fn assemble(self, life: &mut Life) {
        (self.0)(life);
    }
}

fn home() -> (tempfile::TempDir, ServiceSettings) {
    let home = tempfile::tempdir().unwrap();
    let common = ServiceSettings::for_tests(home.path(), Service::Agent);
    credential::make_all(&common.home).unwrap();
    (home, common)
}

async fn bound(common: &ServiceSettings, assemble: impl FnOnce(&mut Life) + Send + 'static) -> Bound<Played> {
    let settings = Settings {
        common: common.clone(),
        own: Ok(Box::new(assemble) as Assemble),
    };
    settings.build().await.unwrap()
}

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    timeout(DEADLINE, what).await.expect("in time")
}

struct LetGo(Story);

impl Drop for LetGo {
    fn drop(&mut self) {
        self.0.add("what was kept is let go");
    }
}

#[tokio::test]
async fn an_end_goes_step_by_step_and_waits_for_what_was_spawned() {
    let ((_home, common), story, drain) = (home(), Story::default(), Drain::new());
    let own = Credential::load(&common.home, Service::Agent.identity()).unwrap();
    let told = story.clone();
    let bound = bound(&common, move |life| {
        life.health.serving();
        let (intake, requested) = (told.clone(), life.requested.clone());
        life.requested.spawn("intake", async move {
            requested.requested().await;
            intake.add("nothing new is taken");
        });
        let (feeder, closing) = (told.clone(), life.closing.clone());
        life.closing.spawn("feeder", async move {
            closing.requested().await;
            sleep(Duration::from_millis(50)).await;
            feeder.add("tasks have ended");
        });
        life.keep(LetGo(told.clone()));
        let (work, turns) = (told, life.requested.clone());
        let peer = own.peer(Service::Agent, &life.settings.listen);
        life.before_closing(|| DEADLINE, async move {
            assert!(turns.finish(DEADLINE).await);
            let request = HealthCheckRequest {
                service: STOPPING.to_owned(),
            };
            HealthClient::new(peer.service())
                .check(request)
                .await
                .expect("it still answers, and says that it ends");
            work.add("work is finished");
        });
    })
    .await;
    let running = tokio::spawn(bound.run(drain.clone()));

    drain.start();

    in_time(running).await.unwrap().unwrap();
    assert_eq!(
        story.told(),
        [
            "nothing new is taken",
            "work is finished",
            "tasks have ended",
            "what was kept is let go"
        ]
    );
}

#[tokio::test]
async fn work_that_hangs_is_given_up_when_its_time_is_over() {
    let ((_home, common), drain) = (home(), Drain::new());
    let bound = bound(&common, |life| {
        life.before_closing(|| Duration::from_millis(50), pending())
    })
    .await;
    let running = tokio::spawn(bound.run(drain.clone()));

    drain.start();

    in_time(running).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_task_that_panics_ends_the_service_with_its_name_and_in_order() {
    let ((_home, common), story) = (home(), Story::default());
    let told = story.clone();
    let bound = bound(&common, move |life| {
        life.closing.spawn("dispatcher", async { panic!("on purpose") });
        life.before_closing(|| DEADLINE, async move { told.add("work is finished") });
    })
    .await;

    let ended = in_time(bound.run(Drain::new())).await.unwrap_err();

    assert!(matches!(ended, Error::Panicked("dispatcher")), "{ended}");
    assert_eq!(story.told(), ["work is finished"]);
}

#[tokio::test]
async fn metrics_that_were_asked_for_must_work_and_a_default_may_not() {
    let ((_home, mut common), taken) = (home(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let address = Address::Tcp(taken.local_addr().unwrap().to_string());
    let listen = |is_required| {
        Some(MetricsListen {
            address: address.clone(),
            is_required,
        })
    };

    common.metrics = listen(false);
    bound(&common, |_| ()).await;
    common.metrics = listen(true);
    let own = Ok(Box::new(|_: &mut Life| ()) as Assemble);
    let refused = Settings::<Played> { common, own }.build().await.err().unwrap();

    assert!(
        refused.to_string().contains("GATEHOUSE_METRICS_LISTEN"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_process_has_signed_off_before_it_is_gone() {
    let ((home, common), drain) = (home(), Drain::new());
    let broadcast = Broadcast::start(home.path()).await;
    let bound = bound(&common, |life| life.health.serving()).await;
    let running = tokio::spawn(bound.run(drain.clone()));
    let first = in_time(broadcast.reported(|report| !report.leaving)).await;

    drain.start();
    in_time(running).await.unwrap().unwrap();

    // Nothing is waited for here: it has been said.
    let last = broadcast.reports().pop().unwrap();
    assert!(last.leaving, "{last:?}");
    assert_eq!(
        last.service.unwrap().instance_id,
        first.service.unwrap().instance_id
    );
}

#[tokio::test]
async fn a_process_that_takes_no_report_does_not_keep_its_own_end_waiting() {
    let ((home, common), drain) = (home(), Drain::new());
    let broadcast = Broadcast::start(home.path()).await;
    broadcast.hang();
    let bound = bound(&common, |life| life.health.serving()).await;
    let running = tokio::spawn(bound.run(drain.clone()));
    in_time(broadcast.reported(|_| true)).await;

    drain.start();

    let began = tokio::time::Instant::now();
    in_time(running).await.unwrap().unwrap();
    assert!(began.elapsed() < plan::CLOSE, "{:?}", began.elapsed());
    let leaving = broadcast.reports().pop().is_some_and(|report| report.leaving);
    assert!(leaving, "it left without waiting for the report before");
}

#[tokio::test]
async fn why_a_process_could_not_start_is_told() {
    let (home, common) = home();
    let broadcast = Broadcast::start(home.path()).await;
    let env = Env::of([("GATEHOUSE_HOME", common.home.path.to_string_lossy())]);

    let ended = in_time(run::<Played>(&env, Drain::new())).await.unwrap_err();

    assert!(!ended.is_configuration());
    let told = broadcast.reports().pop().unwrap().service.unwrap();
    assert_eq!(
        (told.state(), told.detail.as_deref()),
        (State::NotServing, Some("the disk is on fire"))
    );
}

/// A broadcast service that takes reports and nothing else.
#[derive(Clone, Default)]
struct Broadcast {
    reports: Arc<Mutex<Vec<ReportHealthRequest>>>,
    hangs: Arc<Mutex<bool>>,
}

impl Broadcast {
    async fn start(home: &Path) -> Self {
        let common = ServiceSettings::for_tests(home, Service::Broadcast);
        let (listener, known) = (
            Listener::bind(&common.listen).await.unwrap(),
            Credentials::load(&common).await.unwrap(),
        );
        let played = Self::default();
        let service = BroadcastServiceServer::new(played.clone());
        let server = Server::new(listener, known.callers(), Health::new()).add(service);
        tokio::spawn(server.run(Drain::new()));
        played
    }

    fn hang(&self) {
        *self.hangs.lock().unwrap() = true;
    }

    fn reports(&self) -> Vec<ReportHealthRequest> {
        self.reports.lock().unwrap().clone()
    }

    async fn reported(&self, fits: impl Fn(&ReportHealthRequest) -> bool) -> ReportHealthRequest {
        loop {
            if let Some(report) = self.reports().into_iter().find(&fits) {
                return report;
            }
            sleep(Duration::from_millis(5)).await;
        }
    }
}

fn not_played<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("not played"))
}

#[tonic::async_trait]
impl BroadcastService for Broadcast {
    type SubscribeStream = Pin<Box<dyn Stream<Item = Result<SubscribeResponse, Status>> + Send>>;

    async fn report_health(
        &self,
        request: Request<ReportHealthRequest>,
    ) -> Result<Response<ReportHealthResponse>, Status> {
        self.reports.lock().unwrap().push(request.into_inner());
        let hangs = *self.hangs.lock().unwrap();
        if hangs {
            pending::<()>().await;
        }
        Ok(Response::new(ReportHealthResponse {}))
    }

    async fn get_presence(
        &self,
        _: Request<GetPresenceRequest>,
    ) -> Result<Response<GetPresenceResponse>, Status> {
        not_played()
    }

    async fn get_health(&self, _: Request<GetHealthRequest>) -> Result<Response<GetHealthResponse>, Status> {
        not_played()
    }

    async fn get_status(&self, _: Request<GetStatusRequest>) -> Result<Response<GetStatusResponse>, Status> {
        not_played()
    }

    async fn publish(&self, _: Request<PublishRequest>) -> Result<Response<PublishResponse>, Status> {
        not_played()
    }

    async fn subscribe(
        &self,
        _: Request<SubscribeRequest>,
    ) -> Result<Response<Self::SubscribeStream>, Status> {
        not_played()
    }

    async fn report_presence(
        &self,
        _: Request<ReportPresenceRequest>,
    ) -> Result<Response<ReportPresenceResponse>, Status> {
        not_played()
    }
}
