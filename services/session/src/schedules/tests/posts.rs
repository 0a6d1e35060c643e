//! Programs that are told of runs, over a real socket.

use gatehouse_core::error::Failure;
use gatehouse_proto::session::v1::schedule_service_server::ScheduleService;
use gatehouse_proto::session::v1::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tonic::Request;

use super::runs::{HOURLY, Scheduled, turn};
use crate::testing::within;

/// A program that answers with these statuses, one after the other, and what it was sent.
async fn program(statuses: Vec<&'static str>) -> (String, tokio::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sent, seen) = tokio::sync::mpsc::channel(8);
    tokio::spawn(async move {
        for status in statuses {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = String::new();
            let mut piece = [0; 4096];
            // The body is JSON, and nothing comes behind it.
            while !request.ends_with('}') {
                let read = socket.read(&mut piece).await.unwrap();
                request.push_str(std::str::from_utf8(&piece[..read]).unwrap());
            }
            let answer = format!(
                "HTTP/1.1 {status}\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            socket.write_all(answer.as_bytes()).await.unwrap();
            sent.send(request).await.unwrap();
        }
    });
    (format!("http://{address}/told?a=1"), seen)
}

fn config(hosts: &str) -> String {
    format!(
        r#"{{"cron":{{"webhookToken":"cR7nP2wT9xK4mB6v","webhookSsrfPolicy":{{"allowedHostnames":{hosts}}}}}}}"#
    )
}

fn to(url: &str) -> AddCronJobRequest {
    AddCronJobRequest {
        delivery: Some(format!(r#"{{"mode":"webhook","to":"{url}"}}"#)),
        ..turn(HOURLY)
    }
}

#[tokio::test]
async fn a_program_is_told_of_a_run_until_it_takes_it() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (url, mut seen) = program(vec!["503 Later", "200 OK"]).await;
    let mut on = Scheduled::with(&config(r#"["127.0.0.1"]"#)).await;
    on.send_posts();
    let job = on.add(to(&url)).await;
    on.run(&job).await;
    let call = on.bench.call().await;
    call.text("The kettle is new.").await;
    call.done().await;
    let finished = on.see("finished").await;

    let first = within("the program", seen.recv()).await.unwrap();
    assert!(first.starts_with("POST /told?a=1 HTTP/1.1\r\n"), "{first}");
    assert!(
        first.contains("authorization: Bearer cR7nP2wT9xK4mB6v\r\n"),
        "{first}"
    );
    assert!(
        first.contains(&format!(
            "idempotency-key: {}\r\n",
            finished.run_id.clone().unwrap()
        )),
        "{first}"
    );
    let body: serde_json::Value = serde_json::from_str(first.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(
        (&body["status"], &body["text"]),
        (&"ok".into(), &"The kettle is new.".into())
    );
    let tried = async || on.runs(&job).await[0].delivery_error.is_some();
    crate::testing::until("a try that failed", tried).await;
    on.pass(10_000);
    within("the program again", seen.recv()).await.unwrap();
    let told = async || on.runs(&job).await[0].delivery_status.as_deref() == Some("delivered");
    crate::testing::until("it was told", told).await;
    assert!(on.waiting().await.is_empty(), "no chat is");
}

#[tokio::test]
async fn what_leads_elsewhere_is_not_followed() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (url, mut seen) = program(vec!["307 Elsewhere"]).await;
    let mut on = Scheduled::with(&config(r#"["127.0.0.1"]"#)).await;
    on.send_posts();
    let job = on.add(to(&url)).await;
    on.run(&job).await;
    on.bench.call().await.done().await;
    on.see("finished").await;

    within("the program", seen.recv()).await.unwrap();

    let given_up = async || on.runs(&job).await[0].delivery_status.as_deref() == Some("not-delivered");
    crate::testing::until("it is given up", given_up).await;
}

#[tokio::test]
async fn a_job_cannot_name_an_address_inside() {
    let on = Scheduled::new().await;
    for inside in [
        "",
        "http://127.0.0.1/",
        "http://[::1]:18789/rpc/config.get",
        "http://169.254.169.254/latest/meta-data/",
        "http://192.168.1.1/",
        "file:///etc/passwd",
        "https://a:b@example.org/",
    ] {
        let refused = on.grpc.add_cron_job(Request::new(to(inside))).await.unwrap_err();
        let failure = Failure::from_status(&refused);
        assert_eq!(failure.path.as_deref(), Some("/delivery/to"), "{inside}");
    }
    on.add(to("https://example.org/told")).await;
}
