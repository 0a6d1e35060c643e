//! What goes out, and what becomes of it when Teams is in a bad mood.

use gatehouse_msteams::contract::{ListConversationsRequest, ListMembersRequest, SendCardRequest};
use gatehouse_proto::{
    channel::v1::{
        PartAnswered, SendPart, ShowPreview, ShowTyping, WithdrawPreview, part_answered::Outcome,
        preview_answered, run_account_request::Message as Asked, run_account_response::Message as Said,
    },
    common::v1::{Choice, block::Kind},
};
use serde_json::{Value, json};
use tonic::Code;

use crate::{
    gateway::{Account, Plugin, bot},
    microsoft::TENANT,
    teams::Wanted,
};

pub(crate) fn part(to: &str, text: &str) -> SendPart {
    SendPart {
        id: 7,
        to: to.into(),
        text: text.into(),
        ..SendPart::default()
    }
}

async fn answered(account: &mut Account, part: SendPart) -> Outcome {
    account.ask(Asked::Send(part)).await;
    match account.said().await {
        Said::Part(PartAnswered { id: 7, outcome }) => outcome.expect("an outcome"),
        other => panic!("{other:?}"),
    }
}

/// A plugin whose bot is in a chat of two, a group and a channel.
async fn among_people() -> (Plugin, Account) {
    let plugin = Plugin::start().await;
    let mut account = plugin.connected().await;
    for conversation in [
        json!({"id": "a:1", "conversationType": "personal", "tenantId": TENANT}),
        json!({"id": "19:g@thread.v2", "conversationType": "groupChat", "tenantId": TENANT}),
        json!({"id": "19:c@thread.tacv2;messageid=1690", "conversationType": "channel", "tenantId": TENANT}),
    ] {
        let activity = plugin.activity(&json!({ "conversation": conversation }));
        plugin.kept(&mut account, &activity).await;
    }
    (plugin, account)
}

#[tokio::test]
async fn an_answer_goes_where_it_was_asked_with_the_bots_token() {
    let (plugin, mut account) = among_people().await;
    let mut answer = part("19:c@thread.tacv2", "# Tea\n\nis **hot**");
    answer.thread_id = Some("1690".into());

    let outcome = answered(&mut account, answer).await;

    assert!(
        matches!(&outcome, Outcome::Sent(sent) if sent.platform_id == "m-1"),
        "{outcome:?}"
    );
    let call = plugin.microsoft.teams.last();
    assert_eq!(
        call.path,
        "/connector/v3/conversations/19:c@thread.tacv2;messageid=1690/activities"
    );
    assert_eq!(call.body["text"], "**Tea**\n\nis **hot**");
    assert_eq!(call.token.as_deref(), Some("Bearer t-1"));
}

#[tokio::test]
async fn choices_are_buttons_of_a_card_and_a_press_says_what_it_stands_for() {
    let (plugin, mut account) = among_people().await;
    let mut question = part("a:1", "Right?");
    question.choices = [("Yes", "yes"), ("No", "/deny 7")]
        .map(|(label, value)| Choice {
            label: label.into(),
            value: value.into(),
        })
        .into();

    let outcome = answered(&mut account, question).await;

    assert!(matches!(outcome, Outcome::Sent(_)), "{outcome:?}");
    let message = plugin.microsoft.teams.last().body;
    assert_eq!(message["text"], "Right?");
    let buttons = &message["attachments"][0]["content"]["actions"];
    assert_eq!(buttons[1]["title"], "No");

    let press = plugin.activity(&json!({
        "type": "invoke", "name": "adaptiveCard/action", "id": "f:1", "text": null, "replyToId": "m-1",
        "value": {"action": buttons[1], "trigger": "manual"},
    }));
    let (said, answer) = plugin.kept(&mut account, &press).await;

    assert_eq!(answer.status(), 200);
    let words = said.content.expect("content").blocks;
    assert!(
        matches!(&words[0].kind, Some(Kind::Text(text)) if text.text == "/deny 7"),
        "{words:?}"
    );
    assert_eq!(
        said.sender.expect("a sender").id,
        "3f1c",
        "under the rules of whoever pressed"
    );
    assert!(said.mentioned);
}

