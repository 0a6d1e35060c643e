//! What WhatsApp says of messages later: told of our own, once, and WhatsApp hears so once the bridge has it.

use gatehouse_proto::channel::v1::{NoticeTopic, ReportState, run_account_response::Message as Said};
use whatsapp_rust::{
    Jid,
    wacore_binary::{Node, builder::NodeBuilder},
};

use crate::{
    bridge::Account,
    messages::scene,
    person::{ANNA, Person},
    plugin::{NUMBER, Plugin, us},
    receipts,
    server::{Order, Whatsapp, hidden},
};

const TEA: &str = "120363000000000001@g.us";

fn anna_lid() -> Jid {
    Jid::lid_device(hidden(ANNA), 1)
}

/// A receipt as WhatsApp tells it.
fn receipt(id: &str, kind: &str, from: &Jid, participant: Option<&Jid>) -> Node {
    let mut node = NodeBuilder::new("receipt")
        .attr("id", id.to_owned())
        .attr("from", from.clone())
        .attr("t", "1750000000");
    if !kind.is_empty() {
        node = node.attr("type", kind.to_owned());
    }
    if let Some(participant) = participant {
        node = node.attr("participant", participant.clone());
    }
    node.build()
}

/// Receipts that WhatsApp still tells us of.
fn unanswered(server: &Whatsapp) -> usize {
    server.with(|state| state.receipts.get(&us()).map_or(0, |receipts| receipts.len()))
}

async fn answered(server: &Whatsapp, account: &mut Account) {
    let none = server.until("the answer to a receipt", |state| {
        let receipts = state.receipts.get(&us());
        receipts.is_none_or(|receipts| receipts.is_empty()).then_some(())
    });
    account.answers_until(none).await;
}

