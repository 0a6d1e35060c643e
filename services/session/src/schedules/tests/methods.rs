//! What callers ask of jobs.

use gatehouse_core::error::Failure;
use gatehouse_proto::session::v1::schedule_service_server::ScheduleService;
use gatehouse_proto::session::v1::*;
use tonic::Request;

use super::runs::{HOURLY, Scheduled, turn};

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
            "/delivery/to",
        ),
        (
            with(|job| job.missed = Some(r#"{"policy":"run","withinMinutes":9000}"#.into())),
            "/missed/withinMinutes",
        ),
        (with(|job| job.wake_mode = "later".into()), "/wakeMode"),
        (with(|job| job.name = "two\nlines".into()), "/name"),
        (
            with(|job| job.session_target = "session:agent:ghost:x".into()),
            "/sessionTarget",
        ),
        (
            with(|job| {
                job.payload = r#"{"kind":"agentTurn","message":"x","model":"ghost/one"}"#.into();
            }),
            "/payload/model",
        ),
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
    let stale = Failure::from_status(&stale);
    assert_eq!(stale.reason.as_deref(), Some("job-changed"));
    let told = |name: &str| stale.details.get(name).map(String::as_str);
    assert_eq!(told("code"), Some("CRON_JOB_CHANGED"), "clients look at it again");
    assert_eq!(told("expectedConfigRevision"), Some(&*job.config_revision));
    assert_eq!(told("actualConfigRevision"), Some(&*changed.config_revision));
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

#[tokio::test]
async fn a_list_shows_the_jobs_of_one_session_when_that_is_asked_for() {
    let on = Scheduled::new().await;
    let event = r#"{"kind":"systemEvent","text":"the clock strikes"}"#;
    for (name, target, from, payload) in [
        ("of the main session", "main", None, event),
        (
            "of another",
            "session:garden",
            None,
            r#"{"kind":"agentTurn","message":"x"}"#,
        ),
        (
            "begun there",
            "isolated",
            Some("garden"),
            r#"{"kind":"agentTurn","message":"x"}"#,
        ),
        (
            "of none",
            "isolated",
            None,
            r#"{"kind":"agentTurn","message":"x"}"#,
        ),
    ] {
        let job = AddCronJobRequest {
            name: name.to_owned(),
            session_target: target.to_owned(),
            session_key: from.map(str::to_owned),
            payload: payload.to_owned(),
            ..turn(HOURLY)
        };
        on.add(job).await;
    }
    let list = async |key: Option<&str>, agent: Option<&str>| {
        let request = ListCronJobsRequest {
            session_key: key.map(str::to_owned),
            session_agent_id: agent.map(str::to_owned),
            sort_by: Some("name".into()),
            ..ListCronJobsRequest::default()
        };
        let page = on.grpc.list_cron_jobs(Request::new(request)).await?.into_inner();
        let names: Vec<String> = page.jobs.into_iter().map(|job| job.name).collect();
        Ok::<_, tonic::Status>(names)
    };

    assert_eq!(list(Some("main"), None).await.unwrap(), ["of the main session"]);
    let there = ["begun there", "of another"];
    assert_eq!(list(Some("garden"), None).await.unwrap(), there);
    assert_eq!(list(Some("agent:main:garden"), None).await.unwrap(), there);
    assert_eq!(list(Some("garden"), Some("main")).await.unwrap(), there);
    assert_eq!(list(None, None).await.unwrap().len(), 4);
    let alone = list(None, Some("main")).await.unwrap_err();
    let path = Failure::from_status(&alone).path.map(|path| path.to_string());
    assert_eq!(path.as_deref(), Some("/sessionAgentId"));
}

#[tokio::test]
async fn a_list_says_where_the_answers_of_its_jobs_would_go() {
    let mut on = Scheduled::with(
        r#"{"channelAccounts": {
            "irc": {"default": "home", "enabled": {"home": true}}, "telegram": {"default": "work", "enabled": {"work": true}}
        }}"#,
    )
    .await;
    let of = |delivery: &str| AddCronJobRequest {
        delivery: Some(delivery.to_owned()),
        ..turn(HOURLY)
    };
    let last = on.add(turn(HOURLY)).await.id;
    let none = on.add(of(r#"{"mode":"none"}"#)).await.id;
    let named = on
        .add(of(r#"{"mode":"announce","channel":"telegram","to":"7"}"#))
        .await
        .id;
    let wrong = on
        .add(of(r#"{"mode":"announce","channel":"slack","to":"C1"}"#))
        .await
        .id;
    let posted = on
        .add(of(r#"{"mode":"webhook","to":"https://example.org/x"}"#))
        .await
        .id;
    let listed = async |on: &Scheduled, include: Option<bool>| {
        let request = ListCronJobsRequest {
            include_delivery_previews: include,
            ..ListCronJobsRequest::default()
        };
        let answer = on.grpc.list_cron_jobs(Request::new(request)).await.unwrap();
        answer.into_inner().delivery_previews
    };

    let previews = listed(&on, None).await;
    let label = |id: &String| previews.get(id).unwrap().label.as_str();
    let detail = |id: &String| previews.get(id).unwrap().detail.as_str();
    assert_eq!(label(&last), "announce -> last");
    assert!(
        detail(&last).starts_with("last -> no route, will fail-closed: "),
        "{}",
        detail(&last)
    );
    assert_eq!(label(&none), "not requested");
    assert_eq!(
        (label(&named), detail(&named)),
        ("announce -> telegram:7", "explicit")
    );
    assert_eq!(label(&wrong), "announce -> slack:C1");
    assert!(
        detail(&wrong).contains("slack is not set up"),
        "{}",
        detail(&wrong)
    );
    assert_eq!(label(&posted), "webhook:https://example.org/x");
    assert!(listed(&on, Some(false)).await.is_empty());

    on.chat_speaks("bob").await;
    let previews = listed(&on, None).await;
    let preview = previews.get(&last).unwrap();
    assert!(preview.label.ends_with(":bob"), "{preview:?}");
    assert_eq!(preview.detail, "resolved from last, main session");
}
