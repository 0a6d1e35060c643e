use std::time::Duration;

use tokio::time::{self, Instant};

use super::{Isupport, REJOIN_MAX, Refusal, Rooms};
use crate::account::room::RoomState;

fn refusal(code: u16) -> Refusal {
    Refusal {
        code,
        words: "Cannot join channel".into(),
    }
}

fn rooms() -> (Rooms, Isupport) {
    let mut rooms = Rooms::new(&["#home".into()], Instant::now());
    assert_eq!(rooms.due(Instant::now()), ["#home"]);
    (rooms, Isupport::default())
}

#[tokio::test(start_paused = true)]
async fn after_a_kick_the_room_is_tried_again_less_and_less_often() {
    let (mut rooms, server) = rooms();
    let left = |rooms: &mut Rooms| rooms.left(&server, "#home", "out", Instant::now());
    assert!(rooms.due(Instant::now()).is_empty(), "asked once");
    rooms.entered(&server, "#HOME");
    assert_eq!(rooms.outside(&server, "#home"), None);

    left(&mut rooms);
    assert!(rooms.outside(&server, "#home").is_some());
    assert!(rooms.due(Instant::now()).is_empty());
    time::advance(Duration::from_secs(5)).await;
    assert_eq!(rooms.due(Instant::now()), ["#home"]);

    left(&mut rooms);
    time::advance(Duration::from_secs(5)).await;
    assert!(rooms.due(Instant::now()).is_empty());
    for _ in 0..40 {
        left(&mut rooms);
    }
    time::advance(REJOIN_MAX).await;
    assert_eq!(rooms.due(Instant::now()), ["#home"]);
}

#[tokio::test(start_paused = true)]
async fn a_room_that_turns_us_away_says_why_and_what_to_do_until_it_lets_us_in() {
    let (mut rooms, server) = rooms();

    assert!(
        rooms.refused(&server, "#Home", &refusal(474), Instant::now()),
        "news"
    );
    let shown = rooms.shown("gate").remove(0);
    assert_eq!(
        (shown.state, shown.reason.as_deref()),
        (RoomState::Refused, Some("Cannot join channel (474)"))
    );
    assert!(shown.next_step.unwrap().contains("lift the ban on gate"));
    assert_eq!(shown.retry, Some(Instant::now() + Duration::from_secs(5)));
    assert!(
        rooms
            .outside(&server, "#home")
            .unwrap()
            .contains("Cannot join channel")
    );

    time::advance(Duration::from_secs(5)).await;
    assert_eq!(rooms.due(Instant::now()), ["#home"]);
    assert_eq!(
        rooms.shown("gate")[0].state,
        RoomState::Refused,
        "until it says otherwise"
    );
    assert!(
        !rooms.refused(&server, "#home", &refusal(474), Instant::now()),
        "the same is no news"
    );
    assert!(rooms.refused(&server, "#home", &refusal(473), Instant::now()));

    rooms.invited(&server, "#home", Instant::now());
    assert_eq!(rooms.due(Instant::now()), ["#home"]);
    rooms.entered(&server, "#home");
    assert_eq!(rooms.shown("gate")[0].state, RoomState::Joined);
    assert!(
        !rooms.refused(&server, "#home", &refusal(404), Instant::now()),
        "a message was, not we"
    );
}

#[tokio::test(start_paused = true)]
async fn a_room_that_is_written_twice_is_one_room() {
    let mut rooms = Rooms::new(&["#home[1]".into(), "#Home{1}".into()], Instant::now());
    rooms.due(Instant::now());
    rooms.entered(&Isupport::default(), "#home[1]");

    assert!(
        rooms
            .shown("gate")
            .iter()
            .all(|room| room.state == RoomState::Joined)
    );
    assert_eq!(rooms.next(), None);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_none_is_not_tried_again_and_silence_is_shown() {
    let (mut rooms, server) = rooms();
    time::sleep_until(rooms.silent_at().unwrap()).await;
    assert!(rooms.notice_silence(Instant::now()) && !rooms.notice_silence(Instant::now()));
    assert_eq!(rooms.silent_at(), None);
    let silent = rooms.shown("gate").remove(0);
    assert_eq!(silent.reason.as_deref(), Some("the server did not answer"));

    rooms.refused(&server, "#home", &refusal(479), Instant::now());

    assert_eq!(rooms.next(), None);
    assert!(
        rooms.shown("gate")[0]
            .next_step
            .as_ref()
            .unwrap()
            .contains("channels.irc.channels")
    );
}
