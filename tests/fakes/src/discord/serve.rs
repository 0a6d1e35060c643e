//! What Discord answers: its gateway, its files and its methods.

use super::*;
use crate::form::{self, File};

pub(super) async fn serve_socket(shared: Arc<Shared>, mut peer: Peer) {
    let number = {
        let mut told = shared.lock();
        told.opened += 1;
        let number = told.opened;
        told.open.push((number, Vec::new()));
        number
    };
    let hello = json!({"op": 10, "d": {"heartbeat_interval": HEARTBEAT_MS}});
    if peer.send(Message::text(hello.to_string())).await.is_ok() {
        talk(&shared, &mut peer, number).await;
    }
    let mut told = shared.lock();
    told.open.retain(|(open, _)| *open != number);
    if told.live == Some(number) {
        told.live = None;
    }
}

async fn talk(shared: &Shared, peer: &mut Peer, number: u64) {
    let deaf = || shared.lock().deaf >= number;
    loop {
        let changed = shared.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        let orders = {
            let mut told = shared.lock();
            let own = told.open.iter_mut().find(|(open, _)| *open == number);
            own.map(|(_, orders)| std::mem::take(orders)).unwrap_or_default()
        };
        for order in orders {
            let sent = match order {
                Order::Say(_) if deaf() => Ok(()),
                Order::Say(words) => peer.send(Message::text(words.to_string())).await,
                Order::Tear(words) => {
                    let words = words.to_string();
                    let half = words.get(..words.len() / 2).unwrap_or_default().to_owned();
                    peer.send(Message::text(half)).await
                }
                Order::Close(code) => {
                    let frame = CloseFrame {
                        code: CloseCode::from(code),
                        reason: "".into(),
                    };
                    let _ = peer.close(Some(frame)).await;
                    return;
                }
                Order::Break => return,
            };
            if sent.is_err() {
                return;
            }
        }
        let frame = tokio::select! {
            () = changed => continue,
            frame = peer.next() => frame,
        };
        match frame {
            Some(Ok(Message::Text(text))) if !deaf() => {
                let said: Value = serde_json::from_str(text.as_str()).unwrap_or_default();
                hear(shared, number, &said);
            }
            Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            Some(Ok(_)) => {}
        }
    }
}

fn hear(shared: &Shared, number: u64, said: &Value) {
    let mut told = shared.lock();
    let data = &said["d"];
    let right = data["token"] == json!(told.token);
    let orders = match said["op"].as_u64() {
        Some(1) => vec![Order::Say(json!({"op": 11}))],
        Some(2 | 6) if !right => vec![Order::Close(4004)],
        Some(2) => {
            let wants_content = data["intents"].as_u64().unwrap_or_default() & (1 << 15) != 0;
            if wants_content && told.flags & MESSAGE_CONTENT == 0 {
                vec![Order::Close(4014)]
            } else {
                told.identified.push(data.clone());
                told.sessions += 1;
                told.starts_left = told.starts_left.saturating_sub(1);
                told.session = Some(format!("session-{}", told.sessions));
                told.live = Some(number);
                // What was said before a session belongs to none.
                told.seq += 1;
                let seq = told.seq;
                let ready = json!({"op": 0, "s": seq, "t": "READY", "d": {
                    "v": 10, "session_id": told.session, "resume_gateway_url": told.gateway,
                    "user": {"id": BOT, "username": "gatebot", "bot": true},
                    "application": {"id": BOT, "flags": told.flags}, "guilds": [{"id": GUILD, "unavailable": true}]}});
                vec![Order::Say(ready)]
            }
        }
        Some(6) if told.session.is_none() || data["session_id"] != json!(told.session) => {
            vec![Order::Say(json!({"op": 9, "d": false}))]
        }
        Some(6) => {
            told.resumed.push(data.clone());
            told.live = Some(number);
            let after = data["seq"].as_u64().unwrap_or_default();
            let missed = told.events.iter().filter(|(seq, _)| *seq > after);
            let mut orders: Vec<Order> = missed.map(|(_, frame)| Order::Say(frame.clone())).collect();
            orders.push(Order::Say(
                json!({"op": 0, "s": told.seq, "t": "RESUMED", "d": {}}),
            ));
            orders
        }
        _ => vec![Order::Close(4001)],
    };
    if let Some((_, own)) = told.open.iter_mut().find(|(open, _)| *open == number) {
        own.extend(orders);
    }
    drop(told);
    shared.changed.notify_waiters();
}

