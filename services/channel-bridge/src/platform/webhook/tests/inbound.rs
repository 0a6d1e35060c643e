//! Requests of the platform: what is believed, what is taken, what is refused.

use super::*;
use crate::adapter::{Origin, ParentChat};

#[tokio::test]
async fn a_signed_message_is_committed_and_a_replay_is_said_to_be_one() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let account = posted();
    let request = signed(&body("m1", "hi"));

    let first = account.post(request.clone()).await;
    let replay = account.post(request).await;

    let json = |answer: &HttpAnswer| serde_json::from_str::<Value>(&answer.body).unwrap();
    assert_eq!(
        (first.status, json(&first)),
        (202, json!({"accepted": true, "duplicate": false}))
    );
    assert_eq!(
        (replay.status, json(&replay)),
        (202, json!({"accepted": true, "duplicate": true}))
    );
    let heard = account.bench.heard.messages.lock().unwrap().clone();
    assert_eq!(heard.len(), 1);
    assert_eq!(
        (heard[0].chat_kind, heard[0].sender_id.as_str()),
        (ChatKind::Direct, "anna")
    );
}

#[tokio::test]
async fn the_signature_is_checked_before_the_body_is_read() {
    let account = posted();
    let mut request = signed("not json at all");
    assert_eq!(
        account.post(request.clone()).await.status,
        400,
        "signed, so it is read"
    );

    request.head.headers.clear();
    assert_eq!(
        account.post(request).await.status,
        401,
        "not signed, so nobody learns that it is no JSON"
    );
    let mut doubled = signed(&body("1", "x"));
    doubled
        .head
        .headers
        .push((signature::SIGNATURE.into(), "sha256=00".into()));
    assert_eq!(account.post(doubled).await.status, 401);
    let mut changed = signed(&body("1", "x"));
    changed.body = body("2", "x").into();
    assert_eq!(account.post(changed).await.status, 401);
    assert!(account.bench.heard.texts().is_empty());
}

#[tokio::test]
async fn what_is_no_message_is_refused_by_name() {
    let account = posted();
    let large = "x".repeat(64 * 1024 + 1);
    let long_id = body(&"i".repeat(513), "x");
    let no_kind = json!({"id": "1", "from": {"id": "a"}, "chat": {"id": "c"}, "text": "x"}).to_string();
    for (request, status) in [
        (signed(&large), 413),
        (signed(&long_id), 400),
        (signed(&body("", "x")), 400),
        (signed(&no_kind), 400),
        (signed("[]"), 400),
        (with(signed("{}"), |head| head.method = "GET".into()), 405),
        (
            with(signed("{}"), |head| {
                head.headers.push(("content-type".into(), "text/plain".into()))
            }),
            415,
        ),
    ] {
        let answer = account.post(request).await;
        assert_eq!(answer.status, status, "{}", answer.body);
        assert!(answer.body.contains("\"accepted\":false"));
    }
    assert!(account.bench.heard.texts().is_empty());
}

#[tokio::test]
async fn a_guesser_waits_and_the_platform_does_not() {
    let account = posted();
    let guess = with(signed("{}"), |head| {
        head.headers.clear();
        head.peer = "203.0.113.9".into();
    });
    for _ in 0..10 {
        assert_eq!(account.post(guess.clone()).await.status, 401);
    }

    let answer = account.post(guess).await;

    assert_eq!(answer.status, 429);
    assert!(answer.retry_after.is_some());
    assert_eq!(account.post(signed(&body("1", "x"))).await.status, 202);
    let behind_the_same_tunnel = with(signed(&body("2", "x")), |head| head.peer = "203.0.113.9".into());
    assert_eq!(account.post(behind_the_same_tunnel).await.status, 202);
}

fn with(mut request: HttpRequest, change: impl FnOnce(&mut HttpHead)) -> HttpRequest {
    change(&mut request.head);
    request
}

