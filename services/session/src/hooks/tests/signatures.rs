//! Ways of signing, each with an example that its maker published.

use gatehouse_core::Timestamp;

use super::*;

/// GitHub, "Validating webhook deliveries".
const GITHUB: (&str, &str, &str) = (
    "It's a Secret to Everybody",
    "Hello, World!",
    "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
);

/// Stripe's own test of its libraries.
const STRIPE: (&str, &str, &str) = (
    "webhook_secret",
    include_str!("stripe.json"),
    "t=1533204620,v1=f0bdba6d4eacbd8ad8a3bbadd7248e633ec1477f7899c124c51b39405fa36613,v0=63f3a72374a733066c4be69ed7f8e5ac85c22c9f0a6a612ab9a025a9e4ee7eef",
);
const STRIPE_MS: i64 = 1_533_204_620_000;

/// Slack, "Verifying requests from Slack".
const SLACK: (&str, &str, &str) = (
    "8f742231b10e8888abcd99yyyzzz85a5",
    "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
    "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
);
const SLACK_MS: i64 = 1_531_420_618_000;

fn hooks(signature: Value) -> Value {
    json!({"hooks": {"enabled": true, "token": TOKEN, "mappings": [
        {"match": {"path": "in"}, "deliver": false, "signature": signature},
    ]}})
}

/// A signed request, which shows no token.
fn signed(body: &str, headers: &[(&str, &str)]) -> Sent {
    let mut sent = sent("in", &Value::Null).without("authorization");
    sent.body = body.as_bytes().to_vec();
    headers
        .iter()
        .fold(sent, |sent, (name, value)| sent.with(name, value))
}

/// What a body that is signed and no JSON is answered: it is genuine, and not understood.
const NOT_JSON: u32 = 400;

#[tokio::test]
async fn the_example_of_github_is_genuine_and_nothing_near_it() {
    let (secret, body, signature) = GITHUB;
    let on = Hooked::with(hooks(json!({"profile": "github", "secret": secret})), NOW_MS).await;
    const HEADER: &str = "x-hub-signature-256";

    assert_eq!(
        on.receive(&signed(body, &[(HEADER, signature)])).await.status,
        NOT_JSON
    );
    let loud = signature.replace("sha256=", "").to_uppercase();
    let loud = format!("sha256={loud}");
    assert_eq!(
        on.receive(&signed(body, &[(HEADER, &loud)])).await.status,
        NOT_JSON
    );
    for (why, request) in [
        ("another body", signed("Hello, World?", &[(HEADER, signature)])),
        ("no signature", signed(body, &[])),
        ("an empty one", signed(body, &[(HEADER, "")])),
        ("a short one", signed(body, &[(HEADER, "sha256=7571")])),
        (
            "no digits",
            signed(body, &[(HEADER, &format!("sha256={}", "é".repeat(32)))]),
        ),
        ("the old kind", signed(body, &[("x-hub-signature", signature)])),
        (
            "without its prefix",
            signed(body, &[(HEADER, &signature.replace("sha256=", ""))]),
        ),
        (
            "the token instead",
            signed(body, &[("authorization", "Bearer x")]),
        ),
    ] {
        let answer = on.receive(&request).await;
        assert_eq!((answer.status, answer.guessed), (401, true), "{why}");
    }
    let token = sent("in", &json!({"a": 1}));
    assert_eq!(on.receive(&token).await.status, 404, "the token is no signature");
    let twice = {
        let mut twice = signed(body, &[(HEADER, signature)]);
        twice.head.headers.extend(twice.head.headers.clone());
        twice
    };
    assert_eq!(on.receive(&twice).await.status, 401, "of two, which one?");
}

#[tokio::test]
async fn the_example_of_stripe_is_genuine_for_five_minutes_and_a_repeat_is_the_same_event() {
    let (secret, body, signature) = STRIPE;
    // Stripe's key in the example is shorter than what the document takes, and is not the first thing that is tried.
    let config = hooks(json!({"profile": "stripe", "secret": format!("{secret}__")}));
    let wrong_key = Hooked::with(config, STRIPE_MS).await;
    let request = signed(body, &[("stripe-signature", signature)]);
    assert_eq!(wrong_key.receive(&request).await.status, 401);

    let written = serde_json::from_value(json!({"profile": "stripe", "secret": secret})).unwrap();
    let read = super::super::signature::Signature::read(&written).unwrap();
    let head = super::super::head::Head::from(request.head.clone());
    let verified = |value: &str, now_ms: i64| {
        let head = super::super::head::Head::from(signed(body, &[("stripe-signature", value)]).head);
        let shown = read.shown(&head, Timestamp::from_ms(now_ms))?;
        read.verify(&shown, body.as_bytes())
    };
    let right = read.verify(
        &read.shown(&head, Timestamp::from_ms(STRIPE_MS)).unwrap(),
        body.as_bytes(),
    );
    assert!(right.is_some());
    let rolled = signature.replace(",v1=", &format!(",v1={},v1=", "0".repeat(64)));
    assert_eq!(
        verified(&rolled, STRIPE_MS),
        right,
        "two keys while one is changed, and the same event"
    );
    assert_eq!(verified(signature, STRIPE_MS + 300_000), right);
    for (value, now) in [
        (signature.to_owned(), STRIPE_MS + 301_000),
        (signature.to_owned(), STRIPE_MS - 301_000),
        (signature.replace("t=1533204620", "t=1533204621"), STRIPE_MS),
        (signature.replace("t=1533204620,", ""), STRIPE_MS),
        (format!("t=1533204620,{signature}"), STRIPE_MS),
        (signature.replace("v1=", "v2="), STRIPE_MS),
        (signature.replace("1533204620", "99999999999999999999"), STRIPE_MS),
    ] {
        assert_eq!(verified(&value, now), None, "{value} at {now}");
    }
}

