//! From a code to an account that stays linked.

use serde_json::json;
use whatsapp_rust::{Jid, store::traits::DeviceStore};

use crate::{
    plugin::{DEVICE, NUMBER, Plugin, credentials},
    server::{Whatsapp, hidden},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_is_linked_by_scanning_a_code_and_stays_so() {
    let server = Whatsapp::start().await;
    let mut plugin = Plugin::start(&server).await;
    let at_once = tempfile::tempdir().expect("a folder");
    server.with(|state| state.copied = Some((plugin.login(1), at_once.path().to_owned())));
    let mut account = plugin.open().await;

    let login = account.login().await;
    assert!(
        login.qr.contains("2@first,") && login.pair_code.is_empty(),
        "{login:?}"
    );
    assert!(
        login.expires_at > 0 && login.how.contains("Linked devices"),
        "{login:?}"
    );
    server.scan(&login.qr, NUMBER).await;
    let notices = account.linked().await;
    assert!(
        matches!(&*notices, [notice] if notice.contains("515")),
        "{notices:?}"
    );

    // WhatsApp heard that it is linked when that was on the disk, whole.
    let store = credentials(at_once.path()).await;
    let written = store.load().await.expect("read").expect("a device");
    assert_eq!(written.pn, Some(Jid::pn_device(NUMBER, DEVICE)));
    assert_eq!(written.lid, Some(Jid::lid_device(hidden(NUMBER), DEVICE)));
    assert!(written.account.is_some() && !written.push_name.is_empty());

    // It stays so: when its stream ends, and when its process is killed. How often it logs in behind 515 is the client's own.
    account.stop().await;
    plugin.connected().await.stop().await;
    plugin.kill().await;
    plugin.connected().await.stop().await;
    assert_eq!(server.with(|state| state.asked_to_link), 1, "no more codes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_with_a_number_is_linked_by_typing_a_code_as_well() {
    let server = Whatsapp::start().await;
    let plugin = Plugin::start(&server).await;
    let mut account = plugin.with(&json!({"phoneNumber": format!("+{NUMBER}")})).await;

    let login = loop {
        let login = account.login().await;
        if !login.qr.is_empty() && !login.pair_code.is_empty() {
            break login;
        }
    };
    assert_eq!(login.pair_code.len(), 9, "{login:?}");
    assert!(login.how.contains("Link with phone number instead"), "{login:?}");
    server.typed(&login.pair_code, NUMBER).await;
    account.linked().await;

    account.stop().await;
    plugin.connected().await.stop().await;
    assert_eq!(server.with(|state| state.asked_to_link), 1, "no more codes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_else_takes_the_credentials_of_an_account_that_is_connected() {
    let server = Whatsapp::start().await;
    let plugin = Plugin::linked(&server).await;
    let mut account = plugin.connected().await;

    let (reason, for_good) = plugin.open().await.ended().await;
    assert!(
        reason.contains("another process of this plugin") && !for_good,
        "{reason}"
    );
    assert_eq!(server.logins(), 1);

    account.probe().await;
}
