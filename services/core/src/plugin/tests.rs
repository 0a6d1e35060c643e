//! What a plugin is asked, against servers that answer as those of other languages do.

use std::path::PathBuf;

use gatehouse_contract::{Map, PluginId};
use gatehouse_proto::plugin::v1::{
    ConfigureResponse,
    manifest_service_server::{ManifestService, ManifestServiceServer},
};
use gatehouse_test_contract::{descriptors, descriptors_of};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::{Request, Response, service::Routes, transport::Server};
use tonic_reflection::server::Builder;

use super::*;
use crate::Secret;

const KITCHEN: &str = "message Tea {} service Kitchen { rpc Boil(Tea) returns (Tea) {
    option (gatehouse.options.v1.method) = { name: \"kitchen.boil\" access: ACCESS_OPERATOR_READ }; } }";

/// A server of somebody's on a socket of its own.
struct Somebody {
    address: Address,
    peer: Peer,
    _folder: TempDir,
}

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("plugin.sock");
    (folder, socket)
}

fn at(folder: TempDir, socket: PathBuf) -> Somebody {
    let address = Address::Unix(socket);
    let (peer, _) = Peer::watched(&address, &Secret::new("shown"));
    Somebody {
        address,
        peer,
        _folder: folder,
    }
}

fn serve(routes: Routes) -> Somebody {
    let (folder, socket) = place();
    let listener = UnixListenerStream::new(UnixListener::bind(&socket).expect("a socket"));
    tokio::spawn(Server::builder().add_routes(routes).serve_with_incoming(listener));
    at(folder, socket)
}

impl Somebody {
    async fn describe(&self) -> Result<Description, Trouble> {
        describe(&self.peer, &self.address).await
    }
}

/// A plugin that describes itself.
#[derive(Clone, Default)]
struct Told {
    answer: DescribeResponse,
    refuses: Option<&'static str>,
}

#[tonic::async_trait]
impl ManifestService for Told {
    async fn describe(&self, _: Request<DescribeRequest>) -> Result<Response<DescribeResponse>, Status> {
        Ok(Response::new(self.answer.clone()))
    }

    async fn configure(&self, _: Request<ConfigureRequest>) -> Result<Response<ConfigureResponse>, Status> {
        match self.refuses {
            Some(why) => Err(Status::invalid_argument(why)),
            None => Ok(Response::new(ConfigureResponse {})),
        }
    }
}

fn told(set: Vec<u8>) -> Told {
    Told {
        answer: DescribeResponse {
            title: "  The\nkitchen ".to_owned(),
            version: "1.2".to_owned(),
            file_descriptor_set: set,
            config_schema: String::new(),
        },
        refuses: None,
    }
}

fn joins(descriptors: &[u8]) -> bool {
    let kitchen = PluginId::parse("kitchen").expect("an id");
    let map = Map::core().with(&kitchen, descriptors, &[]);
    map.is_ok_and(|map| map.method("kitchen.boil").is_some())
}

#[test]
fn a_place_is_a_host_with_a_port_or_an_absolute_path() {
    for (endpoint, address) in [
        ("127.0.0.1:50051", "tcp:127.0.0.1:50051"),
        ("http://kitchen:50051", "tcp:kitchen:50051"),
        ("http://kitchen:50051/", "tcp:kitchen:50051"),
        ("unix:/run/kitchen.sock", "unix:/run/kitchen.sock"),
    ] {
        assert_eq!(
            super::address(endpoint).map(|found| found.to_string()),
            Ok(address.to_owned())
        );
    }
    assert_eq!(super::address("https://kitchen:1"), Err(EndpointError::Encrypted));
    assert_eq!(
        super::address("unix:run/kitchen.sock"),
        Err(EndpointError::Relative)
    );
    for bad in [
        "",
        "kitchen",
        "http://kitchen:1/path",
        "http://me@kitchen:1",
        "ftp://kitchen:1",
    ] {
        assert_eq!(super::address(bad), Err(EndpointError::Unreadable), "{bad}");
    }
}

#[tokio::test]
async fn a_server_with_reflection_of_either_version_is_asked_for_its_options_too() {
    let builder =
        || Builder::configure().register_encoded_file_descriptor_set(Box::leak(descriptors(KITCHEN).into()));
    let first = serve(Routes::new(builder().build_v1().expect("readable")));
    let alpha = serve(Routes::new(builder().build_v1alpha().expect("readable")));

    for server in [first, alpha] {
        let described = server.describe().await.expect("described");
        assert!(joins(&described.descriptors));
        assert!(!described.is_told, "it has no settings");
    }
}

#[tokio::test]
async fn a_plugin_that_describes_itself_needs_no_reflection() {
    let server = serve(Routes::new(ManifestServiceServer::new(told(descriptors(
        KITCHEN,
    )))));

    let described = server.describe().await.expect("described");

    assert!(joins(&described.descriptors));
    assert_eq!(described.title.as_deref(), Some("The kitchen"), "on one line");
    assert_eq!(described.version.as_deref(), Some("1.2"));
    assert!(described.is_told);
}