#[tokio::test]
async fn the_example_of_slack_is_genuine_and_its_question_is_answered() {
    let (secret, body, signature) = SLACK;
    let config = hooks(json!({"profile": "slack", "secret": secret}));
    let on = Hooked::with(config.clone(), SLACK_MS).await;
    let request = |time: &str, body: &str, signature: &str| {
        signed(
            body,
            &[
                ("x-slack-request-timestamp", time),
                ("x-slack-signature", signature),
            ],
        )
    };

    assert_eq!(
        on.receive(&request("1531420618", body, signature)).await.status,
        NOT_JSON
    );
    assert_eq!(
        on.receive(&request("1531420619", body, signature)).await.status,
        401
    );
    assert_eq!(on.receive(&request("", body, signature)).await.status, 401);
    let form =
        request("1531420618", body, signature).with("content-type", "application/x-www-form-urlencoded");
    assert_eq!(on.receive(&form).await.status, 202, "a slash command is a form");
    let late = Hooked::with(config.clone(), SLACK_MS + 301_000).await;
    assert_eq!(
        late.receive(&request("1531420618", body, signature)).await.status,
        401
    );

    let question = r#"{"type":"url_verification","challenge":"3eZbrw1a"}"#;
    let signature = sign(secret, &format!("v0:1531420618:{question}"));
    let answer = on
        .receive(&request("1531420618", question, &format!("v0={signature}")))
        .await;
    assert_eq!((answer.status, &*answer.body), (200, b"3eZbrw1a".as_slice()));
}

/// The second case of RFC 4231, with a key that is long enough beside it.
#[tokio::test]
async fn a_header_of_ones_own_is_signed_as_the_configuration_says_and_said_once() {
    assert_eq!(
        sign("Jefe", "what do ya want for nothing?"),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
    let secret = "pL3nR7tY1uJ5kM8c";
    let plain = Hooked::with(hooks(json!({"profile": "hmac", "secret": secret})), NOW_MS).await;
    let body = r#"{"event":"opened"}"#;
    let request = signed(body, &[("x-signature", &sign(secret, body))]);
    let first = plain.told(&request).await;
    assert_eq!(first.0, 202);
    let again = request
        .clone()
        .with("idempotency-key", "another")
        .with("x-delivery", "2");
    assert_eq!(
        plain.told(&again).await,
        first,
        "what is not signed makes no other request of it"
    );

    let timed = json!({
        "profile": "hmac", "secret": secret, "header": "X-Forge-Signature", "prefix": "hmac ", "encoding": "base64",
        "timestampHeader": "X-Forge-Time", "toleranceSeconds": 10,
    });
    let timed = Hooked::with(hooks(timed), NOW_MS).await;
    let now = NOW_MS / 1_000;
    let at = |time: i64| {
        let digits = sign(secret, &format!("{time}.{body}"));
        let bytes = data_encoding::HEXLOWER.decode(digits.as_bytes()).unwrap();
        let value = format!("hmac {}", data_encoding::BASE64.encode(&bytes));
        signed(
            body,
            &[("x-forge-signature", &value), ("x-forge-time", &time.to_string())],
        )
    };
    assert_eq!(timed.receive(&at(now)).await.status, 202);
    assert_eq!(timed.receive(&at(now - 10)).await.status, 202);
    assert_eq!(timed.receive(&at(now - 11)).await.status, 401);
    assert_eq!(
        timed
            .receive(&at(now).with("x-forge-time", &(now - 1).to_string()))
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn a_request_that_was_overheard_and_is_sent_again_takes_no_place_of_a_genuine_one() {
    let secret = "pL3nR7tY1uJ5kM8c";
    let on = Hooked::with(hooks(json!({"profile": "hmac", "secret": secret})), NOW_MS).await;
    let event = |n: u32| {
        let body = format!(r#"{{"event":{n}}}"#);
        signed(&body, &[("x-signature", &sign(secret, &body))])
    };

    let first = on.told(&event(1)).await;
    for _ in 0..700 {
        assert_eq!(
            on.told(&event(1)).await,
            first,
            "more of them than a key may bring in a minute"
        );
    }

    assert_eq!(on.told(&event(2)).await.0, 202);
}

fn sign(secret: &str, text: &str) -> String {
    use hmac::{Hmac, Mac};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    gatehouse_core::hex::encode(&mac.finalize().into_bytes())
}