pub(super) async fn file(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let mut told = shared.lock();
    // The token is not for whoever keeps files.
    if headers.contains_key(header::AUTHORIZATION) {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let Some(bytes) = told.files.get(&id).cloned() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    told.fetched.push(id);
    match told.faults.next("file") {
        Some(Fault::Gateway(code)) => fault::json(code, &Value::Null),
        Some(_) => fault::half(&bytes),
        None => bytes.into_response(),
    }
}

pub(super) async fn call(
    State(shared): State<Arc<Shared>>,
    Path(path): Path<String>,
    verb: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (mut body, file) = form::read(&headers, &body);
    if file.is_some() {
        body = body["payload_json"].take();
    }
    let method = format!("{verb} {path}");
    let fault = {
        let mut told = shared.lock();
        let header = |name| {
            headers
                .get(name)
                .and_then(|shown| shown.to_str().ok())
                .unwrap_or_default()
        };
        if !header(header::USER_AGENT).starts_with("DiscordBot (") {
            return no(403, 40_333, "internal network error");
        }
        // The token in its path says who answers an interaction.
        let shows_itself = path.starts_with("interactions/");
        if !shows_itself && header(header::AUTHORIZATION) != format!("Bot {}", told.token) {
            return no(401, 0, "401: Unauthorized");
        }
        told.calls.push(Call {
            method: method.clone(),
            body: body.clone(),
            at: Instant::now(),
        });
        told.faults.next(&name(&method))
    };
    if let Some(fault) = fault {
        let waits = |seconds: u64| {
            let words =
                json!({"message": "You are being rate limited.", "retry_after": seconds, "global": false});
            let retry = [(header::RETRY_AFTER, seconds.to_string())];
            (StatusCode::TOO_MANY_REQUESTS, retry, axum::Json(words)).into_response()
        };
        if let Some(answer) = fault::answer(&fault, waits).await {
            return answer;
        }
        if let Fault::Late(after) = fault {
            fault::late(after, move || drop(answer(&shared, &method, &body, file))).await;
            return fault::broken();
        }
        let _ = answer(&shared, &method, &body, file);
        return fault::lost(&fault);
    }
    answer(&shared, &method, &body, file)
}

pub(super) fn no(status: u16, code: u32, words: &str) -> Response {
    fault::json(status, &json!({"message": words, "code": code}))
}

fn answer(shared: &Shared, method: &str, body: &Value, file: Option<File>) -> Response {
    let mut told = shared.lock();
    let (verb, path) = method.split_once(' ').unwrap_or((method, ""));
    let parts: Vec<&str> = path.split('/').collect();
    match (verb, parts.as_slice()) {
        ("GET", ["users", "@me"]) => {
            fault::json(200, &json!({"id": BOT, "username": "gatebot", "bot": true}))
        }
        ("GET", ["applications", "@me"]) => fault::json(200, &json!({"id": BOT, "flags": told.flags})),
        ("GET", ["applications", _, "commands"]) => fault::json(200, &json!(told.commands)),
        ("POST", ["applications", id, "commands"]) if *id == BOT => {
            told.commands.retain(|known| known["name"] != body["name"]);
            told.commands.push(body.clone());
            fault::json(201, body)
        }
        ("POST", ["interactions", _, _, "callback"]) => StatusCode::NO_CONTENT.into_response(),
        ("GET", ["gateway", "bot"]) => {
            let limit = json!({"total": 1000, "remaining": told.starts_left, "reset_after": 3_600_000, "max_concurrency": 1});
            fault::json(
                200,
                &json!({"url": told.gateway, "shards": 1, "session_start_limit": limit}),
            )
        }
        ("GET", ["channels", id]) => match told.channels.get(*id) {
            Some(known) => fault::json(200, known),
            None => fault::json(
                200,
                &json!({"id": id, "type": 0, "parent_id": "77", "guild_id": GUILD}),
            ),
        },
        ("POST", ["users", "@me", "channels"]) => {
            let person = body["recipient_id"].as_str().unwrap_or_default();
            fault::json(
                200,
                &json!({"id": format!("1{person}"), "type": 1,
                "recipients": [{"id": person, "username": "anna"}]}),
            )
        }
        ("POST", ["channels", _, "typing"]) => StatusCode::NO_CONTENT.into_response(),
        ("POST", ["channels", id, "messages"]) => messages::post(&mut told, id, body, file),
        ("PUT", ["channels", id, "messages", message, "reactions", emoji, "@me"]) => {
            told.reactions
                .push([id, message, emoji].map(|part| (*part).to_owned()));
            StatusCode::NO_CONTENT.into_response()
        }
        ("PATCH", ["channels", _, "messages", id]) => messages::edit(&mut told, id, body),
        ("DELETE", ["channels", _, "messages", id]) => messages::delete(&mut told, id),
        _ => no(404, 0, "404: Not Found"),
    }
}
