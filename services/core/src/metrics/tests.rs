use std::net::SocketAddr;

use prometheus_client::metrics::counter::Counter;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

fn counting() -> Registry {
    let mut registry = registry("session");
    let counter = Counter::<u64>::default();
    registry.register("frames", "Frames so far", counter.clone());
    counter.inc();
    registry
}

#[tokio::test]
async fn a_scrape_shows_the_counters_with_the_name_of_the_process() {
    let drain = Drain::new();
    let address = serve(counting(), &drain).await;

    for host in ["x", "127.0.0.1:1", "localhost", "[::1]:9"] {
        let text = ask(address, &format!("GET /metrics HTTP/1.1\r\nhost: {host}\r\n\r\n")).await;
        assert!(
            text.contains("frames_total{service=\"session\"} 1"),
            "{host}: {text}"
        );
    }
}

#[tokio::test]
async fn text_is_the_default_and_open_metrics_for_those_who_ask_for_it() {
    let drain = Drain::new();
    let address = serve(counting(), &drain).await;

    let text = ask(address, "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let accept = "accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5";
    let open = ask(
        address,
        &format!("GET /metrics HTTP/1.1\r\nhost: x\r\n{accept}\r\n\r\n"),
    )
    .await;

    assert!(text.contains("content-type: text/plain; version=0.0.4"), "{text}");
    assert!(
        text.contains("# TYPE frames_total counter") && !text.contains("# EOF"),
        "{text}"
    );
    assert!(
        open.contains("content-type: application/openmetrics-text; version=1.0.0"),
        "{open}"
    );
    assert!(
        open.contains("# TYPE frames counter") && open.ends_with("# EOF\n"),
        "{open}"
    );
}

#[tokio::test]
async fn a_probe_asks_for_the_head_alone_and_other_methods_are_told_what_is_allowed() {
    let drain = Drain::new();
    let address = serve(counting(), &drain).await;

    let head = ask(address, "HEAD /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let post = ask(
        address,
        "POST /metrics HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n",
    )
    .await;

    assert!(
        head.starts_with("HTTP/1.1 200") && head.contains("content-length: "),
        "{head}"
    );
    assert!(head.ends_with("\r\n\r\n"), "no body: {head}");
    assert!(
        post.starts_with("HTTP/1.1 405") && post.contains("allow: GET, HEAD"),
        "{post}"
    );
}

#[tokio::test]
async fn a_name_that_was_made_to_point_here_shows_nothing() {
    let drain = Drain::new();
    let address = serve(Registry::default(), &drain).await;

    for head in [
        "GET /metrics HTTP/1.1\r\nhost: rebound.example\r\n",
        "GET /metrics HTTP/1.1\r\nhost: localhost\r\nhost: rebound.example\r\n",
        "GET http://rebound.example/metrics HTTP/1.1\r\nhost: localhost\r\n",
        "GET /metrics HTTP/1.1\r\nhost: edge\r\norigin: http://edge\r\n",
        "GET /metrics HTTP/1.1\r\nhost: 0.0.0.0\r\n",
    ] {
        let text = ask(address, &format!("{head}\r\n")).await;
        assert!(text.starts_with("HTTP/1.1 403"), "{head}: {text}");
    }
}

#[tokio::test]
async fn a_process_behind_a_socket_is_asked_for_its_page_and_takes_its_file_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.prom");
    let deadline = Duration::from_secs(10);
    assert!(fetch(&path, deadline).await.is_err(), "nobody is there yet");
    let drain = Drain::new();
    let exporter = Exporter::bind(&Address::Unix(path.clone())).await.unwrap();
    exporter.serve(counting(), &drain);

    let page = fetch(&path, deadline).await.unwrap();

    let text = page.render(Format::Text);
    assert!(text.contains("frames_total{service=\"session\"} 1"), "{text}");
    drain.start();
    assert!(drain.finish(deadline).await);
    assert!(!path.exists(), "nothing is left behind");
}

#[tokio::test]
async fn a_process_that_hangs_costs_a_deadline_and_not_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hangs.prom");
    let _listener = tokio::net::UnixListener::bind(&path).unwrap(); // accepts by the kernel alone

    let error = fetch(&path, Duration::from_millis(50)).await.unwrap_err();

    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

async fn serve(registry: Registry, drain: &Drain) -> SocketAddr {
    let any = Address::Tcp("127.0.0.1:0".to_owned());
    let exporter = Exporter::bind(&any).await.unwrap();
    let address = exporter.address().unwrap().to_string();
    exporter.serve(registry, drain);
    address.trim_start_matches("tcp:").parse().unwrap()
}

async fn ask(address: SocketAddr, request: &str) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).await.unwrap();
    text
}
