//! Peers that leave their answers unread.

use super::*;

/// An answer of so many bytes.
fn answer_of(bytes: usize) -> Reply {
    let plan = &Map::core().method("sessions.resolve").unwrap().response;
    let json = json!({"ok": true, "agentId": "main", "key": "x".repeat(bytes)}).to_string();
    Reply::Many(vec![plan.encode(&json, &mut gatehouse_contract::Refuse).unwrap()])
}

#[tokio::test]
async fn a_peer_that_leaves_its_answers_unread_is_not_read_from_until_it_takes_them() {
    const REQUESTS: usize = 1_000;
    const ANSWER_BYTES: usize = 40 * 1024;
    const BEGINS: &[u8] = br#""type":"res""#;
    let gateway = gateway().await;
    gateway.answers("sessions.resolve", answer_of(ANSWER_BYTES));
    let mut client = Client::v4(&gateway, &["operator.read"]).await;
    let params = json!({"key": "main", "unknown": "x".repeat(8 * 1024)});
    let requests: Vec<u8> = (0..REQUESTS)
        .flat_map(|n| {
            let request =
                json!({"type": "req", "id": format!("r{n}"), "method": "sessions.resolve", "params": params});
            frame(TEXT, request.to_string().as_bytes())
        })
        .collect();

    let (mut reading, mut writing) = tokio::io::split(client.socket.get_mut());
    let mut written = 0;
    while let Ok(Ok(count)) = timeout(Duration::from_secs(1), writing.write(&requests[written..])).await {
        written += count;
    }

    assert!(
        written < requests.len(),
        "requests go out although no answer is read"
    );
    let calls = gateway.calls("sessions.resolve").len();
    assert!(calls < REQUESTS / 2, "{calls} calls");

    let write = async { writing.write_all(&requests[written..]).await.unwrap() };
    let read = async {
        let (mut answers, mut read, mut chunk) = (0, Vec::new(), vec![0; 64 * 1024]);
        while answers < REQUESTS {
            let count = reading.read(&mut chunk).await.unwrap();
            read.extend_from_slice(&chunk[..count]);
            answers += read
                .windows(BEGINS.len())
                .filter(|bytes| *bytes == BEGINS)
                .count();
            read.drain(..read.len().saturating_sub(BEGINS.len() - 1));
        }
    };
    let all = timeout(Duration::from_secs(30), async { tokio::join!(write, read) }).await;
    assert!(all.is_ok(), "reading goes on as soon as answers are taken");
}

#[tokio::test]
async fn a_large_page_that_is_asked_for_many_times_at_once_is_made_no_more_often_than_that() {
    const REQUESTS: usize = 50;
    let gateway = gateway().await;
    gateway.answers("sessions.resolve", answer_of(256 * 1024));
    let mut client = Client::v4(&gateway, &["operator.read"]).await;
    let params = json!({"key": "main"});
    client.call("sessions.resolve", params.clone()).await; // from now on the edge expects large answers

    for n in 0..REQUESTS {
        let request =
            json!({"type": "req", "id": format!("r{n}"), "method": "sessions.resolve", "params": params});
        client.send(&request.to_string()).await;
    }
    let mut answered = 0;
    while answered < REQUESTS {
        answered += usize::from(client.frame().await["ok"] == true);
    }

    let calls = gateway.calls("sessions.resolve").len();
    assert_eq!(calls, REQUESTS + 1, "none is made only to be let go");
}

#[tokio::test]
async fn answers_that_nobody_reads_end_the_one_that_has_not_read_for_the_longest_time() {
    let limits = Limits {
        waiting_bytes_max: 6 * 1024 * 1024,
        ..Limits::default()
    };
    let gateway = Gateway::with(limits, Some(revision("{}", TOKEN))).await;
    gateway.answers("sessions.resolve", answer_of(2 * 1024 * 1024));
    let mut slow = Vec::new();
    let request = json!({"type": "req", "id": "1", "method": "sessions.resolve", "params": {"key": "main"}});

    for n in 1..=8 {
        let mut client = Client::v4(&gateway, &["operator.read"]).await;
        client.send(&request.to_string()).await;
        // One that finds no place for its large answer asks again: there may be more calls than clients.
        until("the call", async || gateway.calls("sessions.resolve").len() >= n).await;
        slow.push(client);
    }
    let mut reader = Client::v4(&gateway, &["operator.read"]).await;
    let answer = reader.call("sessions.resolve", json!({"key": "main"})).await;

    assert_eq!(answer["ok"], true, "who reads gets its answer");
    // Half of its answer is in the kernel: the rest is not kept only to be able to say why.
    slow[0].cut().await;
}
