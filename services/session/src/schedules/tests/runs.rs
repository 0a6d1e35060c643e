//! Jobs over an engine, with an agent that the test plays.

use std::sync::Arc;

use gatehouse_core::error::Failure;
use gatehouse_core::publish::{Published, Publisher};
use gatehouse_core::{Clock, Drain, Kind};
use gatehouse_proto::agent::v1::FailureKind;
use gatehouse_proto::session::v1::schedule_service_server::ScheduleService;
use gatehouse_proto::session::v1::*;
use prost::Message as _;
use tonic::Request;

use super::super::grpc::Grpc;
use super::super::*;
use crate::policy::Policy;
use crate::store::Reply;
use crate::testing::{Bench, Running, message, room, within};

/// An engine and its scheduler.
pub(super) struct Scheduled {
    pub(super) bench: Bench,
    pub(super) running: Running,
    pub(super) grpc: Grpc,
    events: Published,
    drain: Drain,
}

/// A clock that a test sets: a Friday, 2027-01-15T08:00:00Z.
fn clock() -> Clock {
    Clock::fixed(1_800_000_000_000)
}

impl Scheduled {
    async fn new() -> Self {
        Self::with("{}").await
    }

    pub(super) async fn with(config: &str) -> Self {
        let mut bench = Bench::new().await;
        bench.clock = clock();
        Self::over(bench, config)
    }

    fn over(bench: Bench, config: &str) -> Self {
        let running = bench.run(config);
        let (publisher, events) = Publisher::for_tests();
        let drain = Drain::new();
        let runner = Runner::new(
            running.engine.clone(),
            publisher,
            running.policy.subscribe(),
            Arc::clone(&running.replies),
            drain.clone(),
        );
        drain.spawn("jobs", runner.clone().run());
        Self {
            bench,
            running,
            grpc: Grpc::new(runner),
            events,
            drain,
        }
    }

    /// Time goes by, and the runner looks.
    pub(super) fn pass(&self, ms: i64) {
        self.bench.clock.advance_ms(ms);
        self.running.policy.send_modify(|_| {});
    }

    pub(super) fn configure(&self, config: &str) {
        let policy = Policy::read(&serde_json::from_str(config).unwrap());
        self.running.policy.send_replace(Some(Arc::new(policy)));
    }

    pub(super) async fn list(&self) -> Vec<CronJob> {
        let all = ListCronJobsRequest {
            include_disabled: Some(true),
            ..ListCronJobsRequest::default()
        };
        self.grpc
            .list_cron_jobs(Request::new(all))
            .await
            .unwrap()
            .into_inner()
            .jobs
    }

    async fn add(&self, request: AddCronJobRequest) -> CronJob {
        let added = self.grpc.add_cron_job(Request::new(request)).await;
        added.unwrap().into_inner().job.unwrap()
    }

    async fn run(&self, job: &CronJob) -> RunCronJobResponse {
        let request = RunCronJobRequest {
            id: Some(job.id.clone()),
            ..RunCronJobRequest::default()
        };
        self.grpc
            .run_cron_job(Request::new(request))
            .await
            .unwrap()
            .into_inner()
    }

    pub(super) async fn runs(&self, job: &CronJob) -> Vec<CronRun> {
        let request = ListCronRunsRequest {
            id: Some(job.id.clone()),
            ..ListCronRunsRequest::default()
        };
        self.grpc
            .list_cron_runs(Request::new(request))
            .await
            .unwrap()
            .into_inner()
            .entries
    }

    /// Reads events up to this one of a job.
    pub(super) async fn see(&mut self, action: &str) -> CronEvent {
        loop {
            let event = within(action, self.events.recv()).await.unwrap();
            if event.r#type != "gatehouse.session.v1.CronEvent" {
                continue; // of a heartbeat, beside it
            }
            let event = CronEvent::decode(event.payload).unwrap();
            if event.action == action {
                return event;
            }
        }
    }

    pub(super) async fn waiting(&self) -> Vec<String> {
        let waiting = self.bench.stores.deliveries.waiting(i64::MAX, 10).await.unwrap();
        waiting
            .iter()
            .map(|delivery| format!("{}: {}", delivery.target.to, delivery.content.words()))
            .collect()
    }

    /// Somebody spoke in the main session from a chat, and was answered.
    pub(super) async fn chat_speaks(&mut self, to: &str) {
        let mut hello = message("hello", "hi");
        hello.reply = Reply::To(room(to));
        self.running.engine.submit(hello).await.unwrap();
        self.bench.call().await.done().await;
        self.running.end_of("hello").await;
        for delivery in self.bench.stores.deliveries.waiting(i64::MAX, 10).await.unwrap() {
            let taken = crate::deliveries::DeliveryOutcome::Taken { now: 1 };
            self.bench
                .stores
                .deliveries
                .settle(delivery.id, taken)
                .await
                .unwrap();
        }
    }
}

