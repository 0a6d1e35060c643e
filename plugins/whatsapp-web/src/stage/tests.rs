use whatsapp_rust::wacore::{
    net::DisconnectReason,
    types::events::{
        Connected, Disconnected, LoggedOut, PairSuccess, PairingCode, PairingQrCode, PairingQrCodesExhausted,
        StreamReplaced, TempBanReason, TemporaryBan,
    },
};

use super::*;

const NOW: i64 = 1_790_000_000_000;

fn heard(events: &[Event]) -> Stage {
    let mut stage = Stage::default();
    for event in events {
        stage.hear(event, NOW);
    }
    stage
}

fn qr(code: &str) -> Event {
    let code = PairingQrCode::builder().code(code.to_owned());
    Event::PairingQrCode(code.timeout(Duration::from_secs(20)).build())
}

fn out(reason: ConnectFailureReason) -> Event {
    Event::LoggedOut(LoggedOut::builder().on_connect(true).reason(reason).build())
}

fn reason(stage: &Stage) -> (&str, bool) {
    match &stage.over {
        Some(Over::Account { ended, login }) => {
            assert!(ended.for_good, "{ended:?}");
            (&ended.reason, *login)
        }
        other => unreachable!("{other:?}"),
    }
}

#[tokio::test]
async fn a_code_is_shown_with_its_end_and_is_gone_once_the_phone_has_answered() {
    let code = PairingCode::builder().code("ABCD1234".to_owned());
    let code = Event::PairingCode(code.timeout(Duration::from_secs(180)).build());
    let shown = heard(&[qr("2@a"), code, qr("2@b")]);
    let login = shown.login.expect("a code");
    assert_eq!((&*login.qr, &*login.pair_code), ("2@b", "ABCD-1234"));
    assert_eq!(login.expires_at, NOW + 20_000);
    assert!(login.how.contains("Link with phone number instead"));

    let success = PairSuccess::builder()
        .id(whatsapp_rust::Jid::pn("1"))
        .lid(whatsapp_rust::Jid::lid("2"))
        .business_name(String::new())
        .platform(String::new())
        .build();
    let mut linked = heard(&[qr("2@a"), Event::PairSuccess(success)]);
    assert!(
        linked.restarts.is_some() && linked.login.is_none() && !linked.connected,
        "515 comes next"
    );
    linked.hear(&Event::Connected(Connected::builder().build()), NOW);
    assert!(linked.connected && linked.restarts.is_none() && linked.over.is_none());
}

#[tokio::test]
async fn each_end_has_its_own_words_and_next_step() {
    let unlinked = heard(&[out(ConnectFailureReason::LoggedOut)]);
    let (words, login) = reason(&unlinked);
    assert!(
        words.contains("401") && words.contains("channels login whatsapp-web") && login,
        "{words}"
    );

    let locked = heard(&[out(ConnectFailureReason::AccountLocked)]);
    let (words, login) = reason(&locked);
    assert!(
        words.contains("403") && words.contains("on the phone says why") && !login,
        "{words}"
    );

    let replaced = heard(&[Event::StreamReplaced(StreamReplaced::builder().build())]);
    let (words, login) = reason(&replaced);
    assert!(
        words.contains("440") && words.contains("stop the other one") && !login,
        "{words}"
    );

    let ban = TemporaryBan::builder().code(TempBanReason::from(101));
    let ban = ban
        .expire(whatsapp_rust::wacore::chrono::Duration::hours(3))
        .build();
    let banned = heard(&[Event::TemporaryBan(ban)]);
    let (words, login) = reason(&banned);
    assert!(
        words.contains("402") && words.contains("4 hours") && !login,
        "{words}"
    );
}

#[tokio::test]
async fn a_connection_that_breaks_is_no_end_and_used_up_codes_are_none_of_the_account() {
    let broken = Disconnected::builder()
        .reason(DisconnectReason::StreamEnded)
        .build();
    let lost = heard(&[
        Event::Connected(Connected::builder().build()),
        Event::Disconnected(broken),
    ]);
    assert!(!lost.connected && lost.over.is_none() && lost.lost.is_some());

    let used = PairingQrCodesExhausted::builder().disconnected(true).build();
    let used = heard(&[qr("2@a"), Event::PairingQrCodesExhausted(used)]);
    assert_eq!((used.over, used.login), (Some(Over::Codes), None));
}

#[tokio::test(start_paused = true)]
async fn a_code_to_type_holds_on_when_none_is_left_to_scan() {
    let typed = |seconds| {
        let code = PairingCode::builder().code("ABCD1234".to_owned());
        Event::PairingCode(code.timeout(Duration::from_secs(seconds)).build())
    };
    let used = |disconnected| {
        Event::PairingQrCodesExhausted(
            PairingQrCodesExhausted::builder()
                .disconnected(disconnected)
                .build(),
        )
    };
    let mut stage = heard(&[qr("2@a"), typed(180)]);
    tokio::time::advance(Duration::from_secs(160)).await;
    stage.hear(&used(false), NOW + 160_000);

    assert!(stage.scanned_out && stage.over.is_none());
    let login = stage.login.expect("a code");
    assert_eq!(
        (&*login.qr, &*login.pair_code, login.expires_at),
        ("", "ABCD-1234", NOW + 180_000)
    );
    assert!(!login.how.contains("scan"), "{}", login.how);
    assert_eq!(
        heard(&[qr("2@a"), typed(180), used(true)]).over,
        Some(Over::Codes)
    );
    assert_eq!(
        heard(&[qr("2@a"), used(false)]).over,
        Some(Over::Codes),
        "there is none to type"
    );
}
