use serde_json::json;

use url::Url;

use super::*;
use crate::gateway::Absent;

fn refusal(code: &str, message: &str, details: serde_json::Value) -> Refusal {
    Refusal {
        code: code.into(),
        message: message.into(),
        details,
        retryable: false,
        retry_after_ms: None,
    }
}

fn gateway() -> Gateway {
    Gateway {
        url: Url::parse("ws://127.0.0.1:1").unwrap(),
        token: None,
        pinned: None,
        no_token: Some("give one with --token".into()),
        is_own: false,
        absent: None,
    }
}

#[test]
fn a_silent_port_says_how_to_start_a_gateway() {
    let error = tungstenite::Error::Io(std::io::ErrorKind::ConnectionRefused.into());

    let failed = unreachable(&gateway(), &error);
    let in_a_home = Gateway {
        absent: Some(Absent {
            what: "/srv/data (in this folder)".into(),
            next: "start it with `gatehouse up -d --home /srv/data`".into(),
        }),
        ..gateway()
    };
    let of_a_home = unreachable(&in_a_home, &error);

    assert_eq!(failed.exit, Exit::Unavailable);
    assert!(failed.to_string().contains("gatehouse up"), "{failed}");
    assert!(of_a_home.to_string().contains("--home /srv/data"), "{of_a_home}");
}

#[test]
fn a_wrong_token_says_where_the_right_one_is() {
    let wrong = refusal(
        "INVALID_REQUEST",
        "unauthorized",
        json!({"code": "AUTH_TOKEN_MISMATCH"}),
    );

    let failed = handshake_refused(&wrong, &gateway());

    assert_eq!(failed.exit, Exit::Refused);
    assert!(failed.to_string().contains("--token"), "{failed}");
}

#[test]
fn a_typing_error_in_a_method_names_the_nearest_one() {
    let failed = refused(
        "sesions.list",
        &refusal("INVALID_REQUEST", "unknown method: sesions.list", json!({})),
    );

    assert!(
        failed.to_string().contains("did you mean sessions.list?"),
        "{failed}"
    );
}

#[test]
fn a_word_alone_is_looked_for_in_the_parts_of_names() {
    for (typed, meant) in [
        ("session.list", "sessions.list"),
        ("history", "chat.history"),
        ("chat_send", "chat.send"),
        ("Health", "health"),
    ] {
        assert_eq!(nearest(typed), Some(meant), "{typed}");
    }
    assert_eq!(nearest("zzz"), None);
}

#[test]
fn a_missing_scope_says_where_it_is_granted() {
    let details = json!({"code": "MISSING_SCOPE", "missingScope": "operator.admin"});

    let failed = refused(
        "config.patch",
        &refusal("FORBIDDEN", "missing scope: operator.admin", details),
    );

    assert_eq!(failed.exit, Exit::Refused);
    assert!(
        failed.to_string().contains("gateway.auth.tokenScopes"),
        "{failed}"
    );
    for (whose, step) in [
        (
            json!({"missingScope": "operator.admin", "userId": "ann"}),
            "users token ann --scope operator.admin",
        ),
        (
            json!({"missingScope": "operator.admin", "deviceId": "d1"}),
            "devices approve",
        ),
    ] {
        let failed = refused("config.patch", &refusal("FORBIDDEN", "missing scope", whose));

        assert!(failed.to_string().contains(step), "{failed}");
        assert!(!failed.to_string().contains("tokenScopes"), "{failed}");
    }
}

#[test]
fn a_command_that_needs_more_than_the_token_holds_says_what_to_do_instead() {
    let details = json!({"reason": "missing-scope"});
    let message = "beginning a conversation anew needs scope operator.admin";

    let failed = refused("chat.send", &refusal("FORBIDDEN", message, details));

    assert_eq!(failed.exit, Exit::Refused);
    assert!(failed.to_string().contains("/new"), "{failed}");
}

#[test]
fn what_a_node_refused_is_a_failure_and_a_node_that_is_away_is_tried_again() {
    let told = |code: &str, retryable: bool| Refusal {
        retryable,
        ..refusal(
            "UNAVAILABLE",
            &format!("{code}: why"),
            json!({"nodeError": {"code": code, "message": "why"}}),
        )
    };

    let denied = refused("node.invoke", &told("SYSTEM_RUN_DENIED", false));
    let away = refused("node.invoke", &told("NOT_CONNECTED", true));

    assert_eq!((denied.exit, denied.next), (Exit::Failed, None));
    assert_eq!(away.exit, Exit::Unavailable);
    assert!(away.next.unwrap().contains("try again"));
}

#[test]
fn a_refusal_cannot_command_the_terminal() {
    let failed = refused("health", &refusal("INVALID_REQUEST", "\x1b[2Jgone", json!({})));

    assert!(!failed.to_string().contains('\x1b'));
}
