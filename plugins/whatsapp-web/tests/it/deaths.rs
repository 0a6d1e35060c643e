//! The process dies at the worst moments: nothing is lost, and an answer has one id.

use crate::{
    messages::{acknowledged, scene, waits, words},
    plugin::assistant,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_committed_comes_again_and_an_answer_keeps_its_id() {
    let (server, mut plugin, mut account, mut anna) = scene().await;

    // It dies while the bridge has a message that is not on its disk.
    anna.say(&assistant(), "one").await;
    let first = account.heard().await;
    assert_eq!((words(&first), waits(&server)), ("one".to_owned(), 1));
    drop(account);
    plugin.kill().await;
    anna.say(&assistant(), "two").await;
    let mut account = plugin.open().await;
    let again = account.heard().await;
    assert_eq!(
        (&again.message_id, words(&again)),
        (&first.message_id, "one".to_owned())
    );
    account.commit(&again).await;
    let second = account.heard().await;
    assert_eq!(words(&second), "two");
    account.commit(&second).await;
    acknowledged(&server).await;
    account.connected().await;

    // It dies when the answer is with WhatsApp and its receipt is not with us.
    let to = second.reply_to.parse().expect("an address");
    let sent = account.sent(plugin.part("run/2", &to, "Two it is.")).await;
    let heard = anna.hears().await;
    assert_eq!(heard.info.id, sent);
    drop(account);
    plugin.kill().await;
    let mut account = plugin.connected().await;
    assert_eq!(account.sent(plugin.part("run/2", &to, "Two it is.")).await, sent);
}
