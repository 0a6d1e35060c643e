//! Requests of platforms that call us, as the edge hands them over: first the head, then the whole.

use gatehouse_proto::channel::v1::{
    HttpHeader, InspectWebhookRequest, InspectWebhookResponse, ReceiveWebhookRequest, ReceiveWebhookResponse,
};

use crate::{
    account::{Entry, View},
    adapter::{AccountKey, Adapter, HttpAnswer, HttpHead, HttpRequest},
};

/// Looks at a head. What is wrong with the account is told before anything else is looked at.
pub(super) fn inspect(view: &View, request: InspectWebhookRequest) -> InspectWebhookResponse {
    let InspectWebhookRequest {
        channel,
        account_id,
        method,
        target,
        headers,
        peer_address,
    } = request;
    let head = head(method, target, headers, peer_address);
    let inspected = account(view, &AccountKey::new(channel, account_id)).and_then(|(adapter, entry)| {
        let inspected = adapter.http_head(&head, &entry.inbound);
        inspected.unwrap_or_else(|| Err(no_such_webhook()))
    });
    match inspected {
        Ok(bytes) => InspectWebhookResponse {
            body_bytes_max: u32::try_from(bytes).unwrap_or(u32::MAX),
            refusal: None,
        },
        Err(answer) => InspectWebhookResponse {
            body_bytes_max: 0,
            refusal: Some(respond(answer)),
        },
    }
}

/// Takes a request in.
pub(super) async fn receive(view: &View, request: ReceiveWebhookRequest) -> ReceiveWebhookResponse {
    let ReceiveWebhookRequest {
        channel,
        account_id,
        method,
        headers,
        body,
        peer_address,
        target,
    } = request;
    let head = head(method, target, headers, peer_address);
    let answer = match account(view, &AccountKey::new(channel, account_id)) {
        Ok((adapter, entry)) => adapter
            .http(HttpRequest { head, body }, &entry.inbound)
            .await
            .unwrap_or_else(no_such_webhook),
        Err(answer) => answer,
    };
    respond(answer)
}

fn head(method: String, target: String, headers: Vec<HttpHeader>, peer: String) -> HttpHead {
    let headers = headers.into_iter().map(|header| (header.name, header.value));
    HttpHead {
        method,
        target,
        headers: headers.collect(),
        peer,
    }
}

/// The account, if it is there and runs.
fn account<'a>(view: &'a View, key: &AccountKey) -> Result<(&'a dyn Adapter, &'a Entry), HttpAnswer> {
    let entry = view.accounts.get(key).ok_or_else(no_such_webhook)?;
    let runs = entry.progress.snapshot().state.running();
    let adapter = entry.adapter.as_deref().filter(|_| runs);
    adapter
        .map(|adapter| (adapter, entry))
        .ok_or_else(|| answer(503, "ACCOUNT_NOT_RUNNING", "this account does not run"))
}

fn no_such_webhook() -> HttpAnswer {
    answer(404, "NOT_FOUND", "no such webhook")
}

fn answer(status: u16, code: &str, message: &str) -> HttpAnswer {
    let body =
        serde_json::json!({"accepted": false, "error": {"code": code, "message": message}}).to_string();
    HttpAnswer {
        status,
        retry_after: None,
        body,
    }
}

fn respond(answer: HttpAnswer) -> ReceiveWebhookResponse {
    let HttpAnswer {
        status,
        retry_after,
        body,
    } = answer;
    let header = |name: &str, value: String| HttpHeader {
        name: name.to_owned(),
        value,
    };
    let mut headers = vec![header("content-type", "application/json".into())];
    headers.extend(retry_after.map(|seconds| header("retry-after", seconds.to_string())));
    ReceiveWebhookResponse {
        status: status.into(),
        headers,
        body: body.into(),
    }
}