fn turn(schedule: &str) -> AddCronJobRequest {
    AddCronJobRequest {
        name: "news".to_owned(),
        schedule: schedule.to_owned(),
        session_target: "isolated".to_owned(),
        wake_mode: "now".to_owned(),
        payload: r#"{"kind":"agentTurn","message":"what is new?"}"#.to_owned(),
        ..AddCronJobRequest::default()
    }
}

const HOURLY: &str = r#"{"kind":"every","everyMs":3600000}"#;

#[tokio::test]
async fn a_job_that_is_due_makes_a_turn_of_its_own_and_its_answer_goes_to_the_chat_that_spoke_last() {
    let mut on = Scheduled::new().await;
    on.chat_speaks("bob").await;
    let job = on.add(turn(HOURLY)).await;
    on.see("added").await;
    on.bench.clock.advance_ms(3_600_000);
    on.running.policy.send_modify(|_| {}); // the runner looks

    let call = on.bench.call().await;
    assert_eq!(call.texts(), ["what is new?"], "a session of its own");
    assert!(!call.request.in_chat);
    let started = on.see("started").await;
    // Elsewhere somebody else speaks meanwhile: the answer goes where it was to go when the run began.
    call.text("The kettle is new.").await;
    assert!(on.waiting().await.is_empty(), "nothing is told before the end");
    call.done().await;

    let finished = on.see("finished").await;
    assert_eq!(
        (finished.status.as_deref(), finished.delivery_status.as_deref()),
        (Some("ok"), Some("delivered"))
    );
    assert_eq!(finished.run_id, started.run_id);
    assert_eq!(on.waiting().await, ["bob: The kettle is new."]);
    let runs = on.runs(&job).await;
    let [run] = runs.as_slice() else {
        panic!("one run: {runs:?}")
    };
    assert_eq!((run.status.as_str(), run.slot_state.as_str()), ("ok", "fired"));
    assert_eq!(run.summary.as_deref(), Some("The kettle is new."));
    assert!(
        run.session_key
            .as_ref()
            .unwrap()
            .starts_with(&format!("agent:main:cron:{}:run:", job.id))
    );
}

#[tokio::test]
async fn an_answer_that_says_nothing_reaches_no_chat() {
    let mut on = Scheduled::new().await;
    on.chat_speaks("bob").await;
    let job = on.add(turn(HOURLY)).await;

    for silence in ["NO_REPLY", "HEARTBEAT_OK"] {
        assert_eq!(on.run(&job).await.enqueued, Some(true));
        let call = on.bench.call().await;
        call.text(silence).await;
        call.done().await;
        let finished = on.see("finished").await;
        assert_eq!(
            (finished.status.as_deref(), finished.delivery_status.as_deref()),
            (Some("ok"), Some("not-requested"))
        );
    }
    assert!(on.waiting().await.is_empty());
}

