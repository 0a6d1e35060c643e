//! Heartbeats over an engine.

use gatehouse_proto::agent::v1::FailureKind;
use gatehouse_proto::session::v1::schedule_service_server::ScheduleService;
use gatehouse_proto::session::v1::*;
use tonic::Request;

use super::super::view;
use super::runs::Scheduled;
use crate::key::SessionKey;
use crate::schedules::{JobId, RunFilter};
use crate::sessions::SessionStatus;
use crate::sessions::grpc as sessions;
use crate::testing::until;
use crate::workspace::{Name, Workspaces};

const EVERY_HOUR: &str = r#"{"agents":{"defaults":{"heartbeat":{"every":"1h","target":"last"}}}}"#;

/// The same where no channel is set up.
fn without_channels(config: &str) -> String {
    let mut config: serde_json::Value = serde_json::from_str(config).unwrap();
    config["channelAccounts"] = serde_json::json!({});
    config.to_string()
}

async fn beat_of(on: &Scheduled) -> CronJob {
    let found = std::cell::RefCell::new(None);
    until("the job of the heartbeat", async || {
        let jobs = on.list().await;
        let beat = jobs
            .into_iter()
            .find(|job| job.payload == r#"{"kind":"heartbeat"}"#);
        let there = beat.is_some();
        *found.borrow_mut() = beat;
        there
    })
    .await;
    found.into_inner().unwrap()
}

#[tokio::test]
async fn an_agent_that_is_asked_to_look_says_what_there_is_and_is_not_heard_when_there_is_nothing() {
    let mut on = Scheduled::with(EVERY_HOUR).await;
    let files = Workspaces::new(on.bench.workspaces());
    let main = crate::key::AgentId::main();
    files
        .write(&main, Name::Heartbeat, "look at the oven", None)
        .unwrap();
    on.chat_speaks("bob").await;
    let beat = beat_of(&on).await;

    for (says, heard) in [("NO_REPLY", 0), ("HEARTBEAT_OK", 0), ("The oven burns!", 1)] {
        on.pass(3_600_000);
        let call = on.bench.call().await;
        let asked = call.texts().last().map(|text| (*text).to_owned()).unwrap();
        assert!(
            asked.contains("look at the oven") && asked.contains("NO_REPLY"),
            "{asked}"
        );
        assert!(!call.request.in_chat, "no chat is shown that somebody writes");
        call.text(says).await;
        assert!(on.waiting().await.is_empty(), "nothing is told before the end");
        call.done().await;
        on.see("finished").await;
        assert_eq!(on.waiting().await.len(), heard, "{says}");
    }
    assert_eq!(on.waiting().await, ["bob: The oven burns!"]);
    assert_eq!(on.runs(&beat).await.len(), 3);
}

#[tokio::test]
async fn an_agent_that_answers_without_a_word_is_silent_and_one_that_cannot_answer_is_not() {
    let mut on = Scheduled::with(EVERY_HOUR).await;
    on.chat_speaks("bob").await;
    let beat = beat_of(&on).await;
    let main = SessionKey::main(&crate::key::AgentId::main());
    let how = async |on: &Scheduled| {
        let filter = RunFilter {
            job: Some(JobId::new(beat.id.clone())),
            limit: 1,
            ..RunFilter::default()
        };
        let newest = on.bench.stores.schedules.runs(filter).await.unwrap().0.pop();
        view::heartbeat(&newest.expect("a run")).status
    };

    for _ in 0..3 {
        on.pass(3_600_000);
        let call = on.bench.call().await;
        call.fail(FailureKind::Silent, "model m ended its answer without a word")
            .await;
        let finished = on.see("finished").await;
        assert_eq!((finished.status.as_deref(), finished.error), (Some("ok"), None));
        assert_eq!(how(&on).await, "ok-empty");
        let session = on.bench.stores.sessions.find(&main).await.unwrap().unwrap();
        assert_eq!(session.status, Some(SessionStatus::Done));
    }
    on.pass(3_600_000);
    let call = on.bench.call().await;
    call.text("NO_REPLY").await;
    call.done().await;
    on.see("finished").await;
    assert_eq!(how(&on).await, "ok-token");
    assert!(on.waiting().await.is_empty(), "nobody is told of nothing");

    for kind in [FailureKind::Empty, FailureKind::Unavailable] {
        on.pass(3_600_000);
        on.bench.call().await.fail(kind, "provider p is away").await;
        assert_eq!(on.see("finished").await.status.as_deref(), Some("error"));
        assert_eq!(how(&on).await, "failed");
    }
    let told = on.waiting().await;
    assert!(
        matches!(told.as_slice(), [one] if one.starts_with("bob: ")),
        "two failures in a row are told: {told:?}"
    );
}

#[tokio::test]
async fn who_says_more_to_an_agent_that_looks_by_itself_or_asks_a_job_is_told_that_there_was_no_answer() {
    let mut on = Scheduled::with(EVERY_HOUR).await;
    on.chat_speaks("bob").await;
    beat_of(&on).await;
    let fail = async |on: &mut Scheduled| {
        let call = on.bench.call().await;
        call.fail(FailureKind::Silent, "without a word").await;
    };

    on.pass(3_600_000);
    let call = on.bench.call().await;
    let mut more = crate::testing::message("more", "and the kettle?");
    more.queue.mode = crate::turns::queue::QueueMode::Steer;
    on.running.engine.submit(more).await.unwrap();
    call.text("Hm.").await;
    call.done().await;
    fail(&mut on).await;
    assert_eq!(on.see("finished").await.status.as_deref(), Some("error"));

    let job = on.add(super::runs::turn(super::runs::HOURLY)).await;
    on.run(&job).await;
    fail(&mut on).await;
    assert_eq!(on.see("finished").await.status.as_deref(), Some("error"));
}

#[tokio::test]
async fn a_beat_is_left_out_when_nobody_could_be_told_or_somebody_talks_to_the_agent() {
    let mut on = Scheduled::with(EVERY_HOUR).await;
    beat_of(&on).await;
    on.pass(3_600_000);
    let nobody = on.see("finished").await;
    assert!(nobody.error.unwrap().starts_with("no-route"));

    on.chat_speaks("bob").await;
    on.configure(&without_channels(EVERY_HOUR));
    on.pass(3_600_000);
    let unreachable = on.see("finished").await.error.unwrap();
    assert!(
        unreachable.starts_with("no-route: the channel irc is not set up"),
        "{unreachable}"
    );
    on.configure(EVERY_HOUR);

    on.running
        .engine
        .submit(crate::testing::message("q", "wait"))
        .await
        .unwrap();
    let call = on.bench.call().await;
    on.pass(3_600_000);
    let busy = on.see("finished").await;
    assert!(busy.error.unwrap().starts_with("requests-in-flight"));
    call.done().await;
    on.running.end_of("q").await;

    let off = SetHeartbeatsRequest { enabled: false };
    on.grpc.set_heartbeats(Request::new(off)).await.unwrap();
    on.pass(3_600_000);
    assert!(on.see("finished").await.error.unwrap().starts_with("disabled"));
}

#[tokio::test]
async fn what_is_told_of_heartbeats_is_how_they_are() {
    let mut on = Scheduled::with(EVERY_HOUR).await;
    let told = async |on: &Scheduled| {
        let request = SummariseSessionsRequest {
            recent_max: 0,
            user_id: None,
            everybodys: true,
        };
        let summary = sessions::summarise(&on.running.engine, request).await.unwrap();
        let beat = summary.agents.into_iter().next().unwrap().heartbeat;
        beat.map(|beat| (beat.every_ms, beat.target, beat.waiting_for_route))
    };
    let hourly = |waits| Some((3_600_000, "last".to_owned(), waits));

    assert_eq!(told(&on).await, hourly(true), "no chat has spoken yet");
    on.chat_speaks("bob").await;
    assert_eq!(told(&on).await, hourly(false));
    on.configure(&without_channels(EVERY_HOUR));
    assert_eq!(told(&on).await, hourly(true), "its channel was removed");
    on.configure(EVERY_HOUR);
    for enabled in [false, true] {
        let switch = SetHeartbeatsRequest { enabled };
        on.grpc.set_heartbeats(Request::new(switch)).await.unwrap();
        assert_eq!(told(&on).await, enabled.then(|| hourly(false)).flatten());
    }
    for off in [
        "{}",
        r#"{"cron":{"enabled":false},"agents":{"defaults":{"heartbeat":{"every":"1h","target":"last"}}}}"#,
        r#"{"agents":{"defaults":{"heartbeat":{"every":"0m"}}}}"#,
    ] {
        on.configure(off);
        assert_eq!(told(&on).await, None, "{off}");
    }
    on.configure(r#"{"agents":{"defaults":{"heartbeat":{"every":"1h"}}}}"#);
    assert_eq!(told(&on).await, Some((3_600_000, "owner".to_owned(), true)));
}

#[tokio::test]
async fn the_job_of_a_heartbeat_follows_the_configuration_and_nothing_else() {
    let on = Scheduled::with(EVERY_HOUR).await;
    let beat = beat_of(&on).await;
    assert_eq!(beat.declaration_key.as_deref(), Some("heartbeat:main"));
    let remove = RemoveCronJobRequest {
        id: Some(beat.id.clone()),
        job_id: None,
    };
    let refused = on.grpc.remove_cron_job(Request::new(remove)).await.unwrap_err();
    assert!(
        refused.message().contains("agents.defaults.heartbeat"),
        "{refused}"
    );

    on.configure(r#"{"agents":{"defaults":{"heartbeat":{"every":"2h","target":"last"}}}}"#);
    until("the other interval", async || {
        on.list().await.iter().any(|job| job.schedule.contains("7200000"))
    })
    .await;
    assert_eq!(on.list().await[0].id, beat.id, "it is the same job");
    on.configure("{}");
    until("the end of the job", async || on.list().await.is_empty()).await;
}

#[tokio::test]
async fn whoever_wakes_an_agent_is_heard_now_or_with_the_next_beat_and_once() {
    let mut on = Scheduled::with(EVERY_HOUR).await;
    beat_of(&on).await;
    on.chat_speaks("bob").await;
    let wake = |mode: &str, text: &str| WakeRequest {
        mode: mode.to_owned(),
        text: text.to_owned(),
        ..WakeRequest::default()
    };

    on.grpc
        .wake(Request::new(wake("now", "the bell rings")))
        .await
        .unwrap();
    let call = on.bench.call().await;
    assert_eq!(call.texts().last(), Some(&"the bell rings"));
    call.text("Somebody is at the door.").await;
    call.done().await;
    on.see("finished").await;
    assert_eq!(on.waiting().await, ["bob: Somebody is at the door."]);

    on.grpc
        .wake(Request::new(wake("next-heartbeat", "the post came")))
        .await
        .unwrap();
    let waits = on
        .list()
        .await
        .into_iter()
        .find(|job| job.name == "event")
        .unwrap();
    let beat = beat_of(&on).await;
    assert_eq!(waits.next_run_at_ms, beat.next_run_at_ms);
    assert!(on.grpc.wake(Request::new(wake("later", "x"))).await.is_err());
    assert!(on.grpc.wake(Request::new(wake("now", " "))).await.is_err());
}

#[tokio::test]
async fn an_event_wakes_who_asks_for_it_and_what_apps_say_each_minute_wakes_nobody() {
    let mut on = Scheduled::with(EVERY_HOUR).await;
    let beat = beat_of(&on).await;
    on.chat_speaks("bob").await;
    let tell = async |on: &Scheduled, text: &str, wake: Option<bool>| {
        let event = AddSystemEventRequest {
            text: text.to_owned(),
            wake,
            ..AddSystemEventRequest::default()
        };
        on.grpc.add_system_event(Request::new(event)).await
    };
    let events = async |on: &Scheduled| {
        let jobs = on.list().await;
        let mut events = jobs.into_iter().filter(|job| job.name == "event");
        (events.next(), events.next())
    };

    let here = "Node: kitchen (192.0.2.7) · app 2026.9.6 · last input 3s ago · mode remote · reason periodic";
    tell(&on, here, None).await.unwrap();
    assert!(tell(&on, here, Some(true)).await.is_err());
    assert_eq!(events(&on).await, (None, None));

    tell(&on, "the post came", None).await.unwrap();
    let (later, _) = events(&on).await;
    assert_eq!(later.expect("it waits").next_run_at_ms, beat.next_run_at_ms);

    tell(&on, "the bell rings", Some(true)).await.unwrap();
    let call = on.bench.call().await;
    assert_eq!(call.texts().last(), Some(&"the bell rings"));
    call.done().await;
    on.see("finished").await;
}
