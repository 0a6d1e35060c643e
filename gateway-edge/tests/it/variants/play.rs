//! Plays a variant against an edge of its own, and says what came of it.

use std::{collections::BTreeMap, time::Duration};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use futures::{SinkExt, StreamExt};
use gatehouse_core::Clock;
use gatehouse_edge::Limits;
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

use super::{Hello, Key, Outcome, Said, Shown, State, Step};
use crate::{
    client::v4,
    device::Device,
    gateway::{Deciding, Gateway, TOKEN, revision, token_of},
};

const PATIENCE: Duration = Duration::from_secs(10);

/// A refusal is followed by its close at once; who has been let in stays.
const CLOSE_WITHIN: Duration = Duration::from_millis(300);

/// More than a first frame may have.
const LARGE_BYTES: usize = 70_000;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Who plays.
struct Player {
    gateway: Gateway,
    own: Device,
    other: Device,
}

pub(super) async fn play(index: u8, said: &Said) -> Outcome {
    let (gateway, seed) = (gateway(said).await, index.wrapping_mul(2));
    let player = Player {
        gateway,
        own: Device::new(seed),
        other: Device::new(seed.wrapping_add(1)),
    };
    for step in &said.before {
        let (_, answer, _) = player
            .shake(step, &BTreeMap::new(), None)
            .await
            .expect("an upgrade");
        let answer = answer.expect("an answer");
        assert_eq!(answer["ok"], true, "{answer}");
    }
    if let Some(reason) = &said.waits {
        let reasons = ["not-paired", "role-upgrade", "scope-upgrade", "metadata-upgrade"];
        let reason = reasons.into_iter().find(|known| known == reason);
        player.gateway.decides(Deciding::Waits(reason.expect("a reason")));
    }
    for _ in 1..said.guesses {
        drop(player.shake(&said.step, &said.headers, None).await);
    }
    let shaken = player.shake(&said.step, &said.headers, said.state).await;
    let (mut socket, mut answer, frame) = match shaken {
        Ok(shaken) => shaken,
        Err(status) => {
            return Outcome {
                http: Some(status),
                ..Outcome::default()
            };
        }
    };
    if said.again {
        answer = ask(&mut socket, frame).await;
    }
    outcome(&mut socket, answer.as_ref()).await
}

async fn gateway(said: &Said) -> Gateway {
    let document = merged(&json!({}), &json!({"gateway": said.gateway})).to_string();
    let first = (said.state != Some(State::Starting)).then(|| revision(&document, TOKEN));
    let handshake_max = match said.state {
        Some(State::Silent) => Duration::from_millis(100),
        Some(State::Starting | State::Draining) | None => Limits::default().handshake_max,
    };
    let limits = Limits {
        handshake_max,
        ..Limits::default()
    };
    Gateway::with(limits, first).await
}

impl Player {
    /// One handshake: the socket, what was answered, and what was sent. An error is the status of an upgrade that was refused.
    async fn shake(
        &self,
        step: &Step,
        headers: &BTreeMap<String, String>,
        state: Option<State>,
    ) -> Result<(Socket, Option<Value>, String), u16> {
        let mut request = self.gateway.url.as_str().into_client_request().unwrap();
        for (name, value) in headers {
            let name: http::HeaderName = name.parse().unwrap();
            request
                .headers_mut()
                .insert(name, self.filled(value).parse().unwrap());
        }
        let mut socket = match connect_async(request).await {
            Ok((socket, _)) => socket,
            Err(Error::Http(response)) => return Err(response.status().as_u16()),
            Err(error) => panic!("no answer to an upgrade: {error}"),
        };
        let Some(Ok(Message::Text(challenge))) = socket.next().await else {
            panic!("no challenge");
        };
        let challenge: Value = serde_json::from_str(&challenge).unwrap();
        let nonce = challenge["payload"]["nonce"].as_str().unwrap();
        match state {
            Some(State::Silent) => return Ok((socket, None, String::new())),
            Some(State::Draining) => self.gateway.drain.start(),
            Some(State::Starting) | None => (),
        }
        let frame = match &step.send {
            Some(Value::String(text)) if text == "$LARGE" => "x".repeat(LARGE_BYTES),
            Some(Value::String(text)) => text.clone(),
            Some(frame) => frame.to_string(),
            None => self.connect(step, nonce).to_string(),
        };
        let answer = ask(&mut socket, frame.clone()).await;
        Ok((socket, answer, frame))
    }

    fn connect(&self, step: &Step, nonce: &str) -> Value {
        let params = merged(&v4(&["operator.read"]), &step.connect).to_string();
        let mut params: Value = serde_json::from_str(&self.filled(&params)).unwrap();
        if let Some(shown) = &step.device {
            params["device"] = self.block(shown, &params, nonce);
        }
        let mut frame = json!({"type": "req", "id": "1", "method": "connect", "params": params});
        let fields = frame.as_object_mut().unwrap();
        if step.untyped {
            fields.remove("type");
        }
        if step.unnamed {
            fields.remove("id");
        }
        frame
    }

    fn device(&self, key: Key) -> &Device {
        match key {
            Key::Own => &self.own,
            Key::Other => &self.other,
        }
    }

