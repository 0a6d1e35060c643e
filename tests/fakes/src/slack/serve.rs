//! What the workspace answers: its sockets, its files and its methods.

use super::*;
use crate::form;

pub(super) async fn serve_socket(shared: Arc<Shared>, mut peer: Peer) {
    let number = {
        let mut told = shared.lock();
        told.opened += 1;
        let number = told.opened;
        told.open.push((number, Vec::new()));
        number
    };
    let hello = json!({"type": "hello", "num_connections": 1, "connection_info": {"app_id": "A1"}});
    if peer.send(Message::text(hello.to_string())).await.is_ok() {
        talk(&shared, &mut peer, number).await;
    }
    let mut told = shared.lock();
    told.open.retain(|(open, _)| *open != number);
    // What was not acknowledged is said again, over another.
    for waiting in told
        .waiting
        .iter_mut()
        .filter(|waiting| waiting.over == Some(number))
    {
        waiting.over = None;
    }
    drop(told);
    shared.changed.notify_waiters();
}

async fn talk(shared: &Shared, peer: &mut Peer, number: u64) {
    loop {
        let changed = shared.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        let (orders, deaf) = {
            let mut told = shared.lock();
            let newest = told.open.last().is_some_and(|(open, _)| *open == number);
            let mut orders: Vec<Order> = Vec::new();
            if let Some((_, own)) = told.open.iter_mut().find(|(open, _)| *open == number) {
                orders.append(own);
            }
            if newest && !told.deaf {
                for waiting in told.waiting.iter_mut().filter(|waiting| waiting.over.is_none()) {
                    waiting.over = Some(number);
                    orders.push(Order::Say(waiting.envelope.clone()));
                }
            }
            (orders, told.deaf)
        };
        for order in orders {
            let Order::Say(words) = order else { return };
            if peer.send(Message::text(words.to_string())).await.is_err() {
                return;
            }
        }
        if deaf {
            changed.await;
            continue;
        }
        tokio::select! {
            () = changed => {}
            frame = peer.next() => match frame {
                Some(Ok(Message::Text(text))) => {
                    let said: Value = serde_json::from_str(text.as_str()).unwrap_or_default();
                    let id = said["envelope_id"].as_str().unwrap_or_default();
                    shared.lock().waiting.retain(|waiting| waiting.id != id);
                    shared.changed.notify_waiters();
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            },
        }
    }
}

pub(super) async fn file(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let mut told = shared.lock();
    let shown = bearer(&headers);
    if shown != told.bot {
        // As Slack does: a page to log in at.
        return (StatusCode::FOUND, [(header::LOCATION, "/login")]).into_response();
    }
    let Some(bytes) = told.files.get(&id).cloned() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    told.fetched.push((id, shown));
    match told.faults.next("file") {
        Some(Fault::Gateway(code)) => fault::json(code, &Value::Null),
        Some(_) => fault::half(&bytes),
        None => bytes.into_response(),
    }
}

/// The bytes of a file that is brought. No token is for whoever takes them.
pub(super) async fn upload(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut told = shared.lock();
    let at = Instant::now();
    told.calls.push(Call {
        method: "upload".to_owned(),
        body: Value::Null,
        at,
    });
    match told.uploads.get_mut(&id) {
        Some((_, size, bytes)) if *size == body.len() && !headers.contains_key(header::AUTHORIZATION) => {
            *bytes = body.to_vec();
            format!("OK - {size}").into_response()
        }
        Some(_) => StatusCode::BAD_REQUEST.into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn bearer(headers: &HeaderMap) -> String {
    let shown = headers.get(header::AUTHORIZATION);
    let shown = shown.and_then(|shown| shown.to_str().ok()).unwrap_or_default();
    shown.strip_prefix("Bearer ").unwrap_or_default().to_owned()
}

pub(super) async fn call(
    State(shared): State<Arc<Shared>>,
    Path(method): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let body: Value = match kind {
        Some(kind) if kind.starts_with("application/x-www-form-urlencoded") => texts(form::typed(&body)),
        _ => serde_json::from_slice(&body).unwrap_or_else(|_| json!(query)),
    };
    let (fault, scopes) = {
        let mut told = shared.lock();
        let wanted = if method == "apps.connections.open" {
            &told.app
        } else {
            &told.bot
        };
        if bearer(&headers) != *wanted {
            return no("invalid_auth");
        }
        if let Some(word) = told.revoked.clone().filter(|_| method != "apps.connections.open") {
            return no(&word);
        }
        told.calls.push(Call {
            method: method.clone(),
            body: body.clone(),
            at: Instant::now(),
        });
        (told.faults.next(&method), told.scopes.clone())
    };
    if let Some(fault) = fault {
        let waits = |seconds: u64| {
            let retry = [(header::RETRY_AFTER, seconds.to_string())];
            let words = axum::Json(json!({"ok": false, "error": "ratelimited"}));
            (StatusCode::TOO_MANY_REQUESTS, retry, words).into_response()
        };
        if let Some(answer) = fault::answer(&fault, waits).await {
            return answer;
        }
        if let Fault::Late(after) = fault {
            fault::late(after, move || answer(&shared, &method, &body).is_ok()).await;
            return fault::broken();
        }
        let _ = answer(&shared, &method, &body);
        return fault::lost(&fault);
    }
    match answer(&shared, &method, &body) {
        Ok(mut result) => {
            result["ok"] = json!(true);
            let scopes = scopes.map(|scopes| [("x-oauth-scopes", scopes)]);
            match scopes {
                Some(scopes) => (scopes, axum::Json(result)).into_response(),
                None => axum::Json(result).into_response(),
            }
        }
        Err(word) => no(word),
    }
}

/// What looks like a number is a text all the same: ids are, and texts may be.
fn texts(mut body: Value) -> Value {
    for value in body.as_object_mut().into_iter().flatten().map(|(_, value)| value) {
        if value.is_number() {
            *value = json!(value.to_string());
        }
    }
    body
}

fn no(word: &str) -> Response {
    axum::Json(json!({"ok": false, "error": word})).into_response()
}

fn answer(shared: &Shared, method: &str, body: &Value) -> Result<Value, &'static str> {
    let mut told = shared.lock();
    match method {
        "auth.test" => Ok(json!({
            "url": "https://home.slack.com/", "team": "Home", "user": "gatebot",
            "team_id": TEAM, "user_id": BOT, "bot_id": BOT_ID,
        })),
        "apps.connections.open" => Ok(json!({"url": told.sockets_at})),
        "users.info" => {
            let id = body["user"].as_str().unwrap_or_default();
            let name = told.names.get(id).ok_or("user_not_found")?;
            Ok(json!({"user": {"id": id, "name": name, "profile": {"display_name": name}}}))
        }
        "conversations.info" => {
            let id = body["channel"].as_str().unwrap_or_default();
            let is_group = told.groups.iter().any(|group| group == id);
            Ok(json!({"channel": {"id": id, "is_channel": !is_group, "is_mpim": is_group}}))
        }
        "assistant.threads.setStatus" => Ok(json!({})),
        "reactions.add" => messages::react(&mut told, body),
        "chat.postMessage" => messages::post(&mut told, body),
        "conversations.open" => {
            let person = body["users"].as_str().unwrap_or_default();
            Ok(json!({"channel": {"id": format!("D{person}")}}))
        }
        "files.getUploadURLExternal" => messages::make_room(&mut told, body),
        "files.completeUploadExternal" => messages::show_file(&mut told, body),
        "chat.update" => messages::update(&mut told, body),
        "chat.delete" => messages::delete(&mut told, body),
        "chat.startStream" | "chat.appendStream" | "chat.stopStream" if told.has_no_streams => {
            Err("unknown_method")
        }
        "chat.startStream" => messages::start_stream(&mut told, body),
        "chat.appendStream" => messages::append_stream(&mut told, body),
        "chat.stopStream" => messages::stop_stream(&mut told, body),
        _ => Err("unknown_method"),
    }
}
