//! A machine that is taken to another zone, with jobs that go by its clock on the wall.

use gatehouse_core::Timestamp;

use super::super::super::*;
use super::gateway::{Gateway, spec};

fn moment(text: &str) -> Timestamp {
    Timestamp::from_ms(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

async fn at_eight(gateway: &Gateway, tz: Option<&str>) -> JobId {
    let schedule = Schedule::Cron {
        expr: "0 8 * * *".to_owned(),
        tz: tz.map(str::to_owned),
        stagger_ms: Some(0),
    };
    let new = NewJob {
        id: JobId::generate(),
        spec: spec(schedule),
        enabled: true,
        now: gateway.now,
    };
    gateway.jobs().add_job(new).await.unwrap().0.id
}

async fn next(gateway: &Gateway, id: &JobId) -> Timestamp {
    let job = gateway.jobs().job(id).await.unwrap().unwrap();
    job.next_slot.unwrap()
}

#[tokio::test]
async fn a_job_that_names_no_zone_goes_by_the_clock_of_wherever_the_machine_is_and_fires_once_a_day() {
    let mut gateway = Gateway::new(moment("2027-01-15T03:00:00Z")).await;
    let here = at_eight(&gateway, None).await;
    let there = at_eight(&gateway, Some("Europe/Berlin")).await;
    gateway.travel("Europe/Berlin").await;
    assert_eq!(next(&gateway, &here).await, moment("2027-01-15T07:00:00Z"));

    gateway.travel("America/New_York").await;
    gateway.now = moment("2027-01-15T07:00:00Z"); // eight in Berlin, two in New York
    gateway.look(None).await;
    gateway.end_runs().await;

    assert!(
        gateway.rows(&here).await.is_empty(),
        "it is two in the night here"
    );
    assert_eq!(next(&gateway, &here).await, moment("2027-01-15T13:00:00Z"));
    assert_eq!(gateway.rows(&there).await.len(), 1, "this one names its zone");

    gateway.now = moment("2027-01-15T13:00:00Z");
    gateway.look(None).await;
    gateway.end_runs().await;
    gateway.travel("Pacific/Honolulu").await; // it is three in the night there, and eight comes again
    assert_eq!(next(&gateway, &here).await, moment("2027-01-15T18:00:00Z"));
    gateway.travel("Europe/Berlin").await; // it is two in the afternoon there
    assert_eq!(next(&gateway, &here).await, moment("2027-01-16T07:00:00Z"));
    assert_eq!(next(&gateway, &there).await, moment("2027-01-16T07:00:00Z"));

    gateway.come_to_rest(&here).await;
    let rows = gateway.rows(&here).await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert!(
        gateway.fired.values().all(|times| *times == 1),
        "{:?}",
        gateway.fired
    );
}
