//! Commands behind Discord's own slash.

use super::*;
use crate::adapter::ChatKind;

async fn offered(scene: &Scene) -> Vec<String> {
    until("the commands", async || {
        let commands = scene.discord.commands();
        let names: Vec<String> = commands
            .iter()
            .map(|command| command["name"].as_str().unwrap().to_owned())
            .collect();
        names.contains(&"whoami".to_owned()).then_some(names)
    })
    .await
}

fn chosen(scene: &Scene, name: &str, more: Value) -> Value {
    let mut interaction = json!({"id": scene.discord.number(), "token": "a-token", "type": 2, "application_id": "4242",
        "channel_id": OFFICE, "data": {"name": name, "type": 1}});
    interaction
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    interaction
}

#[tokio::test]
async fn commands_are_offered_once_and_those_of_others_stay() {
    let bot = Bot::new().await;
    bot.discord.offer("dance");
    let scene = Scene::over(bot, &json!({}));
    let first = offered(&scene).await;
    assert!(
        first.contains(&"dance".to_owned()) && first.contains(&"status".to_owned()),
        "{first:?}"
    );
    let made = scene.discord.calls("POST commands").len();

    let scene = scene.again(|_| {}).await;
    scene.is(State::Connected).await;
    until("another look", async || {
        (scene.discord.calls("GET commands").len() == 2).then_some(())
    })
    .await;
    scene.discord.says(ANNA, "hello there");
    scene.hears(1).await;

    assert_eq!(scene.discord.calls("POST commands").len(), made);
    scene.bench.stop().await;
}

#[tokio::test]
async fn nothing_is_offered_where_the_operator_does_not_want_it() {
    let scene = Scene::with(json!({"commands": {"native": false}})).await;
    scene.is(State::Connected).await;
    scene.discord.says(ANNA, "hello there");
    scene.hears(1).await;

    assert!(scene.discord.commands().is_empty());
    assert!(scene.discord.calls("GET commands").is_empty());
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_chosen_command_is_heard_as_if_typed_and_answered_at_once_for_who_chose_it() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    scene.discord.thread("600", OFFICE);
    let anna = json!({"id": ANNA, "username": "anna", "global_name": "Anna"});
    let member = json!({"user": anna, "nick": "Anna", "roles": ["r1"]});

    let options = json!([{"name": "model", "type": 3, "value": "local/large"}]);
    let data = json!({"name": "model", "type": 1, "options": options});
    let in_a_thread = json!({"guild_id": "9000", "channel_id": "600", "member": member, "data": data});
    scene
        .discord
        .event("INTERACTION_CREATE", chosen(&scene, "model", in_a_thread));
    let in_private = json!({"channel_id": "17", "user": anna});
    scene
        .discord
        .event("INTERACTION_CREATE", chosen(&scene, "status", in_private));
    let button = json!({"type": 3, "user": anna});
    scene
        .discord
        .event("INTERACTION_CREATE", chosen(&scene, "pressed", button));

    assert_eq!(scene.hears(2).await, ["/model local/large", "/status"]);
    until("the first answers", async || {
        (scene.discord.calls("POST callback").len() == 2).then_some(())
    })
    .await;
    let answer = scene.discord.calls("POST callback").remove(0);
    assert!(answer.method.ends_with("/a-token/callback"), "{answer:?}");
    assert_eq!(
        (
            &answer.body["type"],
            &answer.body["data"]["flags"],
            &answer.body["data"]["content"]
        ),
        (&json!(4), &json!(64), &json!("`/model local/large`"))
    );
    let heard = scene.bench.heard.messages.lock().unwrap().clone();
    let (thread, private) = (&heard[0], &heard[1]);
    assert_eq!((thread.chat_kind, thread.mentioned), (ChatKind::Channel, true));
    assert_eq!(thread.origin.parent.as_ref().unwrap().id, OFFICE);
    assert_eq!(thread.origin.roles.len(), 1);
    assert_eq!(
        (private.chat_kind, private.chat_id.as_str()),
        (ChatKind::Direct, ANNA)
    );
    scene.bench.stop().await;
}
