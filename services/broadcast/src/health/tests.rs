use gatehouse_proto::broadcast::v1::Component;

use super::*;

fn serving(service: &str, instance: &str) -> ServiceHealth {
    ServiceHealth {
        service: service.into(),
        instance_id: instance.into(),
        state: State::Serving.into(),
        ..ServiceHealth::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_says_nothing_falls_silent_and_the_gateway_is_not_well() {
    let mut all = RollUp::default();
    assert_eq!(all.report(serving("session", "1"), false, None), Some(true));
    assert_eq!(
        all.report(
            ServiceHealth {
                uptime_ms: 9,
                ..serving("session", "1")
            },
            false,
            None
        ),
        Some(false)
    );

    tokio::time::advance(LEASE).await;

    assert!(all.expire());
    assert_eq!(all.services()[0].state(), State::Silent);
    assert!(!all.event(0).ok);
    assert!(!all.expire(), "said once");
}

#[tokio::test(start_paused = true)]
async fn a_process_grows_older_between_its_reports() {
    let mut all = RollUp::default();
    all.report(
        ServiceHealth {
            uptime_ms: 7,
            ..serving("session", "1")
        },
        false,
        None,
    );

    tokio::time::advance(Duration::from_secs(3)).await;

    assert_eq!(all.services()[0].uptime_ms, 3_007);
}

#[tokio::test(start_paused = true)]
async fn a_restarted_service_replaces_its_silent_self() {
    let mut all = RollUp::default();
    all.report(serving("session", "old"), false, None);
    tokio::time::advance(FORGET_REPLACED_AFTER).await;
    all.report(serving("session", "new"), false, None);

    all.expire();

    assert_eq!(all.services().len(), 1);
    assert!(all.event(0).ok);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_by_request_is_not_missed() {
    let mut all = RollUp::default();
    all.report(serving("agent", "1"), false, None);

    assert_eq!(all.report(serving("agent", "1"), true, None), Some(true));

    assert!(all.event(0).ok && all.services().is_empty());
}

#[tokio::test(start_paused = true)]
async fn status_shows_who_answers_now_and_why_somebody_cannot() {
    let mut all = RollUp::default();
    all.report(serving("session", "killed"), false, None);
    tokio::time::advance(Duration::from_secs(1)).await;
    all.report(serving("session", "new"), false, None);
    all.report(serving("agent", "1"), false, None);
    all.report(serving("edge", "e"), false, None);
    let damaged = ServiceHealth {
        state: State::NotServing.into(),
        detail: Some("bridge.db is damaged".into()),
        ..serving("channel-bridge", "1")
    };
    all.report(damaged, false, None);
    let answers: Answers = [
        ("session", Answer::Serves),
        ("agent", Answer::Nothing),
        ("channel-bridge", Answer::Nothing),
        ("config", Answer::Nothing),
    ]
    .into();

    let shown: Vec<_> = all
        .living(&answers)
        .into_iter()
        .map(|health| (health.service.clone(), health.state(), health.detail))
        .collect();

    let row =
        |service: &str, state, detail: Option<&str>| (service.to_owned(), state, detail.map(str::to_owned));
    assert_eq!(
        shown,
        [
            row("agent", State::Silent, Some("it does not answer")),
            row("channel-bridge", State::NotServing, Some("bridge.db is damaged")),
            row("config", State::Silent, Some("it does not answer")),
            row("edge", State::Serving, None),
            row("session", State::Serving, None),
        ]
    );
    assert!(all.forget("e") && !all.forget("e"));
}

#[tokio::test(start_paused = true)]
async fn a_process_that_is_gone_is_shown_at_once_and_never_beside_its_successor() {
    let mut all = RollUp::default();
    all.report(serving("agent", "killed"), false, Some(1));
    all.report(serving("session", "lives"), false, Some(2));
    all.report(serving("session", "lives"), false, Some(3)); // it connected anew before the old connection ended

    assert!(all.connection_ended(1));
    assert!(!all.connection_ended(2), "it speaks by another one");

    let shown = |all: &RollUp| {
        let row = |health: ServiceHealth| (health.instance_id.clone(), health.state(), health.detail);
        all.services().into_iter().map(row).collect::<Vec<_>>()
    };
    let lives = ("lives".to_owned(), State::Serving, None);
    assert_eq!(
        shown(&all),
        [
            ("killed".to_owned(), State::Silent, Some(GONE.to_owned())),
            lives.clone()
        ]
    );
    assert_eq!(all.report(serving("agent", "new"), false, Some(4)), Some(true));
    assert_eq!(shown(&all), [("new".to_owned(), State::Serving, None), lives]);
}

#[tokio::test(start_paused = true)]
async fn why_a_process_could_not_start_is_shown_until_one_starts() {
    let mut all = RollUp::default();
    for attempt in ["1", "2", "3"] {
        let failed = ServiceHealth {
            state: State::NotServing.into(),
            detail: Some("the disk is on fire".into()),
            ..serving("agent", attempt)
        };
        all.report(failed, false, Some(7));
        all.connection_ended(7);
    }

    let shown = all.services();
    assert_eq!(shown.len(), 1, "each attempt replaces the one before: {shown:?}");
    assert_eq!(shown[0].detail.as_deref(), Some("the disk is on fire"));
    all.report(serving("agent", "4"), false, Some(8));
    assert_eq!(all.services().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn silence_is_due_when_it_would_be_seen() {
    let mut all = RollUp::default();
    assert_eq!(all.due(), None);
    all.report(serving("session", "1"), false, None);

    for changes in [true, true] {
        let due = all.due().unwrap();
        tokio::time::advance(due - Instant::now() - Duration::from_millis(1)).await;
        assert!(!all.expire(), "not yet");
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(all.expire(), changes);
        if !all.services().is_empty() {
            // Nobody replaces it: it is shown for long.
            tokio::time::advance(FORGET_AFTER - 2 * LEASE).await;
            assert!(!all.expire());
        }
    }
    assert_eq!(all.due(), None);
}

#[test]
fn channel_accounts_are_shown_by_name() {
    let mut all = RollUp::default();
    let account = Component {
        name: "irc/home".into(),
        ok: false,
        detail: Some("connection refused".into()),
    };
    all.report(
        ServiceHealth {
            components: vec![account],
            ..serving(CHANNELS, "1")
        },
        false,
        None,
    );

    let health = all.event(0);
    assert!(!health.channels["irc/home"].ok);
    assert_eq!(health.channel_order, ["irc"], "in the event as in the answer");
    assert_eq!(health.channel_labels["irc"], "irc");
}

#[tokio::test(start_paused = true)]
async fn a_process_that_hangs_is_told_after_two_looks_and_is_well_as_soon_as_it_answers() {
    let mut processes = RollUp::default();
    processes.report(serving("session", "1"), false, None);
    let hangs = |answer| Answers::from([("session", answer)]);
    let shown = |processes: &RollUp| {
        let session = processes.services().into_iter().next().unwrap();
        (session.state(), session.detail)
    };

    assert!(
        !processes.answered(&hangs(Answer::Nothing)),
        "one may be a busy moment"
    );
    assert!(processes.answered(&hangs(Answer::Nothing)));
    assert!(!processes.answered(&hangs(Answer::Nothing)), "told once");
    assert_eq!(
        shown(&processes),
        (State::Silent, Some("it does not answer".to_owned()))
    );

    assert!(processes.answered(&hangs(Answer::Serves)));
    assert_eq!(shown(&processes), (State::Serving, None));
}
