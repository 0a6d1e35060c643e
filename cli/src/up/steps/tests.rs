use super::*;

fn steps() -> (tempfile::TempDir, Steps) {
    let home = tempfile::tempdir().unwrap();
    let steps = Steps::begin(home.path(), Instant::now());
    (home, steps)
}

#[tokio::test(start_paused = true)]
async fn each_step_has_its_own_time_and_is_told_once() {
    let (home, steps) = steps();
    tokio::time::advance(Duration::from_millis(10)).await;
    steps.done(Step::Configuration, "read");
    tokio::time::advance(Duration::from_millis(20)).await;
    steps.done(Step::Secrets, "fine");
    steps.services_started();
    tokio::time::advance(Duration::from_millis(300)).await;
    steps.done(Step::Sockets, "ws://127.0.0.1:1");
    tokio::time::advance(Duration::from_millis(5)).await;
    steps.done(Step::Sockets, "again");
    steps.done(Step::Channels, "none");

    let kept = Start::read(home.path()).unwrap();

    let times = |step: Step| {
        let reached = &kept.steps[step.number() - 1];
        (reached.took_ms, reached.after_ms, reached.told.clone())
    };
    assert_eq!(
        times(Step::Configuration),
        (Some(10), Some(10), "read".to_owned())
    );
    assert_eq!(times(Step::Secrets), (Some(20), Some(30), "fine".to_owned()));
    assert_eq!(
        times(Step::Sockets),
        (Some(300), Some(330), "ws://127.0.0.1:1".to_owned())
    );
    assert_eq!(times(Step::Channels), (Some(305), Some(335), "none".to_owned()));
    assert!(!kept.is_done());
    assert_eq!(
        steps.inner().early,
        [
            "1/7 configuration: read (10 ms)",
            "2/7 secrets: fine (20 ms)",
            "6/7 sockets: ws://127.0.0.1:1 (300 ms)",
            "5/7 channels: none (305 ms)",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_start_that_ends_says_where_with_what_to_do_and_its_exit_code() {
    let (home, steps) = steps();
    let failed = Failed::of_lines(Exit::Configuration, "two mistakes\n  gateway.port: no").next("mend it");

    let held: Result<(), _> = steps.hold(Step::Configuration, Err(failed));
    steps.failed(Step::Sockets, &Failed::new(Exit::Failed, "later"));

    assert!(held.is_err());
    let kept = Start::read(home.path()).unwrap();
    let reached = kept.failed().unwrap();
    assert_eq!(reached.step, Step::Configuration);
    assert_eq!(reached.told, "two mistakes; gateway.port: no");
    assert_eq!(reached.next.as_deref(), Some("mend it"));
    assert_eq!(reached.exit, Some(78));
    assert_eq!(kept.steps[5].state, State::Waiting, "the first end counts");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_document_ends_with_78_and_a_disk_that_fails_with_another_code() {
    let path = PathBuf::from("/h/gatehouse.json5");
    for (refusal, step, code) in [
        (
            ConfigError::Invalid {
                path: path.clone(),
                issues: Vec::new(),
            },
            Step::Configuration,
            78,
        ),
        (
            ConfigError::Secrets {
                path: path.clone(),
                missing: Vec::new(),
            },
            Step::Secrets,
            78,
        ),
        (
            ConfigError::WeakToken {
                path,
                why: "is short".to_owned(),
            },
            Step::Token,
            78,
        ),
        (
            ConfigError::Files {
                step: "read /h/gatehouse.json5".to_owned(),
                source: std::io::ErrorKind::PermissionDenied.into(),
            },
            Step::Configuration,
            1,
        ),
    ] {
        let (home, steps) = steps();

        let failed = steps.checked(Err(refusal), Ok(None)).unwrap_err();

        assert_eq!(failed.exit.code(), code, "{failed}");
        assert_eq!(
            Start::read(home.path()).unwrap().failed().map(|one| one.step),
            Some(step)
        );
    }
}

#[test]
fn every_service_stands_for_a_step() {
    assert_eq!(step_of("config"), Step::Configuration);
    assert_eq!(step_of("channel-bridge"), Step::Channels);
    assert_eq!(step_of("edge"), Step::Sockets);
}

#[test]
fn a_step_that_waits_for_a_service_says_why_it_does_not_start_until_it_is_done() {
    let (home, steps) = steps();
    let failing = Failing {
        service: "session".to_owned(),
        why: "ended with exit status: 1".to_owned(),
        last_line: "gatehouse: session: /h/session.db is damaged (it is cut short): restore a backup"
            .to_owned(),
        ended_ms: 0,
    };

    steps.waits_for(&failing);
    steps.done(Step::Sockets, "clients connect");
    steps.waits_for(&failing);

    let kept = Start::read(home.path()).unwrap();
    let told = |step: Step| kept.steps[step.number() - 1].told.as_str();
    let schedules = told(Step::Schedules);
    assert!(
        schedules.starts_with("session does not start: ") && schedules.contains("/h/session.db is damaged"),
        "{schedules}"
    );
    assert_eq!(told(Step::Sockets), "clients connect", "it is done");
    assert_eq!(told(Step::Channels), "", "the bridge has nothing to do with it");
    assert_eq!(kept.steps[6].state, State::Waiting);
}
