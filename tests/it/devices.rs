//! Devices and named users against a whole gateway: what one process decides is what another lets in, and what is taken away is gone.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use futures::future::join_all;
use gatehouse_core::Clock;
use gatehouse_tests::{Client, Gateway, socket::Refusal, until};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::ALL;

/// Devices that come with one code at the same moment.
const RACERS: u8 = 8;

struct Device(Ed25519KeyPair);

impl Device {
    fn new(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a seed of the right length"))
    }

    fn id(&self) -> String {
        HEXLOWER.encode(&Sha256::digest(self.0.public_key()))
    }

    /// What it says in a handshake, signed for this challenge.
    fn says(&self, auth: &Value, scopes: &[&str], nonce: &str) -> Value {
        let at = Clock::system().now_ms();
        let shown = ["token", "deviceToken", "bootstrapToken"];
        let shown = shown.into_iter().find_map(|key| auth[key].as_str());
        let signed = format!(
            "v3|{}|tests|ui|operator|{}|{at}|{}|{nonce}|linux|",
            self.id(),
            scopes.join(","),
            shown.unwrap_or_default(),
        );
        json!({
            "minProtocol": 4, "maxProtocol": 4, "role": "operator", "scopes": scopes, "auth": auth,
            "client": {"id": "tests", "version": "1", "platform": "linux", "mode": "ui"},
            "device": {"id": self.id(), "publicKey": BASE64URL_NOPAD.encode(self.0.public_key().as_ref()), "signedAt": at,
                "nonce": nonce, "signature": BASE64URL_NOPAD.encode(self.0.sign(signed.as_bytes()).as_ref())},
        })
    }

    async fn connect(&self, gateway: &Gateway, auth: Value, scopes: &[&str]) -> Result<Client, Refusal> {
        let (mut client, nonce) = challenged(gateway).await;
        client.hello = client.call("connect", self.says(&auth, scopes, &nonce)).await?;
        Ok(client)
    }
}

async fn challenged(gateway: &Gateway) -> (Client, String) {
    let client = Client::open(&gateway.url()).await.expect("a socket");
    let challenge = client.event("connect.challenge", |_| true).await;
    let nonce = challenge["nonce"].as_str().expect("a nonce").to_owned();
    (client, nonce)
}

fn code(refused: Result<Client, Refusal>) -> String {
    let refusal = refused.expect_err("a refusal");
    refusal.details["code"].as_str().unwrap_or_default().to_owned()
}

/// What a plain script is told that shows this token.
async fn script(gateway: &Gateway, token: &str) -> Result<Client, String> {
    let client = Client::open(&gateway.url()).await?;
    client
        .send(&json!({"method": "connect", "params": {"token": token}}))
        .await?;
    let answer = client
        .first(|frame| frame["type"] == "hello-ok" || frame.get("error").is_some())
        .await?;
    (answer["type"] == "hello-ok")
        .then_some(client)
        .ok_or_else(|| answer["error"]["details"]["code"].to_string())
}

/// The same once the edge has heard of a token that was just made.
async fn script_soon(gateway: &Gateway, token: &Value) -> Client {
    let token = token.as_str().expect("a token");
    until("the edge knows the token", async || {
        script(gateway, token).await.ok()
    })
    .await
}

/// Waits until a connection is closed because what opened it is gone: a second, and two for a machine that is busy with other tests.
async fn closed(client: &Client, since: Instant) {
    until("the close", async || client.close()).await;
    assert_eq!(client.close().map(|(code, _)| code), Some(4001));
    assert!(since.elapsed().as_secs() < 3, "{:?}", since.elapsed());
}

