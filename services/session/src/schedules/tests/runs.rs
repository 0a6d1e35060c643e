//! Jobs over an engine, with an agent that the test plays.

use gatehouse_core::error::Failure;
use gatehouse_core::{Kind, Timestamp};
use gatehouse_proto::agent::v1::FailureKind;
use gatehouse_proto::session::v1::schedule_service_server::ScheduleService;
use gatehouse_proto::session::v1::*;
use prost::Message as _;
use tonic::Request;

use super::super::grpc::Grpc;
use crate::store::Reply;
use crate::testing::{self, FRIDAY_MS, message, room, within};

/// The methods of jobs.
pub(super) type Scheduled = testing::Scheduled<Grpc>;

impl Scheduled {
    pub(super) async fn new() -> Self {
        Self::with("{}").await
    }

    pub(super) async fn with(config: &str) -> Self {
        Self::begin(config, FRIDAY_MS, Grpc::new).await
    }

    /// Programs are told from now on.
    pub(super) fn send_posts(&self) {
        let sender = self.grpc.runner().sender(self.bench.clock.clone());
        self.drain.spawn("posts", sender.run(self.drain.clone()));
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

    pub(super) async fn add(&self, request: AddCronJobRequest) -> CronJob {
        let added = self.grpc.add_cron_job(Request::new(request)).await;
        added.unwrap().into_inner().job.unwrap()
    }

    pub(super) async fn run(&self, job: &CronJob) -> RunCronJobResponse {
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
        let waiting = self.deliveries().await;
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
        for delivery in self.deliveries().await {
            let taken = crate::deliveries::DeliveryOutcome::Taken {
                now: Timestamp::EPOCH,
            };
            self.bench
                .stores
                .deliveries
                .settle(delivery.id, taken)
                .await
                .unwrap();
        }
    }
}

pub(super) fn turn(schedule: &str) -> AddCronJobRequest {
    AddCronJobRequest {
        name: "news".to_owned(),
        schedule: schedule.to_owned(),
        session_target: "isolated".to_owned(),
        wake_mode: "now".to_owned(),
        payload: r#"{"kind":"agentTurn","message":"what is new?"}"#.to_owned(),
        ..AddCronJobRequest::default()
    }
}

pub(super) const HOURLY: &str = r#"{"kind":"every","everyMs":3600000}"#;

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
async fn an_answer_goes_to_an_account_that_is_set_up_or_the_run_says_why_it_went_nowhere() {
    let mut on = Scheduled::with(
        r#"{"channelAccounts": {"telegram": {"default": "work", "enabled": {"work": true, "old": false}}}}"#,
    )
    .await;
    on.chat_speaks("bob").await;
    let of = |delivery: &str| AddCronJobRequest {
        delivery: Some(delivery.to_owned()),
        ..turn(HOURLY)
    };
    let mut end = async |delivery: &str| {
        let job = on.add(of(delivery)).await;
        on.run(&job).await;
        let call = on.bench.call().await;
        call.text("news").await;
        call.done().await;
        let finished = on.see("finished").await;
        let status = finished.delivery_status.unwrap();
        (status, finished.error.unwrap_or_default(), on.deliveries().await)
    };

    for (delivery, problem) in [
        (
            r#"{"mode":"announce","channel":"slack","to":"C1"}"#,
            "the channel slack is not set up (there are telegram)",
        ),
        (
            r#"{"mode":"announce","channel":"telegram","to":"1","accountId":"home"}"#,
            "telegram has no account home (there are old, work)",
        ),
        (
            r#"{"mode":"announce","channel":"telegram","to":"1","accountId":"old"}"#,
            "the account old of telegram does not run",
        ),
        (
            r#"{"mode":"announce","channel":"telegram"}"#,
            "delivery.to is needed",
        ),
        // The chat that spoke last is on a channel that was removed since.
        (r#"{"mode":"announce"}"#, "the channel irc is not set up"),
    ] {
        let (status, error, waiting) = end(delivery).await;
        assert_eq!(status, "not-delivered", "{delivery}");
        assert!(error.starts_with(problem), "{error}");
        assert!(waiting.is_empty(), "{delivery}");
    }
    let (status, error, waiting) = end(r#"{"mode":"announce","channel":"telegram","to":"1"}"#).await;
    assert_eq!((status.as_str(), error.as_str()), ("delivered", ""));
    assert_eq!(
        waiting[0].target.account_id, "work",
        "the account that is meant when none is named"
    );
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
    let id = job.id;
    let gone = GetCronJobRequest {
        id: Some(id.clone()),
        job_id: None,
    };
    let failure = Failure::from_status(&on.grpc.get_cron_job(Request::new(gone)).await.unwrap_err());
    assert_eq!(
        (failure.kind, failure.reason.as_deref()),
        (Kind::NotFound, Some("CRON_JOB_NOT_FOUND"))
    );
    let code = failure.details.get("code").map(String::as_str);
    assert_eq!(code, Some("CRON_JOB_NOT_FOUND"), "where clients look for it");
    assert!(failure.message.starts_with(&format!("cron job not found: {id}")));
    let runs = |id: &str| ListCronRunsRequest {
        id: Some(id.to_owned()),
        ..ListCronRunsRequest::default()
    };
    let kept = on.grpc.list_cron_runs(Request::new(runs(&id))).await.unwrap();
    assert_eq!(kept.into_inner().total, 1, "runs outlive their job");
    let none = on
        .grpc
        .list_cron_runs(Request::new(runs("nobody")))
        .await
        .unwrap_err();
    assert_eq!(Failure::from_status(&none).kind, Kind::NotFound);
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
    let mut next = Scheduled::begin_over(bench, "{}", Grpc::new);

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
