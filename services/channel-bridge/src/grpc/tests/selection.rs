//! Which channel a message goes out by when its sender names none, or one that is not there.

use super::*;

fn irc() -> Value {
    json!({"server": "127.0.0.1", "port": 1, "tls": false, "nick": "g", "enabled": false})
}

async fn refused(bench: &Bench, channel: Option<&str>) -> (String, String) {
    let refused = bench.channels.send_message(send(channel, "k")).await.unwrap_err();
    let refused = Failure::from_status(&refused);
    (refused.reason.unwrap_or_default().into_owned(), refused.message)
}

#[tokio::test]
async fn a_channel_that_is_not_there_is_said_by_its_name() {
    let bench = bench(&one()).await;

    let (reason, told) = refused(&bench, Some("irc")).await;

    assert_eq!(reason, "CHANNEL_NOT_CONFIGURED");
    assert_eq!(told, "channel irc is not set up");
}

#[tokio::test]
async fn who_names_none_is_told_which_there_are() {
    let mut channels = one();
    channels["irc"] = irc();
    let bench = bench(&channels).await;

    let (reason, told) = refused(&bench, None).await;

    assert_eq!(reason, "CHANNEL_SELECTION_REQUIRED");
    assert_eq!(told, "several channels are set up: name one of irc, webhook");
}

#[tokio::test]
async fn where_there_is_no_channel_the_way_to_one_is_told() {
    let bench = bench(&json!({})).await;

    let (reason, told) = refused(&bench, None).await;

    assert_eq!(reason, "CHANNEL_NOT_CONFIGURED");
    assert_eq!(told, "no channel is set up: `gatehouse channels add` sets one up");
}
