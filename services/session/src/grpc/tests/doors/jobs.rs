//! Jobs that run in a session of another user.

use std::collections::BTreeSet;
use std::sync::Arc;

use gatehouse_core::Timestamp;
use gatehouse_core::publish::Publisher;
use gatehouse_proto::session::v1::schedule_service_server::ScheduleService;

use super::super::people::{HERS, anna, bert};
use super::super::*;
use crate::schedules::{self, JobId, RunNow, Runner};

/// A job in her session, and a run of it, tried by somebody else.
pub(super) async fn are_blind(bench: &Bench, running: &Running, seen: &mut BTreeSet<&'static str>) {
    let (publisher, _events) = Publisher::for_tests();
    let runner = Runner::new(
        running.engine.clone(),
        publisher,
        running.policy.subscribe(),
        Arc::clone(&running.replies),
        Drain::new(),
    );
    let schedules = schedules::grpc::Grpc::new(runner);
    let job = AddCronJobRequest {
        name: "Plans".into(),
        schedule: r#"{"kind":"every","everyMs":3600000}"#.into(),
        session_target: format!("session:{HERS}"),
        wake_mode: "now".into(),
        payload: r#"{"kind":"agentTurn","message":"a secret"}"#.into(),
        ..AddCronJobRequest::default()
    };
    let job = schedules
        .add_cron_job(Request::new(job))
        .await
        .unwrap()
        .into_inner()
        .job;
    let id = job.map(|job| job.id);
    let skipped = bench
        .stores
        .schedules
        .claim_by_hand(&JobId::new(id.clone().unwrap()), Timestamp::EPOCH)
        .await;
    assert!(matches!(skipped.unwrap(), Some(RunNow::Claimed(_))));

    let list = ListCronJobsRequest::default;
    tried!(seen, "cron.list", schedules.list_cron_jobs(bert(list())));
    let hers = schedules.list_cron_jobs(anna(list())).await.unwrap().into_inner();
    assert_eq!((hers.jobs.len(), hers.total), (1, 1));
    let get = GetCronJobRequest {
        id: id.clone(),
        job_id: None,
    };
    assert!(schedules.get_cron_job(bert(get)).await.is_err());
    seen.insert("cron.get");
    for id in [None, id] {
        let runs = ListCronRunsRequest {
            id,
            ..ListCronRunsRequest::default()
        };
        tried!(seen, "cron.runs", schedules.list_cron_runs(bert(runs)));
    }
    let wake = |session_key: &str| WakeRequest {
        mode: "now".into(),
        text: "boo".into(),
        session_key: Some(session_key.into()),
        agent_id: None,
    };
    assert!(schedules.wake(bert(wake(HERS))).await.is_err());
    seen.insert("wake");
    schedules.wake(bert(wake("main"))).await.unwrap();
}
