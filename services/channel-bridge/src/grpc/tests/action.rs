use gatehouse_core::content::Block;
use gatehouse_proto::channel::v1::{ActOnMessageRequest, SentFile};

use super::*;
use crate::outbox::grpc::Message;

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

#[tokio::test]
async fn a_file_goes_along_and_is_kept_before_the_message_is_stored() {
    let bench = bench(&one()).await;
    let act = |key: &str, more: Value| {
        let mut params = json!({"target": "anna", "message": "see"});
        let more = more.as_object().unwrap().clone();
        params.as_object_mut().unwrap().extend(more);
        Request::new(ActOnMessageRequest {
            channel: "webhook".into(),
            action: "send".into(),
            params: params.to_string(),
            idempotency_key: key.into(),
            account_id: None,
        })
    };
    let file = || json!({"buffer": "YSBwaWN0dXJl", "filename": "cat.png", "contentType": "image/png"});

    let first = bench.channels.act_on_message(act("k", file())).await.unwrap();
    let again = bench.channels.act_on_message(act("k", file())).await.unwrap();

    assert_eq!(first.into_inner(), again.into_inner(), "stored once");
    let kept = bench.session.kept.lock().unwrap().clone();
    assert_eq!(kept[0], (Some("image/png".into()), b"a picture".to_vec()));

    let broken = json!({"buffer": "no base64!"});
    let refused = bench
        .channels
        .act_on_message(act("k2", broken))
        .await
        .unwrap_err();
    assert!(refused.message().contains("base64"), "{}", refused.message());
    let away = Failure::new(Kind::Unavailable, "the session service is away");
    bench.session.keep_refusals.lock().unwrap().push(away);
    let later = bench
        .channels
        .act_on_message(act("k3", file()))
        .await
        .unwrap_err();
    assert_eq!(Failure::from_status(&later).kind, Kind::Unavailable);
}

#[tokio::test]
async fn a_message_that_is_a_file_alone_has_no_words() {
    let bench = bench(&one()).await;
    let mut request = send(Some("webhook"), "k").into_inner();
    request.message.clear();
    let empty = bench.channels.send_message(Request::new(request.clone())).await;
    assert!(empty.unwrap_err().message().contains("nothing to send"));
    request.attachments = vec![SentFile {
        mime_type: Some("image/png".into()),
        file_name: Some("cat.png".into()),
        content: "aGk=".into(),
    }];

    let mut message = Message::try_from(request).unwrap();
    let files = std::mem::take(&mut message.files);
    let files = files.keep(&bench.channels.media).await.unwrap();
    let delivery = message.from(key("a"), files, NOW);

    let [Block::Media(medium)] = delivery.message.blocks() else {
        panic!("{:?}", delivery.message);
    };
    assert_eq!(
        (medium.source.id(), medium.name.as_deref(), medium.size_bytes),
        (Some("medium-1"), Some("cat.png"), Some(2))
    );
}