/// A message to Anna that her device has, of which the bridge knows so.
async fn delivered(server: &Whatsapp, plugin: &Plugin, account: &mut Account, anna: &mut Person) -> String {
    let sent = account.sent(plugin.part("run/0", &Jid::pn(ANNA), "hello")).await;
    anna.hears().await;
    let reported = account.reported().await;
    assert_eq!(reported, (sent.clone(), ReportState::Delivered));
    answered(server, account).await;
    sent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_somebody_has_and_has_read_a_message_is_told_by_the_id_of_its_receipt() {
    let (server, plugin, mut account, mut anna) = scene().await;
    let sent = delivered(&server, &plugin, &mut account, &mut anna).await;

    let read = anna
        .client
        .mark_as_read(&Jid::pn(NUMBER), None, &[sent.as_str()])
        .await;
    read.expect("read");

    assert_eq!(account.reported().await, (sent, ReportState::Read));
    answered(&server, &mut account).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatsapp_hears_that_a_receipt_came_once_the_bridge_has_it_and_not_before() {
    let (server, plugin, mut account, mut anna) = scene().await;
    account.holds = true;
    let sent = account.sent(plugin.part("run/1", &Jid::pn(ANNA), "hello")).await;
    anna.hears().await;

    let reported = account.reported().await;
    assert_eq!(reported, (sent.clone(), ReportState::Delivered));
    let second = receipt("3EB0AABBCCDDEEFF001122", "", &anna_lid(), None);
    receipts::tell(&server, &us(), second).await;
    assert_eq!(unanswered(&server), 2, "the bridge does not have the first");
    account.releases(None).await;
    answered(&server, &mut account).await;

    // What the bridge could not keep comes again, and so does what it was told when it went away.
    assert_eq!(account.reported().await.1, ReportState::Delivered);
    account.holds = true;
    let read = receipt(&sent, "read", &anna_lid(), None);
    receipts::tell(&server, &us(), read).await;
    assert_eq!(account.reported().await, (sent.clone(), ReportState::Read));
    account.releases(Some("it could not be written")).await;
    let (reason, for_good) = account.ended().await;
    assert!(reason.contains("could not be written") && !for_good, "{reason}");
    assert_eq!(unanswered(&server), 1);
    let mut account = plugin.open().await;
    account.holds = true;
    assert_eq!(account.reported().await, (sent.clone(), ReportState::Read));
    drop(account);
    let mut account = plugin.open().await;
    assert_eq!(account.reported().await, (sent, ReportState::Read));
    answered(&server, &mut account).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_outlives_the_death_of_the_process_that_had_it() {
    let (server, mut plugin, mut account, mut anna) = scene().await;
    account.holds = true;
    let sent = account.sent(plugin.part("run/1", &Jid::pn(ANNA), "hello")).await;
    anna.hears().await;
    assert_eq!(account.reported().await, (sent.clone(), ReportState::Delivered));

    drop(account);
    plugin.kill().await;
    let mut account = plugin.open().await;

    assert_eq!(account.reported().await, (sent, ReportState::Delivered));
    answered(&server, &mut account).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_group_the_first_who_has_and_who_has_read_a_message_is_told_of_and_nobody_behind() {
    let (server, plugin, mut account, mut anna) = scene().await;
    let tea: Jid = TEA.parse().expect("a group");
    let sent = account.sent(plugin.part("run/1", &tea, "tea?")).await;
    anna.hears().await;
    assert_eq!(account.reported().await, (sent.clone(), ReportState::Delivered));

    let others = ["991", "992", "993"].map(|user| Jid::lid_device(user.to_owned(), 0));
    for other in &others {
        receipts::tell(&server, &us(), receipt(&sent, "", &tea, Some(other))).await;
    }
    let users = others.iter().map(|user| {
        NodeBuilder::new("user")
            .attr("jid", user.clone())
            .attr("t", "1750000000")
            .build()
    });
    let all = NodeBuilder::new("participants")
        .attr("key", sent.clone())
        .children(users.collect::<Vec<_>>());
    let mut read = receipt(&sent, "read", &tea, None);
    read.content = Some(whatsapp_rust::wacore_binary::NodeContent::Nodes(vec![
        all.build(),
    ]));
    receipts::tell(&server, &us(), read).await;
    assert_eq!(account.reported().await, (sent.clone(), ReportState::Read));
    receipts::tell(&server, &us(), receipt(&sent, "read", &tea, Some(&others[1]))).await;
    answered(&server, &mut account).await;

    delivered(&server, &plugin, &mut account, &mut anna).await; // nothing comes between
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_our_other_devices_say_and_what_is_said_of_messages_of_the_phone_is_not_told() {
    let (server, plugin, mut account, mut anna) = scene().await;
    let sent = delivered(&server, &plugin, &mut account, &mut anna).await;
    let (anna_jid, phone) = (anna_lid(), Jid::pn(NUMBER));
    let (tea, hidden_phone) = (TEA.parse().expect("a group"), Jid::lid(hidden(NUMBER)));

    for said in [
        receipt(&sent, "read", &phone, None),
        receipt(&sent, "read", &tea, Some(&hidden_phone)),
        receipt(&sent, "sender", &phone, None),
        receipt(&sent, "read-self", &anna_jid, None),
        receipt(&sent, "played-self", &anna_jid, None),
        receipt(&sent, "server-error", &anna_jid, None),
        receipt("3A5C0D3F9E6B7A812345", "read", &anna_jid, None),
        receipt("AC00112233445566778899AABBCCDDEE", "", &anna_jid, None),
    ] {
        receipts::tell(&server, &us(), said).await;
        answered(&server, &mut account).await;
    }
    receipts::tell(&server, &us(), receipt(&sent, "played", &anna_jid, None)).await;

    assert_eq!(account.reported().await, (sent, ReportState::Read));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_refused_after_it_was_taken_reached_nobody_and_a_person_is_told_why() {
    let (server, plugin, mut account, mut anna) = scene().await;
    let refused = |id: &str| {
        let ack = NodeBuilder::new("ack")
            .attr("class", "message")
            .attr("id", id.to_owned())
            .attr("from", Jid::pn(ANNA))
            .attr("error", "479");
        Order::Say(ack.build())
    };
    let sent = delivered(&server, &plugin, &mut account, &mut anna).await;
    anna.client.disconnect().await;
    let other = account
        .sent(plugin.part("run/2", &Jid::pn(ANNA), "are you there"))
        .await;

    server.tell(&us(), refused("3EB0AABBCCDDEEFF001122")).await; // a reaction, say
    server.tell(&us(), refused(&sent)).await; // one device of hers; another has it
    server.tell(&us(), refused(&other)).await;

    let Some(Said::Notice(notice)) = account.said().await else {
        panic!("nobody is told why");
    };
    assert_eq!(notice.topic(), NoticeTopic::Delivery);
    assert!(notice.text.is_some_and(|text| text.contains("479")));
    assert_eq!(account.reported().await, (other, ReportState::NotDelivered));
}
