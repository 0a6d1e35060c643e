//! The session with the gateway, and how the account is.

use super::*;

#[tokio::test]
async fn a_session_goes_on_behind_the_last_commit_also_in_a_new_process() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    scene.discord.says(ANNA, "before");
    scene.hears(1).await;
    // The place is kept just behind the commit.
    scene.discord.says(ANNA, "once more");
    scene.hears(2).await;

    let scene = scene
        .again(|discord| drop(discord.says(ANNA, "while nobody was there")))
        .await;

    let heard = scene.hears(1).await;
    assert_eq!(heard.last().unwrap(), "while nobody was there");
    assert!(!heard.contains(&"before".to_owned()), "{heard:?}");
    assert_eq!(
        (scene.discord.identified().len(), scene.discord.resumed().len()),
        (1, 1)
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn what_could_not_be_committed_is_said_again() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    *scene.bench.heard.failures.lock().unwrap() = u32::MAX;

    scene.discord.says(ANNA, "first");
    let scene = scene.again(|_| {}).await;

    assert_eq!(scene.hears(1).await, ["first"]);
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_gateway_that_asks_or_closes_or_falls_silent_is_met_again_and_the_session_goes_on() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let resumed = async |count: usize| {
        until("the session goes on", async || {
            (scene.discord.resumed().len() == count).then_some(())
        })
        .await;
    };

    scene.discord.reconnect();
    resumed(1).await;
    scene.discord.close(4000);
    resumed(2).await;
    scene.discord.deafen();
    resumed(3).await;
    scene.discord.says(ANNA, "still there");

    assert_eq!(scene.hears(1).await, ["still there"]);
    assert_eq!(scene.discord.identified().len(), 1);
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_session_that_discord_forgot_begins_anew() {
    for forget in [
        |discord: &Fake| discord.invalidate(false),
        |discord: &Fake| discord.close(4009),
    ] {
        let scene = Scene::start().await;
        scene.is(State::Connected).await;

        forget(&scene.discord);

        until("a new session", async || {
            (scene.discord.identified().len() == 2).then_some(())
        })
        .await;
        until("a message in it", async || {
            scene.discord.says(ANNA, "hello there");
            (!scene.bench.heard.texts().is_empty()).then_some(())
        })
        .await;
        scene.bench.stop().await;
    }
}

#[tokio::test]
async fn a_token_that_discord_does_not_know_ends_the_account_and_is_shown_nowhere() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let token = scene.discord.token();

    scene.discord.revoke();

    let error = scene.failed().await;
    assert!(
        error.contains("Reset Token") && !error.contains(&token),
        "{error}"
    );
    let opened = scene.discord.opened();
    assert!(opened <= 2, "it does not come back: {opened}");
}

#[tokio::test]
async fn codes_that_nothing_helps_against_end_the_account_with_the_next_step() {
    for (code, step) in [
        (4014, "Message Content Intent"),
        (4011, "too many servers"),
        (4012, "newer Gatehouse"),
    ] {
        let scene = Scene::start().await;
        scene.is(State::Connected).await;

        scene.discord.close(code);

        let error = scene.failed().await;
        assert!(error.contains(step), "{error}");
    }
}

#[tokio::test]
async fn without_the_right_to_read_messages_it_is_told_and_what_names_the_bot_is_heard() {
    let bot = Bot::new().await;
    bot.discord.without_content();
    let scene = Scene::over(bot, &json!({}));
    scene.is(State::Connected).await;

    let notices = scene.bench.progress.snapshot().notices;
    assert!(
        notices
            .iter()
            .any(|notice| notice.contains("Message Content Intent")),
        "{notices:?}"
    );
    assert_eq!(
        scene.discord.identified()[0]["intents"],
        json!(1 | 1 << 9 | 1 << 10 | 1 << 12 | 1 << 13)
    );
    scene.discord.says(ANNA, "hello there");
    scene.hears(1).await;
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_bot_that_began_all_the_sessions_of_a_day_waits_and_says_so() {
    let bot = Bot::new().await;
    bot.discord.starts_left(0);
    let scene = Scene::over(bot, &json!({}));

    scene.is(State::Backoff).await;

    let error = scene.bench.progress.snapshot().last_error.unwrap();
    assert!(
        error.contains("no more sessions") && error.contains("60 minutes"),
        "{error}"
    );
    assert!(scene.discord.identified().is_empty());
    scene.bench.stop().await;
}

#[tokio::test]
async fn where_nothing_can_be_reached_the_account_says_so_without_the_address() {
    let scene = Scene::with(json!({"apiRoot": "http://127.0.0.1:1/api"})).await;

    scene.is(State::Backoff).await;

    let error = scene.bench.progress.snapshot().last_error.unwrap();
    assert!(
        error.contains("Discord cannot be reached") && !error.contains("/api"),
        "{error}"
    );
    scene.bench.stop().await;
}