#[tokio::test]
async fn what_teams_refuses_for_now_waits_and_what_it_refuses_for_good_does_not() {
    let (plugin, mut account) = among_people().await;
    let teams = &plugin.microsoft.teams;
    let mut slow = Wanted::new(429);
    slow.retry_after = Some("3");

    teams.want(slow);
    let outcome = answered(&mut account, part("a:1", "hi")).await;
    assert!(
        matches!(&outcome, Outcome::ChatBusy(busy) if (3_000..=3_300).contains(&busy.after_ms)),
        "{outcome:?}"
    );
    for status in [412, 502, 504, 500, 503] {
        teams.want(Wanted::new(status));
        let outcome = answered(&mut account, part("a:1", "hi")).await;
        assert!(
            matches!(&outcome, Outcome::ChatBusy(busy) if busy.after_ms > 0),
            "{status}: {outcome:?}"
        );
    }
    teams.want(Wanted::code(
        403,
        "BotNotInConversationRoster",
        "The bot is not part of the conversation roster.",
    ));
    let outcome = answered(&mut account, part("a:1", "hi")).await;
    assert!(
        matches!(&outcome, Outcome::Failed(reason) if reason.contains("BotNotInConversationRoster")),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_page_of_what_stands_before_teams_is_not_its_word_on_a_message() {
    let (plugin, mut account) = among_people().await;
    let foreign = |status| Wanted {
        body: json!("<html>Blocked</html>"),
        ..Wanted::new(status)
    };

    for wanted in [foreign(400), foreign(403), Wanted::new(520)] {
        let answers = format!("Teams answers {}", wanted.status);
        plugin.microsoft.teams.want(wanted);
        let outcome = answered(&mut account, part("19:g@thread.v2", "hi")).await;
        assert!(
            matches!(&outcome, Outcome::ChatBusy(busy) if busy.after_ms > 0 && busy.reason == answers),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_token_that_teams_does_not_believe_any_more_is_replaced() {
    let (plugin, mut account) = among_people().await;
    let teams = plugin.microsoft.teams.clone();
    teams.forget_tokens();

    let outcome = answered(&mut account, part("a:1", "hi")).await;

    assert!(matches!(outcome, Outcome::Sent(_)), "{outcome:?}");
    assert_eq!(teams.tokens(), 3);
}

#[tokio::test]
async fn a_bot_that_loses_its_secret_says_so_once_and_loses_no_message() {
    let (plugin, mut account) = among_people().await;
    let teams = plugin.microsoft.teams.clone();
    teams.forget_tokens();
    teams.revoke();

    account.ask(Asked::Send(part("a:1", "hi"))).await;
    let notice = account.said().await;
    let outcome = account.said().await;

    assert!(
        matches!(&notice, Said::Notice(notice) if notice.text.as_deref().is_some_and(|text| text.contains("expired"))),
        "{notice:?}"
    );
    assert!(
        matches!(&outcome, Said::Part(part) if matches!(part.outcome, Some(Outcome::Retry(_)))),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_bot_that_microsoft_does_not_believe_is_not_connected() {
    let plugin = Plugin::start().await;
    let mut config = bot();
    config["clientSecret"] = json!("wrong");

    let said = plugin.open(&config).await.said().await;

    assert!(
        matches!(&said, Said::Ended(ended) if ended.for_good && ended.reason.contains("new one under Certificates")),
        "{said:?}"
    );
}

fn preview(to: &str, shown: Option<&str>, text: &str) -> Asked {
    Asked::Preview(ShowPreview {
        id: 9,
        to: to.into(),
        shown: shown.map(str::to_owned),
        text: text.into(),
        may_last: true,
        ..ShowPreview::default()
    })
}

fn withdraw(to: &str, shown: &str) -> Asked {
    Asked::Withdraw(WithdrawPreview {
        id: 9,
        to: to.into(),
        shown: shown.into(),
        ..WithdrawPreview::default()
    })
}

async fn shown(account: &mut Account, asked: Asked) -> preview_answered::Outcome {
    account.ask(asked).await;
    match account.said().await {
        Said::Preview(answered) => answered.outcome.expect("an outcome"),
        other => panic!("{other:?}"),
    }
}

fn streaminfo(activity: &Value) -> Value {
    activity["entities"][0].clone()
}

#[tokio::test]
async fn in_a_chat_of_two_an_answer_streams_and_the_message_that_stays_ends_the_stream() {
    let (plugin, mut account) = among_people().await;
    let teams = plugin.microsoft.teams.clone();

    let first = shown(&mut account, preview("a:1", None, "Tea is ho")).await;
    let preview_answered::Outcome::Shown(id) = first else {
        panic!("{first:?}");
    };
    let began = teams.last().body;
    assert_eq!(
        (&began["type"], &began["text"]),
        (&json!("typing"), &json!("Tea is"))
    );
    shown(&mut account, preview("a:1", Some(&id), "Tea is hot and gre")).await;
    assert_eq!(
        streaminfo(&teams.last().body),
        json!({"type": "streaminfo", "streamType": "streaming", "streamSequence": 2, "streamId": "m-1"})
    );
    let mut last = part("a:1", "Tea is hot and green.");
    last.replaces = Some(id);
    let outcome = answered(&mut account, last).await;

    assert!(matches!(outcome, Outcome::Sent(_)), "{outcome:?}");
    let stays = teams.last().body;
    assert_eq!(
        (&stays["type"], &stays["text"]),
        (&json!("message"), &json!("Tea is hot and green."))
    );
    assert_eq!(
        streaminfo(&stays),
        json!({"type": "streaminfo", "streamType": "final", "streamId": "m-1"})
    );
}

#[tokio::test]
async fn when_teams_has_ended_a_stream_the_answer_is_said_exactly_once() {
    let (plugin, mut account) = among_people().await;
    let teams = plugin.microsoft.teams.clone();
    let ended = |message| Wanted::code(403, "ContentStreamNotAllowed", message);
    let mut last = part("a:1", "all of it");
    last.replaces = Some("stream:s1".into());

    teams.want(ended("Content stream finished due to exceeded streaming time."));
    let over = answered(&mut account, last.clone()).await;
    assert!(matches!(over, Outcome::PreviewGone(_)), "{over:?}");
    assert_eq!(teams.last().method, "DELETE", "what was shown is taken away");

    teams.want(ended(
        "Content stream is not allowed on an already completed streamed message.",
    ));
    let again = answered(&mut account, last.clone()).await;
    assert!(
        matches!(again, Outcome::Sent(_)),
        "an earlier attempt had arrived: {again:?}"
    );

    teams.want(ended("Content stream was canceled by user."));
    let stopped = answered(&mut account, last).await;
    assert!(
        matches!(stopped, Outcome::Failed(_)),
        "the person wants no more of it: {stopped:?}"
    );
}

#[tokio::test]
async fn in_a_group_an_answer_is_a_message_that_is_changed() {
    let (plugin, mut account) = among_people().await;
    let teams = plugin.microsoft.teams.clone();
    let group = "19:g@thread.v2";

    let first = shown(&mut account, preview(group, None, "Tea is")).await;
    assert_eq!(first, preview_answered::Outcome::Shown("m-1".into()));
    shown(&mut account, preview(group, Some("m-1"), "Tea is hot")).await;
    let mut last = part(group, "Tea is hot.");
    last.replaces = Some("m-1".into());
    answered(&mut account, last.clone()).await;

    let calls: Vec<_> = teams.calls().iter().map(|call| call.method.to_string()).collect();
    assert_eq!(calls, ["POST", "PUT", "PUT"]);
    teams.want(Wanted::new(404));
    let gone = answered(&mut account, last).await;
    assert!(matches!(gone, Outcome::PreviewGone(_)), "{gone:?}");
    let withdrawn = shown(&mut account, withdraw(group, "m-1")).await;
    assert_eq!(withdrawn, preview_answered::Outcome::Shown(String::new()));
}

#[tokio::test]
async fn a_stream_that_cannot_be_taken_back_is_ended_as_it_is_and_a_message_stays() {
    let (plugin, mut account) = among_people().await;
    let teams = plugin.microsoft.teams.clone();
    let cannot = || Wanted::code(501, "DeleteActivityAPINotImplemented", "not implemented yet");
    let first = shown(&mut account, preview("a:1", None, "Tea is ho")).await;
    let preview_answered::Outcome::Shown(id) = first else {
        panic!("{first:?}");
    };

    teams.want(Wanted::new(503));
    let later = shown(&mut account, withdraw("a:1", &id)).await;
    assert!(matches!(later, preview_answered::Outcome::Busy(_)), "{later:?}");
    teams.want(cannot());
    let withdrawn = shown(&mut account, withdraw("a:1", &id)).await;

    assert_eq!(withdrawn, preview_answered::Outcome::Shown(String::new()));
    let stays = teams.last().body;
    assert_eq!(
        (&stays["type"], &stays["text"]),
        (&json!("message"), &json!("Tea is"))
    );
    assert_eq!(
        streaminfo(&stays),
        json!({"type": "streaminfo", "streamType": "final", "streamId": "m-1"})
    );

    teams.want(cannot());
    let never = shown(&mut account, withdraw("19:g@thread.v2", "m-7")).await;
    assert!(
        matches!(never, preview_answered::Outcome::Never(_)),
        "asking again does not bring the call: {never:?}"
    );
    assert_eq!(teams.last().method, "DELETE");
}

#[tokio::test]
async fn a_person_who_has_not_written_is_reached_by_a_chat_that_is_opened_and_a_stranger_is_not() {
    let (plugin, mut account) = among_people().await;
    let person = "77777777-aaaa-4bbb-8ccc-666666666666";

    let outcome = answered(&mut account, part(&format!("user:{person}"), "good morning")).await;
    assert!(matches!(outcome, Outcome::Sent(_)), "{outcome:?}");
    let calls = plugin.microsoft.teams.calls();
    assert_eq!(calls[0].path, "/connector/v3/conversations");
    assert_eq!(calls[0].body["members"][0]["id"], person);
    assert_eq!(calls[0].body["tenantId"], TENANT);
    assert_eq!(calls[1].path, "/connector/v3/conversations/m-1/activities");

    let outcome = answered(&mut account, part("19:nobody@thread.v2", "hi")).await;
    assert!(
        matches!(&outcome, Outcome::Failed(reason) if reason.contains("conversations.list")),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn typing_is_shown_and_nothing_waits_for_it() {
    let (plugin, mut account) = among_people().await;

    account
        .ask(Asked::Typing(ShowTyping {
            to: "a:1".into(),
            thread_id: None,
        }))
        .await;
    answered(&mut account, part("a:1", "hi")).await;

    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    while !plugin
        .microsoft
        .teams
        .calls()
        .iter()
        .any(|call| call.body["type"] == "typing")
    {
        assert!(tokio::time::Instant::now() < deadline, "typing was not shown");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn clients_list_conversations_and_members_and_send_cards() {
    let (plugin, _account) = among_people().await;
    let mut methods = plugin.methods();

    let channels = methods
        .list_conversations(ListConversationsRequest {
            kind: Some("channel".into()),
            ..Default::default()
        })
        .await
        .expect("listed")
        .into_inner();
    let ids: Vec<_> = channels.conversations.iter().map(|known| &*known.id).collect();
    assert_eq!(ids, ["19:c@thread.tacv2"]);
    let members = methods
        .list_members(ListMembersRequest {
            conversation_id: "a:1".into(),
            ..Default::default()
        })
        .await
        .expect("listed")
        .into_inner();
    assert_eq!(members.members[0].user_id.as_deref(), Some("3f1c"));
    assert_eq!(members.cursor.as_deref(), Some("next"));

    let card = |card: &str, to: &str| SendCardRequest {
        conversation_id: to.into(),
        card: card.into(),
        ..Default::default()
    };
    let sent = methods
        .send_card(card(r#"{"type": "AdaptiveCard"}"#, "a:1"))
        .await;
    assert_eq!(sent.expect("sent").into_inner().message_id, "m-1");
    let none = methods.send_card(card(r#"{"type": "HeroCard"}"#, "a:1")).await;
    assert_eq!(none.expect_err("refused").code(), Code::InvalidArgument);
    let nowhere = methods
        .send_card(card(r#"{"type": "AdaptiveCard"}"#, "a:9"))
        .await;
    assert_eq!(nowhere.expect_err("refused").code(), Code::NotFound);
}
