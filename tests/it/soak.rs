//! What a busy time leaves behind: the short form of `make bench ARGS=soak`.

use futures::future::join_all;
use gatehouse_tests::{Client, Gateway, platform::Platform, process::pss_kib, until};
use serde_json::json;

use crate::SCREEN;

const PEOPLE: usize = 20;
const SCREENS: usize = 10;
/// The most that one process may weigh afterwards. A binary with debug information weighs some 15 MiB idle; the ring of
/// broadcast adds 4. When each event of the ring held the request that it came in, broadcast weighed over 100.
const PROCESS_KIB_MAX: u64 = 48 * 1024;

#[tokio::test]
async fn after_many_streams_at_once_everything_is_answered_once_and_every_process_is_small() {
    let platform = Platform::start().await;
    let gateway = Gateway::start(&json!({
        "channels": platform.config(),
        "session": {"dmScope": "per-peer"},
        "agents": {"defaults": {"maxConcurrent": PEOPLE}},
    }))
    .await;
    let screens = join_all((0..SCREENS).map(|_| Client::plain(&gateway, SCREEN))).await;

    join_all((0..PEOPLE).map(async |person| {
        let (id, from) = (format!("m{person}"), format!("person-{person}"));
        let taken = platform
            .deliver(&gateway, &id, &from, "[[echo tokens=600 delay=5]]")
            .await;
        assert!(taken, "{id}");
    }))
    .await;
    until("every answer", async || {
        (platform.replies().len() >= PEOPLE).then_some(())
    })
    .await;

    let answered = platform.replies_by_chat();
    assert_eq!(answered.len(), PEOPLE);
    assert!(answered.values().all(|count| *count == 1), "{answered:?}");
    for service in [
        "edge",
        "session",
        "agent",
        "channel-bridge",
        "config",
        "broadcast",
    ] {
        let weight = pss_kib(gateway.pid(service).expect(service));
        assert!(weight < PROCESS_KIB_MAX, "{service}: {weight} KiB");
    }
    drop(screens);
}
