//! The ends of a login: each has its own words and its own next step.

use whatsapp_rust::wacore_binary::{Node, builder::NodeBuilder};

use crate::{
    plugin::{Plugin, us},
    server::{Order, Whatsapp},
};

fn refusal(reason: &str) -> Option<Node> {
    Some(
        NodeBuilder::new("failure")
            .attr("reason", reason.to_owned())
            .build(),
    )
}

fn stream_error(said: Node) -> Order {
    Order::Say(NodeBuilder::new("stream:error").children([said]).build())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_is_over_is_kept_aside_and_another_code_is_shown() {
    let server = Whatsapp::start().await;
    let plugin = Plugin::linked(&server).await;
    server.refuses(refusal("401"));

    let (reason, for_good) = plugin.open().await.ended().await;
    assert!(reason.contains("401") && for_good, "{reason}");
    server.refuses(None);
    let login = plugin.open().await.login().await;

    assert!(login.qr.contains("2@first,"), "{login:?}");
    assert!(plugin.login(1).join("whatsapp.db").exists() && plugin.login(2).exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unlinking_on_the_phone_ends_an_account_that_is_connected() {
    let server = Whatsapp::start().await;
    let plugin = Plugin::linked(&server).await;
    let mut account = plugin.connected().await;

    let removed = NodeBuilder::new("conflict")
        .attr("type", "device_removed")
        .build();
    server.tell(&us(), stream_error(removed)).await;
    let (reason, for_good) = account.ended().await;

    assert!(
        reason.contains("401") && reason.contains("channels login") && for_good,
        "{reason}"
    );
    assert!(plugin.login(1).join("over").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_of_the_account_and_another_program_with_its_credentials_keep_them() {
    let server = Whatsapp::start().await;
    let plugin = Plugin::linked(&server).await;
    server.refuses(refusal("403"));
    let (reason, for_good) = plugin.open().await.ended().await;
    assert!(reason.contains("403") && for_good, "{reason}");
    server.refuses(None);

    let mut account = plugin.connected().await;
    let replaced = NodeBuilder::new("conflict").attr("type", "replaced").build();
    server.tell(&us(), stream_error(replaced)).await;
    let (reason, for_good) = account.ended().await;
    assert!(reason.contains("440") && for_good, "{reason}");

    plugin.connected().await.stop().await;
    assert!(!plugin.login(2).exists() && !plugin.login(1).join("over").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_comes_back_without_a_word() {
    let server = Whatsapp::start().await;
    let plugin = Plugin::linked(&server).await;
    let mut account = plugin.connected().await;

    server.tell(&us(), Order::Close).await;
    server
        .until("another login", |state| (state.logins >= 2).then_some(()))
        .await;

    account.probe().await;
}
