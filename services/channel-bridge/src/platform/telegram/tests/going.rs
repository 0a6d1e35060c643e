//! That somebody is being answered.

use super::*;

#[tokio::test]
async fn typing_is_shown_again_and_again_where_the_answer_will_come() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let actions = || scene.api.calls("sendChatAction");

    scene.bench.hints.hint(Typing {
        to: "-100123:topic:42".into(),
        thread_id: None,
    });
    until("it is shown, and shown again", async || {
        (actions().len() >= 2).then_some(())
    })
    .await;
    let first = actions()[0].clone();
    assert_eq!(
        first.body,
        json!({"chat_id": -100_123, "message_thread_id": 42, "action": "typing"})
    );
    scene.bench.stop().await;
}
