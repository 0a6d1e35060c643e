use std::time::Duration;

use gatehouse_core::{Clock, Timestamp};
use tokio::time;

use super::{Progress, State, Topic};
use crate::account::room::{Room, RoomState};

#[tokio::test(start_paused = true)]
async fn what_went_wrong_before_is_no_error_of_an_account_that_is_well() {
    let progress = Progress::new(Clock::fixed(1_790_000_000_000));
    progress.starting();
    progress.enter(State::Backoff, Some("connection refused".into()));
    assert_eq!(
        progress.snapshot().last_error.as_deref(),
        Some("connection refused")
    );
    progress.starting();
    assert!(progress.snapshot().last_error.is_some(), "it is not mended yet");

    progress.connected();

    let snapshot = progress.snapshot();
    assert_eq!(snapshot.last_error, None);
    assert_eq!(snapshot.last_disconnect.unwrap().reason, "connection refused");

    progress.enter(State::Degraded, Some("nothing was heard".into()));
    assert!(progress.snapshot().last_error.is_some());
    progress.heard();
    assert_eq!(progress.snapshot().last_error, None);

    progress.enter(State::Backoff, Some("cut".into()));
    progress.enter(State::Stopped, None);
    assert_eq!(progress.snapshot().last_error, None, "it was asked to stop");
}

#[tokio::test(start_paused = true)]
async fn what_is_shown_of_a_connection_ends_with_it() {
    let progress = Progress::new(Clock::fixed(1_790_000_000_000));
    progress.connected();
    progress.show_rooms(vec![Room::new("#home", RoomState::Joined)]);
    progress.notice(Topic::Name, Some("another nick".into()));
    assert_eq!(progress.snapshot().rooms.len(), 1);
    assert_eq!(progress.snapshot().notices, ["another nick"]);

    progress.enter(State::Backoff, Some("cut".into()));

    assert!(progress.snapshot().rooms.is_empty() && progress.snapshot().notices.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_status_keeps_its_ages_when_somebody_sets_the_clock() {
    const YEAR: i64 = 365 * 24 * 3_600_000;
    for step in [YEAR, -YEAR, 3_600_000, -3_600_000] {
        let clock = Clock::fixed(1_790_000_000_000);
        let progress = Progress::new(clock.clone());
        progress.connected();
        time::advance(Duration::from_secs(5)).await;
        progress.received();
        time::advance(Duration::from_secs(10)).await;

        clock.advance_ms(15_000 + step);

        let snapshot = progress.snapshot();
        let age = |at: Option<Timestamp>| clock.now().ms_since(at.unwrap());
        assert_eq!(age(snapshot.last_connected_at), 15_000, "{step}");
        assert_eq!(age(snapshot.last_inbound_at), 10_000, "{step}");
    }
}
