//! The whole service over its socket, as other services and operators see it.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use gatehouse_config::{App, MARKER};
use gatehouse_core::{
    Drain, Env, Failure, Home, Identity, Kind, Secret, Service,
    client::{Peer, PeerService},
    config,
    credential::Credential,
    service::Settings,
};
use gatehouse_proto::config::v1::{
    GetConfigRequest, GetConfigSchemaRequest, PatchConfigRequest, RotateTokenRequest, WatchConfigRequest,
    config_service_client::ConfigServiceClient,
};
use serde_json::Value;
use tokio::time::timeout;

const DOCUMENT: &str = "{\n  // the door\n  gateway: { port: 2000, auth: { token: 'the-token-0123456789' } },\n  \
    models: { providers: { a: { baseUrl: 'http://h/v1', apiKey: '${KEY}' } } },\n}\n";

fn document(home: &Path) {
    let file = home.join("gatehouse.json5");
    fs::write(&file, DOCUMENT).expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("closed");
}

fn settings(home: &Path) -> Settings<App> {
    Settings::read(&Env::of([
        ("GATEHOUSE_HOME", home.to_str().expect("UTF-8")),
        ("KEY", "key-from-env"),
    ]))
    .expect("readable")
}

async fn started(
    home: &Path,
) -> (
    ConfigServiceClient<PeerService>,
    impl Fn(Identity) -> Peer,
    Drain,
    tokio::task::JoinHandle<()>,
) {
    let app = settings(home).build().await.expect("builds");
    let (env, address) = (
        Env::of([("GATEHOUSE_HOME", home.to_str().expect("UTF-8"))]),
        app.address().expect("bound"),
    );
    let peer = move |identity| {
        let credential = Credential::load(&Home::read(&env), identity).expect("made at the start");
        credential.peer(Service::Config, &address)
    };
    let drain = Drain::new();
    let end = drain.clone();
    let running = tokio::spawn(async move { app.run(end).await.expect("serves") });
    (
        ConfigServiceClient::new(peer(Identity::Operator).service()),
        peer,
        drain,
        running,
    )
}

fn patch(raw: &str, base_hash: &str) -> PatchConfigRequest {
    PatchConfigRequest {
        raw: raw.into(),
        base_hash: Some(base_hash.into()),
        note: None,
        force: None,
    }
}

#[tokio::test]
async fn it_is_read_changed_and_watched() {
    let home = tempfile::tempdir().expect("a folder");
    document(home.path());
    let (mut client, peer, drain, running) = started(home.path()).await;

    let read = client
        .get_config(GetConfigRequest {})
        .await
        .expect("answers")
        .into_inner();
    assert!(
        read.exists && read.valid && read.issues.is_empty(),
        "{:?}",
        read.issues
    );
    let raw = read.raw.expect("readable");
    assert!(
        raw.contains("// the door") && raw.contains(MARKER) && raw.contains("${KEY}"),
        "{raw}"
    );
    for shown in [&raw, &read.parsed, &read.config] {
        assert!(
            !shown.contains("the-token") && !shown.contains("key-from-env"),
            "{shown}"
        );
    }

    let mut edge = config::watch::<Value>(&peer(Identity::Edge), Service::Edge, &drain);
    let agent = config::watch::<Value>(&peer(Identity::Agent), Service::Agent, &drain);
    let first = edge.ready().await;
    assert_eq!(first.credentials[0].digest.len(), 64);
    assert_eq!(agent.ready().await.credentials, []);
    assert_eq!(
        agent.ready().await.value["models"]["providers"]["a"]["apiKey"],
        "key-from-env"
    );

    let changed = client
        .patch_config(patch("{gateway: {port: 2001}}", &read.hash))
        .await
        .expect("taken")
        .into_inner();
    assert!(changed.ok && !changed.config.contains("the-token"));
    let second = timeout(Duration::from_secs(10), edge.changed())
        .await
        .expect("in time");
    assert_eq!(
        (second.hash.as_str(), &second.value["gateway"]["port"]),
        (changed.hash.as_str(), &Value::from(2001))
    );

    let token = client
        .rotate_token(RotateTokenRequest {})
        .await
        .expect("ours")
        .into_inner()
        .token;
    let third = timeout(Duration::from_secs(10), edge.changed())
        .await
        .expect("in time");
    assert_ne!(third.credentials, second.credentials);
    assert_eq!(
        third.credentials[0].digest,
        Secret::new(token)
            .digest()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect::<String>()
    );

    let schema = client
        .get_config_schema(GetConfigSchemaRequest {})
        .await
        .expect("answers")
        .into_inner()
        .schema;
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    assert_eq!(
        schema["properties"]["gateway"]["properties"]["port"]["default"],
        18_789
    );

    // A long stream is open: the end comes nevertheless.
    drain.start();
    timeout(Duration::from_secs(5), running)
        .await
        .expect("ends in time")
        .expect("ends well");
}

