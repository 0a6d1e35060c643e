//! What comes in: believed, kept, answered, in this order.

use std::time::Duration;

use gatehouse_proto::{
    channel::v1::{
        FetchMediaRequest, InboundRefused, remarked::Remark, run_account_request::Message as Asked,
        run_account_response::Message as Said,
    },
    common::v1::block::Kind,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tonic::Code;

use crate::{
    gateway::{Plugin, bot},
    microsoft::TENANT,
};

#[tokio::test]
async fn teams_is_answered_once_the_message_is_kept_and_not_before() {
    let plugin = Plugin::start().await;
    let mut account = plugin.connected().await;

    let activity = plugin.activity(&json!({}));
    let deliver = plugin.deliver(&activity);
    tokio::pin!(deliver);
    let inbound = tokio::select! {
        inbound = account.heard() => inbound,
        answer = &mut deliver => panic!("it was answered too early: {answer:?}"),
    };
    assert_eq!((inbound.seq, &*inbound.message_id), (1, "1700000000001|a:1"));
    assert_eq!(inbound.chat.expect("a chat").id, "3f1c");
    assert_eq!(inbound.reply_to, "a:1");
    account
        .ask(Asked::Committed(gatehouse_proto::channel::v1::InboundCommitted {
            seq: 1,
            duplicate: false,
        }))
        .await;

    assert_eq!(deliver.await.status(), 200);
}

#[tokio::test]
async fn what_the_gateway_cannot_take_now_comes_again_and_what_it_never_takes_does_not() {
    let plugin = Plugin::start().await;
    let mut account = plugin.connected().await;

    for (again, status) in [(true, 503), (false, 200)] {
        let activity = plugin.activity(&json!({}));
        let refuse = async {
            let seq = account.heard().await.seq;
            let refused = InboundRefused {
                seq,
                reason: "full".into(),
                again,
            };
            account.ask(Asked::Refused(refused)).await;
        };
        let ((), answer) = tokio::join!(refuse, plugin.deliver(&activity));
        assert_eq!(answer.status(), status);
    }
}

#[tokio::test]
async fn a_message_that_is_delivered_twice_has_one_id_and_those_of_two_chats_have_two() {
    let plugin = Plugin::start().await;
    let mut account = plugin.connected().await;
    let elsewhere =
        json!({"conversation": {"id": "a:2", "conversationType": "personal", "tenantId": TENANT}});

    let (first, _) = plugin.kept(&mut account, &plugin.activity(&json!({}))).await;
    let (again, _) = plugin.kept(&mut account, &plugin.activity(&json!({}))).await;
    let (other, _) = plugin.kept(&mut account, &plugin.activity(&elsewhere)).await;

    assert_eq!(first.message_id, again.message_id);
    assert_ne!(first.message_id, other.message_id);
}

#[tokio::test]
async fn a_thread_of_a_channel_says_its_team_so_that_a_binding_of_the_team_holds() {
    let plugin = Plugin::start().await;
    let mut account = plugin.connected().await;
    let activity = plugin.activity(&json!({
        "conversation": {"id": "19:c@thread.tacv2;messageid=1690", "conversationType": "channel", "tenantId": TENANT},
        "channelData": {"team": {"id": "19:team@thread.tacv2", "aadGroupId": "9f0e"}, "channel": {"id": "19:c@thread.tacv2"}},
    }));

    let (said, _) = plugin.kept(&mut account, &activity).await;

    let chat = said.chat.expect("a chat");
    assert_eq!(
        (chat.id.as_str(), said.thread_id.as_deref()),
        ("19:c@thread.tacv2", Some("1690"))
    );
    assert_eq!(chat.team_id.as_deref(), Some("19:team@thread.tacv2"));
}

#[tokio::test]
async fn reactions_to_what_the_bot_said_and_deletions_are_told_beside_words() {
    let plugin = Plugin::start().await;
    let mut account = plugin.connected().await;
    let reaction = plugin.activity(&json!({
        "type": "messageReaction", "id": null, "text": null, "replyToId": "m-1",
        "reactionsAdded": [{"type": "heart"}], "reactionsRemoved": [{"type": "like"}],
    }));
    let deletion = plugin.activity(&json!({"type": "messageDelete", "text": null}));

    assert_eq!(plugin.deliver(&reaction).await.status(), 200);
    assert_eq!(plugin.deliver(&deletion).await.status(), 200);

    let mut told = Vec::new();
    for _ in 0..3 {
        match account.said().await {
            Said::Remarked(remarked) => {
                assert_eq!(remarked.chat, "a:1");
                told.push(remarked.remark.expect("a remark"));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        told,
        [
            Remark::Reacted("❤️".into()),
            Remark::NotReacted("👍".into()),
            Remark::TakenBack(true)
        ]
    );
}

#[tokio::test]
async fn when_the_gateway_is_not_there_the_message_comes_again() {
    let plugin = Plugin::start().await;
    assert_eq!(plugin.deliver(&plugin.activity(&json!({}))).await.status(), 503);

    let account = plugin.connected().await;
    drop(account);

    assert_eq!(plugin.deliver(&plugin.activity(&json!({}))).await.status(), 503);
}

#[tokio::test]
async fn a_request_without_a_token_is_refused_before_its_body_is_read() {
    let plugin = Plugin::start().await;
    let _account = plugin.connected().await;

    assert_eq!(head_alone(&plugin, "content-length: 1000").await, "HTTP/1.1 401");
}

#[tokio::test]
async fn an_activity_that_is_announced_too_large_is_refused_before_it_is_read() {
    let plugin = Plugin::start().await;
    let _account = plugin.connected().await;
    let token = plugin
        .microsoft
        .token(&json!({"serviceurl": plugin.service_url()}));

    let headers = format!("authorization: {token}\r\ncontent-length: 300000");

    assert_eq!(head_alone(&plugin, &headers).await, "HTTP/1.1 413");
}

/// What a request is answered of which only the head is sent.
async fn head_alone(plugin: &Plugin, headers: &str) -> String {
    let mut connection = TcpStream::connect(plugin.teams_address())
        .await
        .expect("it listens");
    let head = format!(
        "POST /api/messages HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{headers}\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).await.expect("written");
    let mut answer = [0; 12];
    timeout(Duration::from_secs(60), connection.read_exact(&mut answer))
        .await
        .expect("it does not wait for the body")
        .expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn an_activity_that_is_not_what_its_token_says_is_refused() {
    let plugin = Plugin::start().await;
    let _account = plugin.connected().await;
    let deliver = async |change: Value| plugin.deliver(&plugin.activity(&change)).await.status().as_u16();

    assert_eq!(deliver(json!({"serviceUrl": "https://evil.example/"})).await, 403);
    assert_eq!(deliver(json!({"serviceUrl": null})).await, 403);
    let other = json!({"conversation": {"id": "a:1", "conversationType": "personal", "tenantId": "another"}});
    assert_eq!(deliver(other).await, 403);
    assert_eq!(deliver(json!({"from": {"id": ""}})).await, 400);
    assert_eq!(deliver(json!({"entities": 5})).await, 400);

    for another in [
        "https://smba.trafficmanager.net/emea/".to_owned(),
        format!("{}another/", plugin.service_url()),
    ] {
        let token = plugin.microsoft.token(&json!({ "serviceurl": another }));
        let elsewhere = plugin.request(&plugin.activity(&json!({})));
        let answer = elsewhere
            .header("authorization", token)
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), 403, "the token was made out for {another}");
    }
}

#[tokio::test]
async fn the_newest_service_of_a_conversation_is_answered() {
    let plugin = Plugin::start().await;
    let mut account = plugin.connected().await;
    plugin.kept(&mut account, &plugin.activity(&json!({}))).await;
    let newer = format!("{}connector/newer", plugin.microsoft.origin);
    plugin
        .kept(
            &mut account,
            &plugin.activity(&json!({"serviceUrl": newer, "id": "1700000000002"})),
        )
        .await;

    account.ask(Asked::Send(crate::outbound::part("a:1", "hi"))).await;
    account.said().await;

    let path = plugin.microsoft.teams.last().path;
    assert_eq!(path, "/connector/newer/v3/conversations/a:1/activities");
}

#[tokio::test]
async fn a_pressed_button_goes_the_way_of_every_message_and_gets_its_card() {
    let plugin = Plugin::start().await;
    let mut account = plugin.connected().await;
    plugin.kept(&mut account, &plugin.activity(&json!({}))).await;
    let sent = plugin
        .methods()
        .send_card(gatehouse_msteams::contract::SendCardRequest {
            conversation_id: "a:1".into(),
            card: r#"{"type": "AdaptiveCard", "version": "1.5"}"#.into(),
            answer_card: Some(r#"{"type": "AdaptiveCard", "fallbackText": "thanks"}"#.into()),
            ..Default::default()
        })
        .await
        .expect("it is sent")
        .into_inner();

    let pressed = plugin.activity(&json!({
        "type": "invoke", "name": "adaptiveCard/action", "id": "f:1", "replyToId": sent.message_id, "text": null,
        "value": {"action": {"type": "Action.Execute", "verb": "yes", "data": {"text": "go on"}}},
    }));
    let (inbound, answer) = plugin.kept(&mut account, &pressed).await;

    let blocks = inbound.content.expect("a content").blocks;
    assert!(matches!(&blocks[0].kind, Some(Kind::Text(text)) if text.text == "go on"));
    assert_eq!(inbound.sender.expect("a sender").id, "3f1c");
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!(body["value"]["fallbackText"], "thanks", "{body}");

    let other = plugin.activity(&json!({"type": "invoke", "name": "task/fetch", "id": "f:2"}));
    assert_eq!(plugin.deliver(&other).await.status(), 501);
}

#[tokio::test]
async fn the_token_goes_for_files_to_the_connector_and_nowhere_else() {
    let plugin = Plugin::start().await;
    let mut account = plugin.connected().await;
    let url = format!("{}files/cat.png", plugin.microsoft.origin);
    let with_file = plugin.activity(
        &json!({"attachments": [{"contentType": "image/png", "contentUrl": url, "name": "cat.png"}]}),
    );
    let (inbound, _) = plugin.kept(&mut account, &with_file).await;
    let blocks = inbound.content.expect("a content").blocks;
    let Some(Kind::Media(media)) = &blocks[1].kind else {
        panic!("{blocks:?}");
    };
    let fetch = |address: &str| FetchMediaRequest {
        channel: "msteams".into(),
        account_id: "default".into(),
        address: address.into(),
    };

    let mut pieces = plugin
        .channel()
        .fetch_media(fetch(media.url.as_deref().expect("an address")))
        .await
        .expect("it is there")
        .into_inner();
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.message().await.expect("no error") {
        bytes.extend_from_slice(&piece.data);
    }

    assert_eq!(bytes, b"what is in it");
    let elsewhere = plugin
        .channel()
        .fetch_media(fetch("http://169.254.169.254/latest"))
        .await;
    assert_eq!(elsewhere.expect_err("refused").code(), Code::PermissionDenied);
}

#[tokio::test]
async fn the_playground_needs_no_token_and_is_no_page_of_a_browser() {
    let plugin = Plugin::bare("127.0.0.1:0").await;
    let mut account = plugin.open(&json!({"playground": true})).await;
    assert!(matches!(account.said().await, Said::Connected(_)));
    let activity =
        plugin.activity(&json!({"conversation": {"id": "personal-1", "conversationType": "personal"}}));

    let (_, answer) = tokio::join!(account.keep(), plugin.request(&activity).send());
    assert_eq!(answer.expect("an answer").status(), 200);
    let page = plugin
        .request(&activity)
        .header("origin", "https://evil.example")
        .send()
        .await;
    assert_eq!(page.expect("an answer").status(), 403);
    let form = plugin.form(&activity).send().await;
    assert_eq!(form.expect("an answer").status(), 415);
    let away = plugin.activity(&json!({"serviceUrl": "https://smba.trafficmanager.net/emea/"}));
    let away = plugin.request(&away).send().await;
    assert_eq!(away.expect("an answer").status(), 403);
}

#[tokio::test]
async fn the_playground_is_refused_beyond_this_machine_and_beside_a_bot() {
    let wide = Plugin::bare("0.0.0.0:0").await;
    let plugin = Plugin::bare("127.0.0.1:0").await;
    let mut both = bot();
    both["playground"] = json!(true);

    for (plugin, config) in [(&wide, json!({"playground": true})), (&plugin, both)] {
        let said = plugin.open(&config).await.said().await;
        assert!(
            matches!(&said, Said::Ended(ended) if ended.for_good && ended.reason.contains("playground")),
            "{said:?}"
        );
    }
}

#[tokio::test]
async fn whoever_does_not_know_the_plugins_token_is_not_served() {
    let plugin = Plugin::start().await;

    let asked = plugin
        .strangers_channel()
        .fetch_media(FetchMediaRequest::default())
        .await;

    assert_eq!(asked.expect_err("refused").code(), Code::Unauthenticated);
}
