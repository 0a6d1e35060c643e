use gatehouse_core::{
    Identity,
    client::PeerService,
    credential::{self, Credential},
};
use gatehouse_proto::{
    broadcast::v1::{
        Event, GetStatusRequest, HealthEvent, PublishRequest, ReportHealthRequest, ServiceHealth,
        SubscribeRequest, broadcast_service_client::BroadcastServiceClient, service_health::State,
    },
    session::v1::ChatEvent,
};
use prost::{Message, Name};

use super::*;

struct Running {
    _home: tempfile::TempDir,
    settings: ServiceSettings,
    drain: Drain,
}

impl Running {
    fn calls_as(&self, identity: Identity) -> BroadcastServiceClient<PeerService> {
        let credential = Credential::load(&self.settings.home, identity).unwrap();
        let peer = credential.peer(Service::Broadcast, &self.settings.listen);
        BroadcastServiceClient::new(peer.service())
    }
}

async fn running() -> Running {
    let home = tempfile::tempdir().unwrap();
    let settings = ServiceSettings::for_tests(home.path(), Service::Broadcast);
    credential::make_all(&settings.home).unwrap();
    let bound = service::Settings::<App> {
        common: settings.clone(),
        own: (),
    }
    .build()
    .await
    .unwrap();
    let drain = Drain::new();
    let end = drain.clone();
    tokio::spawn(async move { bound.run(end).await.unwrap() });
    Running {
        _home: home,
        settings,
        drain,
    }
}

