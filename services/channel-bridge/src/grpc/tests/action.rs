use gatehouse_proto::channel::v1::ActOnMessageRequest;

use super::*;

#[tokio::test]
async fn a_message_that_is_sent_by_the_name_of_the_action_is_the_same_message() {
    let bench = bench(&one()).await;
    let act = |action: &str, key: &str| {
        Request::new(ActOnMessageRequest {
            channel: "webhook".into(),
            action: action.into(),
            params: json!({"target": "anna", "message": "hi", "silent": false}).to_string(),
            idempotency_key: key.into(),
            account_id: None,
        })
    };

    let first = bench.channels.act_on_message(act("send", "k")).await;
    let again = bench.channels.act_on_message(act("send", "k")).await;
    let other = bench.channels.act_on_message(act("react", "k2")).await;

    let first = first.unwrap().into_inner();
    assert_eq!(first, again.unwrap().into_inner(), "stored once");
    assert_eq!(
        (
            first.ok,
            first.channel.as_str(),
            first.to.as_str(),
            first.run_id.as_str()
        ),
        (true, "webhook", "anna", "k")
    );
    let refused = Failure::from_status(&other.unwrap_err());
    assert_eq!(
        (refused.kind, refused.path.as_deref()),
        (Kind::Invalid, Some("/action"))
    );
    let mut elsewhere = act("send", "k3").into_inner();
    elsewhere.channel = "telegram".into();
    let refused = bench
        .channels
        .act_on_message(Request::new(elsewhere))
        .await
        .unwrap_err();
    assert!(refused.message().contains("telegram"), "{}", refused.message());
}
