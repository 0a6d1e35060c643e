use gatehouse_proto::{
    broadcast::v1::ChannelHealth,
    session::v1::{HeartbeatSummary, SessionDefaults},
};

use super::*;

#[test]
fn a_named_user_who_is_no_administrator_asks_for_himself() {
    let asker = |user: Option<&str>, scope: &str| {
        let caller = Caller {
            role: "operator".into(),
            scopes: vec![scope.into()],
            user_id: user.map(str::to_owned),
            ..Caller::default()
        };
        let mut request = Request::new(());
        caller.attach(request.metadata_mut());
        Asker::of(&request)
    };

    assert_eq!(asker(Some("anna"), "operator.read"), Asker::User("anna".into()));
    assert_eq!(asker(Some("anna"), "operator.admin"), Asker::Owner);
    assert_eq!(asker(None, "operator.read"), Asker::Owner);
    assert_eq!(Asker::of(&Request::new(())), Asker::Owner);
}

fn row(agent: &str, name: &str, updated_at: i64) -> SessionRow {
    SessionRow {
        key: format!("agent:{agent}:{name}"),
        agent_id: agent.into(),
        kind: "direct".into(),
        session_id: format!("id-{name}"),
        updated_at,
        aborted_last_run: name == "cut",
        ..SessionRow::default()
    }
}

fn agent(id: &str, count: i64, recent: Vec<SessionRow>) -> AgentSessions {
    AgentSessions {
        agent_id: id.into(),
        count,
        recent,
        model: Some("p/m".into()),
        heartbeat: None,
    }
}

fn summary() -> SummariseSessionsResponse {
    SummariseSessionsResponse {
        defaults: Some(SessionDefaults {
            model: Some("m".into()),
            ..SessionDefaults::default()
        }),
        agents: vec![
            agent("main", 7, vec![row("main", "cut", 900)]),
            agent("b", 2, vec![row("b", "x", 950)]),
        ],
        other_count: 1,
        turns_waiting: 2,
        turns_running: 1,
    }
}

#[test]
fn a_status_counts_the_sessions_of_each_agent_and_names_the_newest() {
    let mut status = GetStatusResponse::default();
    let channels = [(
        "irc/home".to_owned(),
        ChannelHealth {
            ok: false,
            detail: Some("refused".into()),
        },
    )];
    let health = HealthEvent {
        ts: 1000,
        channels: channels.into(),
        ..HealthEvent::default()
    };

    tell(&mut status, Some(summary()), &health);

    let sessions = status.sessions.unwrap();
    assert_eq!(
        (sessions.count, sessions.defaults.unwrap().model.as_deref()),
        (10, Some("m"))
    );
    let newest: Vec<_> = sessions
        .recent
        .iter()
        .map(|row| (row.key.as_str(), row.age))
        .collect();
    assert_eq!(newest, [("agent:b:x", 50), ("agent:main:cut", 100)]);
    assert_eq!(sessions.by_agent[0].recent[0].flags, ["aborted", "id:id-cut"]);
    assert_eq!(status.heartbeat.unwrap().default_agent_id, "main");
    assert_eq!(status.tasks.unwrap().active, 3);
    assert_eq!(status.channel_summary, ["irc/home: refused"]);
}

#[test]
fn without_the_session_service_a_status_has_the_same_shape_and_no_sessions() {
    let mut status = GetStatusResponse::default();

    tell(&mut status, None, &HealthEvent::default());

    let sessions = status.sessions.unwrap();
    assert!(sessions.by_agent.is_empty() && sessions.defaults.is_some());
    assert!(status.heartbeat.is_some() && status.tasks.is_some());
}

#[test]
fn heartbeats_are_told_as_they_are_in_both() {
    let mut summary = summary();
    summary.agents[0].heartbeat = Some(HeartbeatSummary {
        every_ms: 5_400_000,
        target: "owner".into(),
        waiting_for_route: true,
    });
    let (mut status, mut health) = (GetStatusResponse::default(), HealthEvent::default());

    tell(&mut status, Some(summary.clone()), &health);
    tell_health(&mut health, Some(summary));

    let told = status.heartbeat.unwrap().agents;
    let [main, other] = told.as_slice() else {
        panic!("two agents: {told:?}")
    };
    assert_eq!(
        (
            main.enabled,
            main.every.as_str(),
            main.every_ms,
            main.waiting_for_route
        ),
        (true, "90m", Some(5_400_000), Some(true))
    );
    assert_eq!(
        (
            other.enabled,
            other.every.as_str(),
            other.every_ms,
            other.waiting_for_route
        ),
        (false, "disabled", None, None)
    );
    assert_eq!(health.heartbeat_seconds, Some(5_400));
    let beats: Vec<_> = health
        .agents
        .into_iter()
        .filter_map(|agent| agent.heartbeat)
        .collect();
    assert_eq!(
        (
            beats[0].enabled,
            beats[0].target.as_str(),
            beats[1].enabled,
            beats[1].target.as_str()
        ),
        (true, "owner", false, "none")
    );
}

#[test]
fn health_says_how_many_sessions_there_are() {
    let mut health = HealthEvent {
        ts: 1000,
        ..HealthEvent::default()
    };

    tell_health(&mut health, Some(summary()));

    assert_eq!(health.sessions.unwrap().count, 10);
    let defaults: Vec<_> = health.agents.iter().map(|agent| agent.default_agent).collect();
    assert_eq!(defaults, [true, false]);
}