#[tokio::test]
async fn an_answer_without_a_chat_is_a_failure_unless_that_does_not_matter() {
    let mut on = Scheduled::new().await;
    let strict = on.add(turn(HOURLY)).await;
    let easy = AddCronJobRequest {
        delivery: Some(r#"{"mode":"announce","bestEffort":true}"#.to_owned()),
        ..turn(HOURLY)
    };
    let easy = on.add(easy).await;

    for (job, status) in [(&strict, "error"), (&easy, "ok")] {
        on.run(job).await;
        let call = on.bench.call().await;
        call.text("news").await;
        call.done().await;
        let finished = on.see("finished").await;
        assert_eq!(
            (finished.status.as_deref(), finished.delivery_status.as_deref()),
            (Some(status), Some("not-delivered"))
        );
    }
}

#[tokio::test]
async fn the_event_of_a_reminder_is_said_in_the_main_session_and_the_job_is_gone_when_it_was() {
    let mut on = Scheduled::new().await;
    on.chat_speaks("bob").await;
    let at = on.bench.clock.now_ms() + 60_000;
    let at = jiff::Timestamp::from_millisecond(at).unwrap();
    let reminder = AddCronJobRequest {
        name: "tea".to_owned(),
        session_target: "main".to_owned(),
        payload: r#"{"kind":"systemEvent","text":"the tea is ready"}"#.to_owned(),
        ..turn(&format!(r#"{{"kind":"at","at":"{at}"}}"#))
    };
    let job = on.add(reminder).await;
    assert_eq!(job.delete_after_run, Some(true));
    on.bench.clock.advance_ms(60_000);
    on.running.policy.send_modify(|_| {});

    let call = on.bench.call().await;
    assert_eq!(call.texts().last(), Some(&"the tea is ready"));
    call.text("Your tea is ready.").await;
    call.done().await;
    on.see("finished").await;

    assert_eq!(on.waiting().await, ["bob: Your tea is ready."]);
    let gone = GetCronJobRequest {
        id: Some(job.id),
        job_id: None,
    };
    let failure = Failure::from_status(&on.grpc.get_cron_job(Request::new(gone)).await.unwrap_err());
    assert_eq!(
        (failure.kind, failure.reason.as_deref()),
        (Kind::NotFound, Some("CRON_JOB_NOT_FOUND"))
    );
}

#[tokio::test]
async fn a_run_that_a_process_left_behind_ends_in_the_next_one_and_is_not_begun_again() {
    let mut on = Scheduled::new().await;
    let quiet = AddCronJobRequest {
        delivery: Some(r#"{"mode":"none"}"#.to_owned()),
        ..turn(HOURLY)
    };
    let job = on.add(quiet).await;
    on.run(&job).await;
    let call = on.bench.call().await;
    on.see("started").await;
    on.drain.start(); // the scheduler dies, and the turn ends without it
    call.text("done").await;
    call.done().await;
    let run = on.bench.stores.schedules.open_runs().await.unwrap().remove(0);
    on.running.end_of(run.slot.run().as_str()).await;

    let Scheduled { bench, .. } = on;
    let mut next = Scheduled::over(bench, "{}");

    assert_eq!(next.see("finished").await.status.as_deref(), Some("ok"));
    assert_eq!(next.runs(&job).await.len(), 1);
    assert!(next.bench.calls.try_recv().is_err(), "no second turn");
}

#[tokio::test]
async fn a_job_whose_run_goes_on_is_not_run_beside_it() {
    let mut on = Scheduled::new().await;
    let job = on.add(turn(HOURLY)).await;
    on.run(&job).await;
    let call = on.bench.call().await;
    on.see("started").await;

    let second = on.run(&job).await;
    assert_eq!(
        (second.ran, second.reason.as_deref()),
        (Some(false), Some("already-running"))
    );
    on.bench.clock.advance_ms(3_600_000);
    on.running.policy.send_modify(|_| {});

    let skipped = on.see("finished").await;
    assert_eq!(skipped.status.as_deref(), Some("skipped"));
    assert!(skipped.error.unwrap().contains("under way"));
    call.fail(FailureKind::Timeout, "too slow").await;
    let failed = on.see("finished").await;
    assert_eq!(failed.status.as_deref(), Some("error"));
}

#[tokio::test]
async fn what_is_not_offered_is_refused_with_its_place() {
    let on = Scheduled::new().await;
    let refused = async |request: AddCronJobRequest| {
        let status = on.grpc.add_cron_job(Request::new(request)).await.unwrap_err();
        Failure::from_status(&status)
            .path
            .map(|path| path.to_string())
            .unwrap_or_default()
    };
    let with = |field: fn(&mut AddCronJobRequest)| {
        let mut request = turn(HOURLY);
        field(&mut request);
        request
    };

    for (request, path) in [
        (
            with(|job| job.schedule = r#"{"kind":"on-exit","command":"ls"}"#.into()),
            "/schedule/kind",
        ),
        (
            with(|job| job.schedule = r#"{"kind":"at","at":"2020-01-01T00:00:00Z"}"#.into()),
            "/schedule/at",
        ),
        (
            with(|job| job.schedule = r#"{"kind":"cron","expr":"0 0 30 2 *"}"#.into()),
            "/schedule/expr",
        ),
        (
            with(|job| job.payload = r#"{"kind":"command","argv":["ls"]}"#.into()),
            "/payload/kind",
        ),
        (
            with(|job| job.payload = r#"{"kind":"heartbeat"}"#.into()),
            "/payload/kind",
        ),
        (with(|job| job.session_target = "main".into()), "/payload/kind"),
        (
            with(|job| job.session_target = "elsewhere".into()),
            "/sessionTarget",
        ),
        (
            with(|job| job.delivery = Some(r#"{"mode":"webhook","to":"http://10.0.0.1/"}"#.into())),
            "/delivery/mode",
        ),
        (
            with(|job| job.missed = Some(r#"{"policy":"run","withinMinutes":9000}"#.into())),
            "/missed/withinMinutes",
        ),
        (with(|job| job.wake_mode = "later".into()), "/wakeMode"),
    ] {
        assert_eq!(refused(request).await, path);
    }
}

#[tokio::test]
async fn a_change_is_merged_into_what_is_there_and_refused_when_it_was_changed_meanwhile() {
    let on = Scheduled::new().await;
    let job = on.add(turn(HOURLY)).await;
    let update = async |patch: &str, seen: Option<&str>| {
        let request = UpdateCronJobRequest {
            id: Some(job.id.clone()),
            patch: patch.to_owned(),
            expected_config_revision: seen.map(str::to_owned),
            ..UpdateCronJobRequest::default()
        };
        on.grpc
            .update_cron_job(Request::new(request))
            .await
            .map(|answer| answer.into_inner().job.unwrap())
    };

    let changed = update(
        r#"{"payload":{"kind":"agentTurn","thinking":"low"},"schedule":{"kind":"every","everyMs":3600000},"description":"x"}"#,
        Some(&job.config_revision),
    )
    .await
    .unwrap();

    assert_eq!(
        changed.schedule, job.schedule,
        "the same interval keeps its anchor"
    );
    assert!(
        changed.payload.contains("what is new?") && changed.payload.contains("low"),
        "{}",
        changed.payload
    );
    assert_eq!(changed.next_run_at_ms, job.next_run_at_ms);
    let stale = update(r#"{"name":"y"}"#, Some(&job.config_revision))
        .await
        .unwrap_err();
    assert_eq!(
        Failure::from_status(&stale).reason.as_deref(),
        Some("job-changed")
    );
    let off = update(r#"{"enabled":false,"description":null}"#, None)
        .await
        .unwrap();
    assert_eq!(
        (off.enabled, off.next_run_at_ms, off.description),
        (false, None, None)
    );
    let status = on
        .grpc
        .get_cron_status(Request::new(GetCronStatusRequest {}))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (status.jobs, status.next_wake_at_ms, status.enabled),
        (1, None, true)
    );
}

#[tokio::test]
async fn a_list_is_filtered_sorted_and_paged() {
    let on = Scheduled::new().await;
    for (name, schedule) in [
        (
            "weekly",
            r#"{"kind":"cron","expr":"0 9 * * 1","tz":"Europe/Berlin"}"#,
        ),
        ("hourly", HOURLY),
        ("often", r#"{"kind":"every","everyMs":60000}"#),
    ] {
        let job = AddCronJobRequest {
            name: name.to_owned(),
            ..turn(schedule)
        };
        on.add(job).await;
    }
    let off = AddCronJobRequest {
        name: "off".to_owned(),
        enabled: Some(false),
        ..turn(HOURLY)
    };
    on.add(off).await;
    let names = async |request: ListCronJobsRequest| {
        let page = on
            .grpc
            .list_cron_jobs(Request::new(request))
            .await
            .unwrap()
            .into_inner();
        let names: Vec<String> = page.jobs.into_iter().map(|job| job.name).collect();
        (names.join(" "), page.total, page.next_offset)
    };
    let all = ListCronJobsRequest::default;

    assert_eq!(names(all()).await, ("often hourly weekly".to_owned(), 3, None));
    let page = ListCronJobsRequest {
        limit: Some(1),
        offset: Some(1),
        ..all()
    };
    assert_eq!(names(page).await, ("hourly".to_owned(), 3, Some(2)));
    let by_name = ListCronJobsRequest {
        include_disabled: Some(true),
        sort_by: Some("name".into()),
        sort_dir: Some("desc".into()),
        ..all()
    };
    assert_eq!(names(by_name).await.0, "weekly often off hourly");
    let cron = ListCronJobsRequest {
        schedule_kind: Some("cron".into()),
        ..all()
    };
    assert_eq!(names(cron).await.0, "weekly");
    let found = ListCronJobsRequest {
        query: Some("OFT".into()),
        ..all()
    };
    assert_eq!(names(found).await.0, "often");
}