#[tokio::test]
async fn a_setup_code_lets_in_one_device_however_many_come_with_it_at_the_same_moment() {
    let gateway = Gateway::start(&json!({})).await;
    let operator = Client::v4(&gateway, ALL).await;
    let made = operator
        .call(
            "device.pair.setupCode",
            json!({"publicUrl": "ws://gateway.example"}),
        )
        .await
        .expect("a code");
    let told = BASE64URL_NOPAD
        .decode(made["setupCode"].as_str().expect("a text").as_bytes())
        .expect("base64");
    let told: Value = serde_json::from_slice(&told).expect("JSON");
    assert!(
        !told.to_string().contains(gateway.token()),
        "what lasts is not in it"
    );
    let auth = json!({"bootstrapToken": told["bootstrapToken"]});

    let devices: Vec<_> = (1..=RACERS).map(Device::new).collect();
    let came = join_all(
        devices
            .iter()
            .map(|device| device.connect(&gateway, auth.clone(), &["operator.read"])),
    )
    .await;

    let (paired, refused): (Vec<_>, Vec<_>) = came.into_iter().partition(Result::is_ok);
    assert_eq!(paired.len(), 1);
    for refused in refused {
        assert_eq!(code(refused), "AUTH_BOOTSTRAP_TOKEN_INVALID");
    }
    let list = operator
        .call("device.pair.list", json!({}))
        .await
        .expect("a list");
    assert_eq!(list["paired"].as_array().map(Vec::len), Some(1), "{list}");
    assert!(list["paired"][0]["lastSeenAtMs"].is_i64(), "it is here: {list}");
    assert_eq!(told["url"], "ws://gateway.example");
    let late = Device::new(RACERS + 1).connect(&gateway, auth, &[]).await;
    assert_eq!(code(late), "AUTH_BOOTSTRAP_TOKEN_INVALID");
}

