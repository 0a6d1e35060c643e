use serde_json::json;

use super::*;
use crate::status::LeftOut;

#[test]
fn the_page_names_every_service_and_its_revision() {
    let report: Report = serde_json::from_value(json!({
        "ok": false, "version": "0.1.0", "uptimeMs": 4_000, "connections": 2, "configHash": "abcdef0123456789",
        "services": [
            {"service": "edge", "state": "serving", "configHash": "abcdef0123456789", "uptimeMs": 3_000, "version": "0.1.0"},
            {"service": "agent", "state": "serving", "components": [
                {"name": "configuration", "ok": true, "detail": "a change of gateway.port waits"},
                {"name": "other", "ok": false, "detail": "is told where it belongs"},
            ]},
            {"service": "session", "state": "silent", "uptimeMs": 0, "version": "0.1.0", "detail": "has not reported for 15 s"},
        ],
    }))
    .unwrap();
    let gateway = Gateway {
        url: url::Url::parse("ws://127.0.0.1:1").unwrap(),
        token: None,
        pinned: None,
        no_token: None,
        is_own: true,
        absent: None,
    };

    let page = whole(&report, &gateway, Style::plain());

    for needed in [
        "NOT SERVING",
        "2 connected",
        "edge     serving  abcdef01",
        "session  silent   -",
        "has not reported",
        "a change of gateway.port waits",
    ] {
        assert!(page.contains(needed), "{needed:?} is missing in\n{page}");
    }
}

#[test]
fn an_account_shows_when_it_last_heard_something() {
    let accounts = serde_json::from_value(json!({
        "ts": 100_000,
        "channelAccounts": {"irc": [{"accountId": "home", "state": "connected", "lastInboundAt": 40_000, "outboxCount": 1}]},
    }))
    .unwrap();

    let table = super::channels(&accounts, Style::plain());

    assert!(table.contains("irc/home  connected  60 s ago"), "{table}");
}

#[test]
fn an_account_says_how_many_messages_the_platform_could_not_deliver() {
    for (count, told) in [
        (0, ""),
        (1, "1 message of the last 7 days reached nobody | why"),
        (3, "3 messages of the last 7 days reached nobody | why"),
    ] {
        let account = json!({"accountId": "home", "state": "connected", "notDeliveredCount": count, "notices": ["why"]});
        let account: Account = serde_json::from_value(account).unwrap();
        assert_eq!(account.detail(), if count == 0 { "why" } else { told });
    }
}

#[test]
fn an_account_that_is_kept_out_of_a_room_says_which_why_and_what_to_do() {
    let accounts = serde_json::from_value(json!({
        "ts": 100_000,
        "channelAccounts": {"irc": [{"accountId": "home", "state": "connected", "notices": ["the nick is \"gate_\""], "rooms": [
            {"name": "#in", "state": "joined"},
            {"name": "#quiet", "state": "joined", "reason": "Cannot send (404)"},
            {"name": "#home", "state": "refused", "reason": "Cannot join channel (+b) (474)", "nextStep": "lift the ban"},
        ]}]},
    }))
    .unwrap();

    let table = super::channels(&accounts, Style::plain());

    let detail = "cannot speak in #quiet: Cannot send (404) | not in #home: Cannot join channel (+b) (474); lift the ban | the nick is \"gate_\"";
    assert!(table.contains(detail), "{table}");
    assert!(!table.contains("#in:"), "{table}");
}

#[test]
fn what_programs_may_ask_is_said_with_what_switches_the_rest_on() {
    let style = Style::plain();
    let on = serde_json::json!({"gateway": {"http": {"endpoints": {"chatCompletions": {"enabled": true}}}}});

    let off = endpoints(&serde_json::Value::Null, &LeftOut::default(), style);
    assert!(
        off.contains("/v1/chat/completions, /v1/responses, /v1/embeddings off (`gatehouse config set gateway.http.endpoints.chatCompletions.enabled true`"),
        "{off}"
    );
    let some = endpoints(&on, &LeftOut::default(), style);
    assert!(
        some.contains("/v1/chat/completions on; /v1/responses, /v1/embeddings off"),
        "{some}"
    );
    let left_out = LeftOut::from_iter(["gateway.http".to_owned()]);
    assert_eq!(
        endpoints(&on, &left_out, style),
        "OpenAI-compatible HTTP: off, as gateway.http of the configuration cannot be used (see below)\n"
    );
}

#[test]
fn an_account_is_described_alike_wherever_it_is_listed() {
    let account = serde_json::json!({
        "accountId": "default", "state": "connected", "notices": ["the nick is another one"],
        "rooms": [{"name": "#closed", "state": "refused", "reason": "invited people only"}],
    });

    let told = crate::status::detail_of(account.as_object().unwrap());

    assert_eq!(
        told,
        "not in #closed: invited people only | the nick is another one"
    );
}

#[test]
fn hooks_are_said_to_be_off_or_where_they_are_and_what_opens_them() {
    let style = Style::plain();
    let on = |token: serde_json::Value| serde_json::json!({"hooks": {"enabled": true, "path": "/hooks", "token": token, "mappings": [{}, {}]}});

    let none = LeftOut::default();
    assert!(
        hooks(&serde_json::Value::Null, &none, style)
            .contains("hooks: off (`gatehouse config set hooks.enabled true`")
    );
    let open = hooks(&on("__REDACTED__".into()), &none, style);
    assert_eq!(
        open,
        "hooks: on at /hooks, 2 mappings, with a token of their own\n"
    );
    let signed = hooks(&on(serde_json::Value::Null), &none, style);
    assert!(signed.contains("only mappings with a signature"), "{signed}");
}

#[test]
fn hooks_that_are_left_out_are_not_said_to_be_on() {
    let config =
        serde_json::json!({"hooks": {"enabled": true, "path": "/hooks", "token": "x", "mappings": [{}, {}]}});
    let told = |left_out: &str| {
        hooks(
            &config,
            &LeftOut::from_iter([left_out.to_owned()]),
            Style::plain(),
        )
    };

    assert_eq!(
        told("hooks"),
        "hooks: off, as hooks of the configuration cannot be used (see below)\n"
    );
    assert_eq!(
        told("hooks.mappings[1]"),
        "hooks: on at /hooks, 1 mapping (1 more cannot be used, see below), with a token of their own\n"
    );
}

#[test]
fn whether_the_network_is_told_is_said_as_the_start_decided_it() {
    use crate::start::Start;

    let style = Style::plain();
    let mut start = Start::begun(1_800_000_000_000);
    assert_eq!(discovery(&start, None, style), "");
    let last = start.steps.last_mut().unwrap();
    last.told = "2 jobs; the network is told of this gateway".to_owned();

    assert_eq!(
        discovery(&start, None, style),
        "discovery: the network is told of this gateway\n"
    );
    let failing = crate::control::Failing {
        service: "discovery".to_owned(),
        why: "ended with code 1".to_owned(),
        ..Default::default()
    };
    let ends = discovery(&start, Some(&failing), style);
    assert!(ends.contains("keeps ending; it ended with code 1"), "{ends}");
}