#[tokio::test]
async fn the_gateways_own_files_are_its_own_whoever_sends_them() {
    // A plugin's own idea of the options, and descriptors without what they import.
    let forged = descriptors_of(
        "gatehouse/options/v1/options.proto",
        "syntax = \"proto3\"; package forged;",
    );
    let whole = descriptors(KITCHEN);
    let set = files::Files::of_set(&whole).expect("readable");
    let alone = set.without_imports();
    let server = serve(Routes::new(ManifestServiceServer::new(told(
        [forged, alone].concat(),
    ))));

    let described = server.describe().await.expect("described");

    assert!(joins(&described.descriptors));
}

#[tokio::test]
async fn whoever_offers_neither_is_told_what_to_add() {
    let server = serve(Routes::default());

    let trouble = server.describe().await.expect_err("nothing is offered");

    assert!(matches!(trouble, Trouble::Silent), "{trouble}");
}

#[tokio::test]
async fn a_plugin_that_says_what_it_is_and_declares_nothing_is_understood() {
    let server = serve(Routes::new(ManifestServiceServer::new(told(Vec::new()))));

    let described = server.describe().await.expect("described");

    assert!(described.descriptors.is_empty() && described.is_told);
}

#[tokio::test]
async fn nobody_and_whoever_speaks_no_grpc_are_told_from_each_other() {
    let (folder, socket) = place();
    let nobody = at(folder, socket);
    let (folder, socket) = place();
    let listener = UnixListener::bind(&socket).expect("a socket");
    let other = at(folder, socket);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let _ = socket.try_write(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });

    let away = nobody.describe().await.expect_err("nobody is there");
    let garbage = other.describe().await.expect_err("it is not gRPC");

    assert!(
        away.is_away() && away.to_string().contains("is the plugin running?"),
        "{away}"
    );
    assert!(!garbage.to_string().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_never_answers_is_given_up() {
    let (folder, socket) = place();
    let _listener = UnixListener::bind(&socket).expect("a socket that nobody accepts from");

    let trouble = at(folder, socket).describe().await.expect_err("silence");

    assert!(matches!(trouble, Trouble::Slow), "{trouble}");
}

#[tokio::test]
async fn descriptors_beyond_the_bounds_are_refused() {
    let large = serve(Routes::new(ManifestServiceServer::new(told(vec![
        0;
        DESCRIPTORS_BYTES_MAX
            + 1
    ]))));
    let torn = serve(Routes::new(ManifestServiceServer::new(told(
        b"\xff\xff".to_vec(),
    ))));
    let imports = "syntax = \"proto3\"; import \"gatehouse/session/v1/session_service.proto\";";
    let lacking = descriptors_of("a.proto", imports);
    assert!(files::Files::of_set(&lacking).is_ok());

    let large = large.describe().await.expect_err("too large").to_string();
    let torn = torn.describe().await.expect_err("not descriptors").to_string();

    assert!(large.contains("larger than"), "{large}");
    assert!(torn.contains("cannot be read"), "{torn}");
}

#[tokio::test]
async fn a_plugin_that_refuses_its_settings_says_why() {
    let refusing = Told {
        refuses: Some("the stove is\nnot gas"),
        ..told(Vec::new())
    };
    let server = serve(Routes::new(ManifestServiceServer::new(refusing)));

    let refused = configure(&server.peer, &server.address, "{}".to_owned()).await;

    assert_eq!(
        refused.expect_err("refused").to_string(),
        "it refuses `config`: the stove is not gas"
    );
}

#[test]
fn settings_are_held_against_a_schema_without_showing_them() {
    let schema = json!({"type": "object", "required": ["stove"],
        "properties": {"stove": {"enum": ["gas"]}, "key": {"type": "string", "pattern": "^k"}}});
    let check =
        |settings| check_settings(&schema.to_string(), &settings).map_err(|trouble| trouble.to_string());

    assert_eq!(check(json!({"stove": "gas"})), Ok(()));
    let wrong = check(json!({"stove": "gas", "key": "s3cret"})).expect_err("the pattern");
    assert!(wrong.contains("at /key") && !wrong.contains("s3cret"), "{wrong}");
    assert!(check(json!({})).is_err());
    for bad in [
        "not json",
        r#"{"type": 7}"#,
        r#"{"$ref": "https://elsewhere.example/schema"}"#,
    ] {
        assert!(check_settings(bad, &json!({})).is_err(), "{bad}");
    }
}

#[tokio::test]
async fn a_lost_connection_is_noticed_without_a_call() {
    let (_folder, socket) = place();
    let listener = UnixListenerStream::new(UnixListener::bind(&socket).expect("a socket"));
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let server = Server::builder()
        .add_routes(Routes::new(ManifestServiceServer::new(told(Vec::new()))))
        .serve_with_incoming_shutdown(listener, async move { drop(ended.await) });
    tokio::spawn(server);
    let address = Address::Unix(socket);
    let (peer, mut lost) = Peer::watched(&address, &Secret::new("shown"));
    configure(&peer, &address, "{}".to_owned())
        .await
        .expect("it is there");
    assert_eq!(*lost.borrow_and_update(), 0);

    drop(end);

    let noticed = timeout(PATIENCE, lost.changed()).await;
    assert!(noticed.is_ok(), "in time");
}