#[tokio::test]
async fn a_device_gets_what_somebody_approved_who_holds_it_and_by_no_other_way_more() {
    let asking = json!({"gateway": {"nodes": {"pairing": {"autoApproveLocal": false}}}});
    let gateway = Gateway::start(&asking).await;
    let operator = Client::v4(&gateway, ALL).await;
    let lesser = Client::v4(&gateway, &["operator.read", "operator.pairing"]).await;
    let (device, shared) = (Device::new(1), json!({"token": gateway.token()}));

    // Asked for, heard of, and approved once.
    let waits = device.connect(&gateway, shared.clone(), &["operator.read", "operator.pairing"]);
    let refusal = waits.await.expect_err("it waits");
    assert_eq!(refusal.code, "NOT_PAIRED");
    let request = json!({"requestId": refusal.details["requestId"]});
    let asked = operator.event("device.pair.requested", |_| true).await;
    assert_eq!(asked["deviceId"], device.id());
    let both = [&operator, &operator].map(|who| who.call("device.pair.approve", request.clone()));
    let approved = join_all(both).await;
    assert_eq!(
        approved.iter().filter(|answer| answer.is_ok()).count(),
        1,
        "{approved:?}"
    );
    let resolved = operator.event("device.pair.resolved", |_| true).await;
    assert_eq!(resolved["decision"], "approved");

    let first = device.connect(&gateway, shared.clone(), &["operator.read", "operator.pairing"]);
    let first = first.await.expect("a hello");
    let own = json!({"deviceToken": first.hello["auth"]["deviceToken"]});

    // By its own token, by making another one, by approving what it asks for itself: no more.
    let more = ["operator.read", "operator.admin"];
    assert_eq!(
        code(device.connect(&gateway, own.clone(), &more).await),
        "AUTH_SCOPE_MISMATCH"
    );
    let rotate = json!({"deviceId": device.id(), "role": "operator", "scopes": more});
    let refusal = first.call("device.token.rotate", rotate).await.unwrap_err();
    assert_eq!(refusal.details["reason"], "SCOPES_NOT_APPROVED", "{refusal:?}");
    let refusal = device.connect(&gateway, shared.clone(), &more).await.unwrap_err();
    assert_eq!(refusal.details["reason"], "scope-upgrade", "{refusal:?}");
    let upgrade = json!({"requestId": refusal.details["requestId"]});
    for who in [&first, &lesser] {
        let decided = who.call("device.pair.approve", upgrade.clone()).await;
        // The lesser one came with the gateway token, which could do it: but nobody gives away what he did not ask for.
        assert_eq!(decided.unwrap_err().code, "FORBIDDEN");
    }
    // Nor by another's token, or with its own by another.
    let other = Device::new(2);
    assert_eq!(
        code(other.connect(&gateway, own.clone(), &[]).await),
        "AUTH_DEVICE_TOKEN_MISMATCH"
    );
    let by_upgrade = script(&gateway, own["deviceToken"].as_str().unwrap()).await;
    assert_eq!(by_upgrade.unwrap_err(), r#""AUTH_DEVICE_TOKEN_MISMATCH""#);

    // Taken away: all its connections, whatever they came with, and its token.
    let by_own = device
        .connect(&gateway, own.clone(), &["operator.read"])
        .await
        .expect("a hello");
    let began = Instant::now();
    let revoke = json!({"deviceId": device.id(), "role": "operator"});
    operator
        .call("device.token.revoke", revoke)
        .await
        .expect("revoked");
    closed(&first, began).await;
    closed(&by_own, began).await;
    assert_eq!(
        code(device.connect(&gateway, own, &["operator.read"]).await),
        "AUTH_DEVICE_TOKEN_MISMATCH"
    );
    assert!(operator.close().is_none());
}

#[tokio::test]
async fn a_handshake_that_somebody_recorded_opens_nothing_after_a_restart() {
    let gateway = Gateway::start(&json!({})).await;
    let device = Device::new(1);
    let (client, nonce) = challenged(&gateway).await;
    let said = device.says(&json!({"token": gateway.token()}), &["operator.read"], &nonce);
    client.call("connect", said.clone()).await.expect("a hello");
    drop(client);

    let gateway = gateway.restart().await;
    let (client, _) = challenged(&gateway).await;
    let refusal = client.call("connect", said).await.unwrap_err();

    assert_eq!(
        refusal.details["code"], "DEVICE_AUTH_NONCE_MISMATCH",
        "{refusal:?}"
    );
}

#[tokio::test]
async fn a_named_user_may_what_the_token_says_ends_with_it_and_is_nobody_else_later() {
    let gateway = Gateway::start(&json!({})).await;
    let operator = Client::v4(&gateway, ALL).await;
    let add = |scopes: Value, again: Option<bool>| {
        let mut params = json!({"id": "ann", "displayName": "Ann", "scopes": scopes});
        if let Some(again) = again {
            params["again"] = again.into();
        }
        operator.call("users.create", params)
    };
    let both = json!(["operator.read", "operator.write"]);
    let made = add(both.clone(), None).await.expect("a user");
    let ann = script_soon(&gateway, &made["token"]).await;
    let session = ann
        .call(
            "sessions.create",
            json!({"agentId": "main", "label": "Ann's own"}),
        )
        .await
        .expect("a session");
    let refusal = ann.call("users.list", json!({})).await;
    assert!(refusal.is_ok(), "who is there may be read: {refusal:?}");
    for (method, params) in [
        ("users.create", json!({"id": "bob", "scopes": []})),
        (
            "users.token.create",
            json!({"userId": "ann", "scopes": ["operator.admin"]}),
        ),
        ("gateway.token.rotate", json!({})),
    ] {
        let refusal = ann.call(method, params).await.unwrap_err();
        assert_eq!(refusal.code, "FORBIDDEN", "{method}: {refusal:?}");
    }
    // A page on a wall reads, and gets no more by asking for it or by pairing a device.
    let wall = json!({"userId": "ann", "scopes": ["operator.read"]});
    let wall = operator.call("users.token.create", wall).await.expect("a token");
    let auth = json!({"token": wall["token"]});
    let paired = until("the edge knows the token", async || {
        let asked = ["operator.read", "operator.write"];
        let paired = Device::new(3).connect(&gateway, auth.clone(), &asked).await;
        paired.ok()
    })
    .await;
    assert_eq!(paired.hello["auth"]["scopes"], json!(["operator.read"]));

    let began = Instant::now();
    operator
        .call("users.remove", json!({"userId": "ann"}))
        .await
        .expect("removed");
    closed(&ann, began).await;
    closed(&paired, began).await;

    let refusal = add(both.clone(), None).await.unwrap_err();
    assert_eq!(refusal.details["reason"], "USER_WAS_REMOVED", "{refusal:?}");
    let made = add(both, Some(true)).await.expect("the same person");
    let ann = script_soon(&gateway, &made["token"]).await;
    let list = ann.call("sessions.list", json!({})).await.expect("a list");
    assert!(
        list.to_string().contains(session["key"].as_str().unwrap()),
        "{list}"
    );
}