    /// The block for what a client says, or for what it pretends to say.
    fn block(&self, shown: &Shown, params: &Value, nonce: &str) -> Value {
        let device = self.device(shown.key);
        let nonce = shown.nonce.as_deref().unwrap_or(nonce);
        let signed = merged(params, &shown.signs);
        let text = |pointer: &str| signed.pointer(pointer).and_then(Value::as_str);
        let label = |pointer: &str| text(pointer).unwrap_or_default().trim().to_ascii_lowercase();
        let scopes: Vec<&str> = signed["scopes"]
            .as_array()
            .map(|scopes| scopes.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let tokens = ["/auth/token", "/auth/deviceToken", "/auth/bootstrapToken"];
        let form = shown.form.as_deref().unwrap_or("v3");
        let at = Clock::system().now_ms() + shown.at;
        let mut parts = vec![
            form.to_owned(),
            device.id(),
            text("/client/id").unwrap_or_default().to_owned(),
            text("/client/mode").unwrap_or_default().to_owned(),
            text("/role").unwrap_or("operator").to_owned(),
            scopes.join(","),
            at.to_string(),
            tokens.into_iter().find_map(text).unwrap_or_default().to_owned(),
            nonce.to_owned(),
        ];
        if form == "v3" {
            parts.extend([label("/client/platform"), label("/client/deviceFamily")]);
        }
        let encode = |bytes: &[u8]| match shown.padded {
            true => STANDARD.encode(bytes),
            false => URL_SAFE_NO_PAD.encode(bytes),
        };
        let signature = self
            .device(shown.signed_by.unwrap_or(shown.key))
            .sign(&parts.join("|"));
        let block = json!({"id": device.id(), "publicKey": encode(device.raw_key()), "signedAt": at, "nonce": nonce,
            "signature": encode(&signature)});
        let change = self.filled(&shown.block.to_string());
        merged(&block, &serde_json::from_str(&change).unwrap())
    }

    /// A text with the names in it replaced by what they stand for.
    fn filled(&self, text: &str) -> String {
        let names = [
            ("$TOKEN", TOKEN.to_owned()),
            ("$PASSWORD", TOKEN.to_owned()),
            ("$SELF", format!("http://{}", self.gateway.http)),
            ("$DEVICE_TOKEN", token_of(&self.own.id(), "operator")),
            ("$OTHER_TOKEN", token_of(&self.other.id(), "operator")),
            ("$OTHER_ID", self.other.id()),
            ("$OTHER_KEY", self.other.public_key()),
        ];
        names
            .into_iter()
            .fold(text.to_owned(), |text, (name, value)| text.replace(name, &value))
    }
}

/// A document changed by another that names only what differs; null takes away (RFC 7396).
fn merged(whole: &Value, patch: &Value) -> Value {
    let (Value::Object(changes), Value::Object(mut fields)) = (patch, object(whole)) else {
        return if patch.is_null() {
            whole.clone()
        } else {
            patch.clone()
        };
    };
    for (key, change) in changes {
        match change {
            Value::Null => fields.remove(key),
            _ => {
                let before = fields.get(key).unwrap_or(&Value::Null);
                fields.insert(key.clone(), merged(before, change))
            }
        };
    }
    Value::Object(fields)
}

fn object(value: &Value) -> Value {
    if value.is_object() {
        value.clone()
    } else {
        json!({})
    }
}

/// Sends a frame, and waits for what is no event. `None`: the socket closed instead.
async fn ask(socket: &mut Socket, frame: String) -> Option<Value> {
    socket.send(Message::text(frame)).await.unwrap();
    let answered = async {
        // What comes after a close is for whoever looks at how it closed.
        while let Some(Ok(message)) = socket.next().await {
            match message {
                Message::Text(text) => {
                    let frame: Value = serde_json::from_str(&text).unwrap();
                    if frame["type"] != "event" {
                        return Ok(frame);
                    }
                }
                Message::Close(close) => return Err(close),
                _ => (),
            }
        }
        Err(None)
    };
    match timeout(PATIENCE, answered).await.expect("an answer in time") {
        Ok(frame) => Some(frame),
        Err(close) => {
            let close = close.expect("a close with a code");
            Some(json!({"closed": [u16::from(close.code), close.reason.as_str()]}))
        }
    }
}

async fn outcome(socket: &mut Socket, answer: Option<&Value>) -> Outcome {
    let answer = answer.unwrap_or(&Value::Null);
    if answer["ok"] == true {
        let auth = &answer["payload"]["auth"];
        let mut scopes: Vec<String> = serde_json::from_value(auth["scopes"].clone()).unwrap();
        scopes.sort_unstable();
        let hello = Hello {
            role: auth["role"].as_str().unwrap().to_owned(),
            scopes,
            device_token: auth["deviceToken"].is_string(),
        };
        return Outcome {
            hello: Some(hello),
            ..Outcome::default()
        };
    }
    let word = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let close = match serde_json::from_value(answer["closed"].clone()) {
        Ok(close) => Some(close),
        Err(_) => closed(socket, if answer.is_null() { PATIENCE } else { CLOSE_WITHIN }).await,
    };
    Outcome {
        code: word("/error/code"),
        details: word("/error/details/code"),
        next: word("/error/details/recommendedNextStep"),
        message: word("/error/message").filter(|_| close.is_none()),
        // The one request of the fakes.
        close: close.map(|(code, reason)| (code, reason.replace("request-1", "<id>"))),
        ..Outcome::default()
    }
}

async fn closed(socket: &mut Socket, within: Duration) -> Option<(u16, String)> {
    let ended = async {
        loop {
            match socket.next().await? {
                Ok(Message::Close(Some(frame))) => {
                    return Some((frame.code.into(), frame.reason.to_string()));
                }
                Ok(_) => (),
                Err(_) => return None,
            }
        }
    };
    timeout(within, ended).await.ok().flatten()
}
