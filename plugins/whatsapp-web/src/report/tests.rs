use whatsapp_rust::{
    Jid,
    wacore::{time::now_utc, types::message::MessageSource},
};

use super::*;

fn jid(text: &str) -> Jid {
    text.parse().expect("an id")
}

fn me() -> Me {
    Me {
        number: Some(jid("15559999:4@s.whatsapp.net")),
        hidden: Some(jid("424242:4@lid")),
    }
}

fn said(kind: ReceiptType, chat: &str, sender: &str) -> Option<ReportState> {
    let source = MessageSource {
        chat: jid(chat),
        sender: jid(sender),
        ..MessageSource::default()
    };
    let receipt = Receipt::builder()
        .source(source)
        .message_ids(vec!["3EB0AA".to_owned()])
        .timestamp(now_utc())
        .r#type(kind)
        .offline(false)
        .build();
    read(&receipt, &me()).map(|(state, _)| state)
}

const ANNA: &str = "998877:3@lid";
const TEA: &str = "1203630001@g.us";

#[test]
fn somebody_who_has_or_has_read_a_message_is_told_of_and_so_is_a_device_that_cannot_take_it() {
    for (kind, state) in [
        (ReceiptType::Delivered, ReportState::Delivered),
        (ReceiptType::Inactive, ReportState::Delivered),
        (ReceiptType::Read, ReportState::Read),
        (ReceiptType::Played, ReportState::Read),
    ] {
        assert_eq!(said(kind.clone(), ANNA, ANNA), Some(state), "{kind:?}");
        assert_eq!(said(kind.clone(), TEA, ANNA), Some(state), "{kind:?} in a group");
    }
    assert_eq!(
        said(ReceiptType::Sent, ANNA, ANNA),
        Some(ReportState::NotDelivered)
    );
    assert_eq!(said(ReceiptType::Sent, TEA, ANNA), None, "the others may have it");
}

#[test]
fn what_devices_of_one_account_tell_each_other_is_passed_over() {
    for kind in [
        ReceiptType::Sender,
        ReceiptType::ReadSelf,
        ReceiptType::PlayedSelf,
        ReceiptType::PeerMsg,
        ReceiptType::HistorySync,
        ReceiptType::ServerError,
        ReceiptType::Retry,
        ReceiptType::EncRekeyRetry,
        ReceiptType::Other("view".to_owned()),
    ] {
        assert_eq!(said(kind.clone(), ANNA, ANNA), None, "{kind:?}");
    }
    for own in [
        "15559999@s.whatsapp.net",
        "15559999:9@s.whatsapp.net",
        "424242:9@lid",
    ] {
        assert_eq!(said(ReceiptType::Delivered, own, own), None, "{own}");
        assert_eq!(said(ReceiptType::Read, TEA, own), None, "{own} in a group");
    }
    assert_eq!(said(ReceiptType::Read, "status@broadcast", ANNA), None);
    assert_eq!(said(ReceiptType::Read, "1@newsletter", "1@newsletter"), None);
}

#[tokio::test(start_paused = true)]
async fn what_leaves_behind_a_report_waits_for_the_bridge_and_does_not_leave_when_it_is_not_taken() {
    let missed = watch::Sender::new(None);
    let reports = Reports::new(missed.clone());
    reports.kept().await.expect("nothing was heard");

    reports.refused("3EB0AA", "479");
    let early = time::timeout(Duration::from_secs(10), reports.kept()).await;
    assert!(early.is_err(), "the bridge does not have it");
    let told = reports.next().await;
    assert_eq!(
        (&*told[0].id, told[0].state),
        ("3EB0AA", ReportState::NotDelivered)
    );
    let kept = reports.waiting().kept(told);
    reports.kept.send_replace(kept);
    reports.kept().await.expect("the bridge has it");

    reports.refused("3EB0BB", "479");
    missed.send_replace(Some("the inbox is full".to_owned()));
    assert_eq!(reports.kept().await, Err("the inbox is full".to_owned()));
}
