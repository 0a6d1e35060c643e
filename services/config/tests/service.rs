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
    ApplyConfigRequest, CreateAgentRequest, DeleteAgentRequest, GetConfigRequest, GetConfigSchemaRequest,
    LookUpConfigSchemaRequest, PatchConfigRequest, RotateTokenRequest, SetConfigRequest, UpdateAgentRequest,
    WatchConfigRequest, agents_service_client::AgentsServiceClient,
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
        ..PatchConfigRequest::default()
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

#[tokio::test]
async fn a_form_reads_its_document_and_its_schema_and_writes_it_back() {
    let home = tempfile::tempdir().expect("a folder");
    document(home.path());
    let (mut client, _, drain, running) = started(home.path()).await;

    let read = client
        .get_config(GetConfigRequest {})
        .await
        .expect("answers")
        .into_inner();
    let mut form: Value = serde_json::from_str(&read.source_config).expect("JSON");
    assert_eq!(form["session"], Value::Null, "defaults are not in it");
    assert_eq!(form["models"]["providers"]["a"]["apiKey"], "${KEY}");
    assert_eq!(read.applied_config_hash, read.hash);
    let schema = client
        .get_config_schema(GetConfigSchemaRequest {})
        .await
        .expect("answers")
        .into_inner();
    let hints: Value = serde_json::from_str(&schema.ui_hints).expect("JSON");
    assert_eq!(hints["gateway.auth.token"]["sensitive"], true);
    assert!(schema.generated_at.ends_with('Z'), "{}", schema.generated_at);
    let path = "gateway.port".to_owned();
    let port = client
        .look_up_config_schema(LookUpConfigSchemaRequest { path })
        .await
        .expect("known");
    assert_eq!(port.into_inner().reload_kind, "restart");

    form["session"] = serde_json::json!({"dmScope": "per-peer", "dmscop": 1});
    let request = SetConfigRequest {
        raw: form.to_string(),
        base_hash: Some(read.hash.clone()),
        ..SetConfigRequest::default()
    };
    let set = client.set_config(request).await.expect("taken").into_inner();
    assert!(!set.noop && set.hash != read.hash);
    let request = ApplyConfigRequest {
        raw: set.config,
        base_hash: Some(set.hash.clone()),
        session_key: Some("agent:main:main".to_owned()),
        restart_delay_ms: Some(2_000),
        ..ApplyConfigRequest::default()
    };
    let applied = client.apply_config(request).await.expect("taken").into_inner();

    assert!(applied.noop && applied.hash == set.hash);
    let again = client
        .get_config(GetConfigRequest {})
        .await
        .expect("answers")
        .into_inner();
    assert!(
        again.issues.is_empty(),
        "a warning is not a mistake: {:?}",
        again.issues
    );
    assert!(
        again
            .warnings
            .iter()
            .any(|warning| warning.path == "session.dmscop"),
        "{:?}",
        again.warnings
    );
    let text = fs::read_to_string(home.path().join("gatehouse.json5")).expect("there");
    assert!(
        text.contains("// the door") && text.contains("the-token") && text.contains("per-peer"),
        "{text}"
    );
    drain.start();
    timeout(Duration::from_secs(5), running)
        .await
        .expect("ends in time")
        .expect("ends well");
}

#[tokio::test]
async fn agents_are_made_changed_and_taken_out_through_the_document() {
    let home = tempfile::tempdir().expect("a folder");
    document(home.path());
    let (_, peer, drain, running) = started(home.path()).await;
    let mut client = AgentsServiceClient::new(peer(Identity::Operator).service());
    let text = || fs::read_to_string(home.path().join("gatehouse.json5")).expect("there");

    let made = client
        .create_agent(CreateAgentRequest {
            name: "Front Desk".to_owned(),
            model: Some("a/m".to_owned()),
            ..CreateAgentRequest::default()
        })
        .await
        .expect("new")
        .into_inner();
    assert_eq!(
        (made.agent_id.as_str(), made.name.as_str()),
        ("front-desk", "Front Desk")
    );
    assert!(
        made.workspace.ends_with("session/workspace/front-desk"),
        "{}",
        made.workspace
    );
    assert!(
        text().contains("// the door") && text().contains("front-desk"),
        "{}",
        text()
    );

    let elsewhere = UpdateAgentRequest {
        agent_id: "front-desk".to_owned(),
        workspace: Some("/etc".to_owned()),
        ..UpdateAgentRequest::default()
    };
    let refused = Failure::from_status(&client.update_agent(elsewhere).await.expect_err("by hand"));
    assert_eq!(
        (refused.kind, refused.path.as_deref()),
        (Kind::Invalid, Some("/workspace"))
    );
    let inherit = UpdateAgentRequest {
        agent_id: "front-desk".to_owned(),
        emoji: Some("🛎".to_owned()),
        null_fields: vec!["model".to_owned()],
        ..UpdateAgentRequest::default()
    };
    client.update_agent(inherit).await.expect("there");
    assert!(text().contains("🛎") && !text().contains("a/m"), "{}", text());

    let request = DeleteAgentRequest {
        agent_id: "front-desk".to_owned(),
        delete_files: Some(true),
    };
    let gone = client
        .delete_agent(request.clone())
        .await
        .expect("there")
        .into_inner();
    assert_eq!((gone.removed_bindings, gone.failed.len()), (0, 1));
    let again = Failure::from_status(&client.delete_agent(request).await.expect_err("gone"));
    assert_eq!(
        (again.kind, again.reason.as_deref()),
        (Kind::NotFound, Some("NO_SUCH_AGENT"))
    );
    drain.start();
    timeout(Duration::from_secs(5), running)
        .await
        .expect("ends in time")
        .expect("ends well");
}
