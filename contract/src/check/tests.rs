use gatehouse_proto::{broadcast, channel, session};

use crate::{Map, testing::map};

fn check(message: &str, value: &impl prost::Message) -> Result<(), String> {
    let plan = Map::core()
        .message(&format!("gatehouse.{message}"))
        .expect("known");
    plan.check(&value.encode_to_vec())
        .map_err(|error| error.to_string())
}

fn send() -> session::v1::SendChatRequest {
    session::v1::SendChatRequest {
        session_key: "main".to_owned(),
        message: "hi".to_owned(),
        idempotency_key: "k".to_owned(),
        ..Default::default()
    }
}

#[test]
fn a_sound_request_passes() {
    assert_eq!(check("session.v1.SendChatRequest", &send()), Ok(()));
}

#[test]
fn the_bounds_of_json_hold_on_the_wire() {
    let refused = |change: fn(&mut session::v1::SendChatRequest)| {
        let mut request = send();
        change(&mut request);
        check("session.v1.SendChatRequest", &request).unwrap_err()
    };

    assert_eq!(
        refused(|r| r.session_key.clear()),
        "at /sessionKey: must not be empty"
    );
    assert_eq!(
        refused(|r| r.session_key = "x".repeat(513)),
        "at /sessionKey: must be at most 512 bytes long"
    );
    assert_eq!(
        refused(|r| r.timeout_ms = Some(-1)),
        "at /timeoutMs: must be between 0 and 3600000"
    );
    assert_eq!(
        refused(|r| r.agent_id = Some(String::new())),
        "at /agentId: must not be empty"
    );
}

#[test]
fn a_required_message_must_be_there() {
    let report = broadcast::v1::ReportHealthRequest {
        service: None,
        leaving: false,
    };

    assert_eq!(
        check("broadcast.v1.ReportHealthRequest", &report).unwrap_err(),
        "at /service: is required"
    );
}

#[test]
fn raw_json_must_be_json() {
    let list = |archived: &str| session::v1::ListSessionsRequest {
        archived: Some(archived.to_owned()),
        ..Default::default()
    };

    assert_eq!(
        check("session.v1.ListSessionsRequest", &list(" \"all\" ")),
        Ok(())
    );
    let refused = check("session.v1.ListSessionsRequest", &list("tru")).unwrap_err();
    assert_eq!(
        refused,
        "at /archived: not valid JSON: expected a value at byte 0"
    );
    assert!(
        check("session.v1.ListSessionsRequest", &list(&"[".repeat(100_000)))
            .unwrap_err()
            .contains("deeper")
    );
}

#[test]
fn only_fields_that_may_be_null_can_be_named_as_null() {
    let patch = |names: &[&str]| session::v1::PatchSessionRequest {
        key: "main".to_owned(),
        null_fields: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Default::default()
    };

    assert_eq!(
        check(
            "session.v1.PatchSessionRequest",
            &patch(&["label", "thinkingLevel"])
        ),
        Ok(())
    );
    let refused = "at /nullFields/1: expected the JSON name of a field that may be null";
    for wrong in ["key", "nullFields", "thinking_level", ""] {
        assert_eq!(
            check("session.v1.PatchSessionRequest", &patch(&["label", wrong])).unwrap_err(),
            refused
        );
    }
}

#[test]
fn items_are_counted() {
    let roles = |count| session::v1::DeliverMessageRequest {
        channel: "irc".to_owned(),
        account_id: "home".to_owned(),
        message_id: "1".to_owned(),
        sender_id: "x".to_owned(),
        peer: Some(session::v1::Peer::default()),
        reply_target: Some(session::v1::Target::default()),
        roles: vec![String::new(); count],
        ..Default::default()
    };

    assert_eq!(check("session.v1.DeliverMessageRequest", &roles(250)), Ok(()));
    let refused = check("session.v1.DeliverMessageRequest", &roles(251)).unwrap_err();
    assert_eq!(refused, "at /roles: must have at most 250 items");
}

#[test]
fn bytes_have_bounds_too() {
    let webhook = channel::v1::ReceiveWebhookRequest {
        body: vec![0; 1_048_577].into(),
        ..Default::default()
    };

    let refused = check("channel.v1.ReceiveWebhookRequest", &webhook).unwrap_err();

    assert_eq!(refused, "at /body: must be at most 1048576 bytes long");
}

#[test]
fn broken_bytes_are_refused() {
    let plan = Map::core()
        .message("gatehouse.session.v1.SendChatRequest")
        .unwrap();

    let error = plan.check(&[0x0a, 0x05, b'x']).unwrap_err();

    assert_eq!(
        error.to_string(),
        "at root: malformed: the bytes end in the middle of a value"
    );
}

#[test]
fn what_a_later_value_replaced_must_be_readable_all_the_same() {
    let map = map("message Inner { string text = 1; }
         message A {
           optional string word = 1;
           oneof choice { string said = 2; Inner inner = 3; int32 number = 4; }
           map<string, string> table = 5;
           optional Inner joined = 6;
         }
         service S {}");
    let plan = map.message("t.v1.A").unwrap();

    for sound in [
        &b"\x0a\x01a\x0a\x01b"[..],
        b"\x12\x01a\x20\x01",
        b"\x1a\x03\x0a\x01a\x20\x01",
        b"\x2a\x06\x0a\x01a\x0a\x01b",
        b"\x32\x03\x0a\x01a\x32\x03\x0a\x01b",
    ] {
        assert!(plan.check(sound).is_ok(), "{sound:?}");
        let mut broken = sound.to_vec();
        for byte in broken.iter_mut().filter(|byte| **byte == b'a') {
            *byte = 0x80;
        }

        let error = plan.check(&broken).unwrap_err();

        assert!(error.to_string().ends_with("a string is not UTF-8"), "{error}");
    }
    let number_for_text = plan.check(b"\x1a\x02\x08\x01\x20\x01").unwrap_err();
    assert!(
        number_for_text
            .to_string()
            .ends_with("another type than its field"),
        "{number_for_text}"
    );
}