#[tokio::test]
async fn a_head_that_cannot_be_right_is_refused_without_its_body() {
    let account = posted();
    let good = signed(&body("1", "x"));
    let typed = |kind: &str| {
        let kind = kind.to_owned();
        with(good.clone(), |head| {
            head.headers.push(("content-type".into(), kind))
        })
    };

    assert_eq!(account.inspect(&good), Ok(64 * 1024));
    assert_eq!(
        account.inspect(&typed("application/json; charset=utf-8")),
        Ok(64 * 1024)
    );
    assert_eq!(account.inspect(&typed("text/plain")), Err(415));
    assert_eq!(
        account.inspect(&with(good.clone(), |head| head.method = "PUT".into())),
        Err(405)
    );
    assert_eq!(
        account.inspect(&with(good.clone(), |head| head.headers.clear())),
        Err(401)
    );
    let stale = with(good.clone(), |head| head.headers[0].1 = "1".into());
    assert_eq!(account.inspect(&stale), Err(401));
    for _ in 0..10 {
        account.inspect(&stale).unwrap_err();
    }
    assert_eq!(account.inspect(&stale), Err(429));
    assert_eq!(
        account.inspect(&good),
        Ok(64 * 1024),
        "a good head passes whoever else guessed there"
    );
    let large = posted_to(&json!({"secret": SECRET, "maxBodyBytes": 500_000}));
    assert_eq!(large.inspect(&good), Ok(500_000));
}

#[tokio::test]
async fn a_signed_request_is_good_for_its_account_and_direction_only() {
    let account = posted();
    let (own, other) = (key("a"), key("b"));
    let good = scope(&own);
    let message = body("1", "x");

    for bad in [
        Scope {
            account: &other,
            target: "/webhooks/webhook/b",
            ..good
        },
        Scope {
            account: &other,
            ..good
        },
        Scope {
            target: "/webhooks/webhook/b",
            ..good
        },
        Scope {
            direction: Direction::Outbound,
            ..good
        },
        Scope {
            method: "PUT",
            ..good
        },
    ] {
        assert_eq!(
            account.post(signed_for(bad, &message)).await.status,
            401,
            "{bad:?}"
        );
    }
    let asked_otherwise = with(signed(&message), |head| head.target.push_str("?debug=1"));
    assert_eq!(account.post(asked_otherwise).await.status, 401);
    assert!(account.bench.heard.texts().is_empty());
    assert_eq!(account.post(signed(&message)).await.status, 202);
}

#[tokio::test]
async fn the_old_signature_is_taken_with_a_warning_until_it_is_turned_off() {
    let account = posted();
    assert_eq!(account.post(signed(&body("1", "x"))).await.status, 202);
    assert_eq!(account.bench.progress.snapshot().warning, None);

    assert_eq!(account.post(signed_v1(&body("2", "x"))).await.status, 202);

    let warning = account.bench.progress.snapshot().warning.unwrap();
    assert!(
        warning.contains(signature::SIGNATURE) && warning.contains("legacySignature"),
        "{warning}"
    );
    let strict = posted_to(&json!({"secret": SECRET, "legacySignature": false}));
    let refused = strict.post(signed_v1(&body("3", "x"))).await;
    assert_eq!(refused.status, 401);
    assert!(refused.body.contains(signature::SIGNATURE), "{}", refused.body);
}

#[tokio::test]
async fn what_a_chat_belongs_to_and_the_senders_roles_come_in_with_the_message() {
    let account = posted();
    let body = json!({"id": "m1", "from": {"id": "anna", "roles": ["admin", "7"]}, "text": "x", "threadId": "t",
        "chat": {"id": "thread", "kind": "channel", "parent": {"id": "forum", "kind": "channel"},
            "guildId": "guild", "teamId": "team"}});
    let many: Vec<String> = (0..251).map(|n| n.to_string()).collect();
    let mut too_many = body.clone();
    too_many["from"]["roles"] = json!(many);
    let mut blank = body.clone();
    blank["chat"]["guildId"] = json!("");

    assert_eq!(account.post(signed(&body.to_string())).await.status, 202);
    assert_eq!(account.post(signed(&too_many.to_string())).await.status, 400);
    assert_eq!(account.post(signed(&blank.to_string())).await.status, 400);

    let heard = account.bench.heard.messages.lock().unwrap().clone();
    assert_eq!(heard.len(), 1);
    assert_eq!(
        heard[0].origin,
        Origin {
            parent: Some(ParentChat {
                kind: ChatKind::Channel,
                id: "forum".into(),
            }),
            guild_id: Some("guild".into()),
            team_id: Some("team".into()),
            roles: vec!["admin".into(), "7".into()],
        }
    );
}