#[tokio::test]
async fn what_is_published_reaches_a_subscriber_in_order_and_the_stream_ends_with_the_drain() {
    let gateway = running().await;
    let mut session = gateway.calls_as(Identity::Session);
    let mut stream = gateway
        .calls_as(Identity::Edge)
        .subscribe(SubscribeRequest::default())
        .await
        .unwrap()
        .into_inner();
    let position = stream.message().await.unwrap().unwrap().position.unwrap();
    let event = Event {
        r#type: ChatEvent::full_name(),
        ..Event::default()
    };
    for sequence in 1..=3 {
        let events = vec![event.clone(); 200];
        let request = PublishRequest {
            publisher_id: "test".into(),
            sequence,
            events,
            lost: sequence == 3,
        };
        session.publish(request).await.unwrap();
    }

    let (mut chats, mut gaps, mut last) = (0, 0, position.offset);
    while chats < 600 {
        let page = stream.message().await.unwrap().unwrap();
        gaps += u32::from(page.gap);
        for event in page.events {
            assert!(event.offset > last);
            last = event.offset;
            chats += usize::from(event.r#type == ChatEvent::full_name());
        }
    }

    assert_eq!(gaps, 1);
    gateway.drain.start();
    while stream.message().await.unwrap().is_some() {}
}

#[tokio::test]
async fn it_reports_itself_and_names_who_does_not_answer() {
    let gateway = running().await;
    let mut operator = gateway.calls_as(Identity::Operator);
    let reported = async {
        loop {
            let status = operator
                .get_status(GetStatusRequest {})
                .await
                .unwrap()
                .into_inner();
            if status
                .services
                .iter()
                .any(|service| service.service == "broadcast")
            {
                return status;
            }
            tokio::task::yield_now().await;
        }
    };

    let status = tokio::time::timeout(Duration::from_secs(10), reported)
        .await
        .expect("a report");

    assert!(!status.ok, "nobody else is here");
    let silent = |service: &gatehouse_proto::broadcast::v1::ServiceHealth| {
        service.detail.as_deref() == Some("it does not answer")
    };
    let mut names: Vec<_> = status.services.iter().filter(|service| silent(service)).collect();
    names.sort_by(|a, b| a.service.cmp(&b.service));
    let names: Vec<_> = names.iter().map(|service| service.service.as_str()).collect();
    assert_eq!(names, ["agent", "channel-bridge", "config", "session"]);
}

#[tokio::test]
async fn an_event_is_taken_from_the_service_that_makes_it_and_from_no_other() {
    let gateway = running().await;
    let request = PublishRequest {
        publisher_id: "test".into(),
        sequence: 1,
        events: vec![Event {
            r#type: ChatEvent::full_name(),
            ..Event::default()
        }],
        lost: false,
    };
    let publish = async |identity| gateway.calls_as(identity).publish(request.clone()).await;

    let config = publish(Identity::Config).await.unwrap_err();
    let agent = publish(Identity::Agent).await.unwrap_err();

    assert_eq!(
        (config.code(), config.message()),
        (
            tonic::Code::PermissionDenied,
            "config may not publish `chat` events"
        )
    );
    assert_eq!(agent.code(), tonic::Code::PermissionDenied);
    publish(Identity::Session).await.unwrap();
}

#[tokio::test]
async fn a_service_reports_its_own_health_and_no_others() {
    let gateway = running().await;
    let report = |service: &str| ReportHealthRequest {
        service: Some(ServiceHealth {
            service: service.into(),
            ..ServiceHealth::default()
        }),
        leaving: true,
    };
    let mut agent = gateway.calls_as(Identity::Agent);

    let refused = agent.report_health(report("session")).await.unwrap_err();

    assert_eq!(refused.code(), tonic::Code::PermissionDenied, "{refused}");
    agent.report_health(report("agent")).await.unwrap();
}

#[tokio::test]
async fn a_first_subscription_without_a_position_says_where_the_stream_stands() {
    let gateway = running().await;
    let (mut session, mut edge) = (
        gateway.calls_as(Identity::Session),
        gateway.calls_as(Identity::Edge),
    );
    let event = Event {
        r#type: ChatEvent::full_name(),
        ..Event::default()
    };
    let request = PublishRequest {
        publisher_id: "test".into(),
        sequence: 1,
        events: vec![event; 3],
        lost: false,
    };
    let published = session.publish(request).await.unwrap().into_inner().offset;

    let mut stream = edge
        .subscribe(SubscribeRequest::default())
        .await
        .unwrap()
        .into_inner();
    let first = stream.message().await.unwrap().unwrap();
    let position = first.position.expect("in the first answer");

    // What a subscriber needs to say its own gap: which stream this is, and that events were before it came.
    assert!(!first.epoch.is_empty() && first.events.is_empty());
    assert!(position.offset >= published);
    assert!(!position.gap, "it knew nothing that could be missing");
    assert!(position.state_version.is_some() && position.presence.is_some() && position.health.is_some());

    let resumed = SubscribeRequest {
        epoch: Some(first.epoch.clone()),
        offset: Some(0),
        ..SubscribeRequest::default()
    };
    let mut stream = edge.subscribe(resumed).await.unwrap().into_inner();
    let from_the_start = stream.message().await.unwrap().unwrap();
    assert_eq!(from_the_start.epoch, first.epoch);
    assert_eq!(
        from_the_start.position.unwrap().offset,
        0,
        "an edge may also ask for all of it"
    );
}

#[tokio::test]
async fn a_process_that_is_gone_is_known_when_its_connection_ends() {
    let gateway = running().await;
    let mut agent = gateway.calls_as(Identity::Agent);
    let report = ReportHealthRequest {
        service: Some(ServiceHealth {
            service: "agent".into(),
            instance_id: "killed".into(),
            state: State::Serving.into(),
            ..ServiceHealth::default()
        }),
        leaving: false,
    };
    agent.report_health(report).await.unwrap();
    let subscribed = SubscribeRequest::default();
    let mut stream = gateway
        .calls_as(Identity::Edge)
        .subscribe(subscribed)
        .await
        .unwrap()
        .into_inner();

    drop(agent); // the kernel closes what a process had open, whatever it died of

    let told = async {
        loop {
            let piece = stream.message().await.unwrap().unwrap();
            for event in piece
                .events
                .iter()
                .filter(|event| event.r#type == HealthEvent::full_name())
            {
                let health = HealthEvent::decode(event.payload.clone()).unwrap();
                let is_gone = |service: &ServiceHealth| {
                    service.instance_id == "killed" && service.state() == State::Silent
                };
                if health.services.iter().any(is_gone) {
                    return;
                }
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), told)
        .await
        .expect("told long before its lease is over");
}