#[tokio::test]
async fn refusals_have_reasons_that_programs_can_act_on() {
    let home = tempfile::tempdir().expect("a folder");
    document(home.path());
    let (mut client, peer, drain, running) = started(home.path()).await;
    let hash = client
        .get_config(GetConfigRequest {})
        .await
        .expect("answers")
        .into_inner()
        .hash;

    let stale = Failure::from_status(&client.patch_config(patch("{}", "00")).await.expect_err("stale"));
    assert_eq!(
        (stale.kind, stale.reason.as_deref()),
        (Kind::Precondition, Some("CONFIG_CHANGED"))
    );
    assert_eq!(stale.details.get("hash"), Some(&hash));
    let wrong = client
        .patch_config(patch("{gateway: {bind: 'x'}}", &hash))
        .await
        .expect_err("wrong");
    let wrong = Failure::from_status(&wrong);
    assert_eq!(
        (wrong.kind, wrong.reason.as_deref()),
        (Kind::Invalid, Some("CONFIG_INVALID"))
    );
    assert_eq!(
        wrong.details.get("configPath").map(String::as_str),
        Some("gateway.bind")
    );
    let nobody = ConfigServiceClient::new(peer(Identity::Agent).service())
        .watch_config(WatchConfigRequest {
            service: "nobody".into(),
        })
        .await
        .expect_err("unknown");
    assert_eq!(Failure::from_status(&nobody).kind, Kind::Invalid);

    let second = settings(home.path()).build().await.expect_err("one writer only");
    assert!(second.to_string().contains("lock"), "{second}");
    drain.start();
    timeout(Duration::from_secs(5), running)
        .await
        .expect("ends in time")
        .expect("ends well");
}

#[tokio::test]
async fn a_service_sees_its_own_sections_and_nobody_elses() {
    let home = tempfile::tempdir().expect("a folder");
    document(home.path());
    let (_, peer, drain, running) = started(home.path()).await;
    let watch = async |identity, service: &str| {
        let request = WatchConfigRequest {
            service: service.into(),
        };
        ConfigServiceClient::new(peer(identity).service())
            .watch_config(request)
            .await
    };

    for (identity, service) in [
        (Identity::Agent, "edge"),
        (Identity::Agent, "channel-bridge"),
        (Identity::ChannelBridge, "agent"),
        (Identity::Operator, "agent"),
    ] {
        let refused = watch(identity, service).await.expect_err("not its own");
        assert_eq!(
            Failure::from_status(&refused).kind,
            Kind::Forbidden,
            "{identity}: {refused}"
        );
    }
    watch(Identity::Agent, "agent").await.expect("its own");
    drain.start();
    timeout(Duration::from_secs(5), running)
        .await
        .expect("ends in time")
        .expect("ends well");
}

#[tokio::test]
async fn the_secret_that_all_services_shared_is_removed_and_opens_nothing() {
    let home = tempfile::tempdir().expect("a folder");
    document(home.path());
    fs::create_dir(home.path().join("credential")).expect("made");
    let shared = home.path().join("credential/service");
    fs::write(&shared, "shared-by-all\n").expect("written");

    let (mut client, _, drain, running) = started(home.path()).await;

    assert!(!shared.exists());
    client
        .get_config(GetConfigRequest {})
        .await
        .expect("the operator's opens");
    let old = Peer::lazy(
        &format!("unix:{}/run/config.sock", home.path().display())
            .parse()
            .expect("an address"),
        &Secret::new("shared-by-all"),
    );
    let refused = ConfigServiceClient::new(old.service())
        .get_config(GetConfigRequest {})
        .await
        .expect_err("nobody's");
    assert_eq!(Failure::from_status(&refused).kind, Kind::Unauthenticated);
    drain.start();
    timeout(Duration::from_secs(5), running)
        .await
        .expect("ends in time")
        .expect("ends well");
}
