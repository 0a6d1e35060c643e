//! Requests as the edge hands them over, with an agent that the test plays.

mod doors;
mod mappings;
mod rights;
mod signatures;

use gatehouse_proto::session::v1::hook_service_server::HookService;
use gatehouse_proto::session::v1::{
    HookAnswer, HookHead, HookHeader, InspectHookRequest, InspectHookResponse, ReceiveHookRequest,
};
use serde_json::{Value, json};
use tonic::Request;

use super::grpc::Grpc;
use crate::testing::{FRIDAY_MS, Scheduled};

const NOW_MS: i64 = FRIDAY_MS;

const TOKEN: &str = "hM4sT8vQ2wZ6xC9b";

/// Hooks that take the token.
fn open() -> Value {
    json!({"enabled": true, "token": TOKEN})
}

/// The methods of hooks.
type Hooked = Scheduled<Grpc>;

/// What is sent.
#[derive(Clone)]
struct Sent {
    head: HookHead,
    body: Vec<u8>,
}

fn sent(name: &str, body: &Value) -> Sent {
    let sent = Sent {
        head: HookHead {
            name: name.to_owned(),
            query: None,
            headers: Vec::new(),
        },
        body: body.to_string().into_bytes(),
    };
    sent.with("authorization", &format!("Bearer {TOKEN}"))
}

impl Sent {
    fn with(mut self, name: &str, value: &str) -> Self {
        self.head.headers.retain(|header| header.name != name);
        self.head.headers.push(HookHeader {
            name: name.to_owned(),
            value: value.to_owned(),
        });
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.head.headers.retain(|header| header.name != name);
        self
    }

    fn query(mut self, query: &str) -> Self {
        self.head.query = Some(query.to_owned());
        self
    }
}

impl Hooked {
    async fn new(hooks: Value) -> Self {
        Self::with(json!({ "hooks": hooks }), NOW_MS).await
    }

    async fn with(config: Value, now_ms: i64) -> Self {
        Self::begin(&config.to_string(), now_ms, Grpc::new).await
    }

    async fn inspect(&self, sent: &Sent) -> InspectHookResponse {
        let request = InspectHookRequest {
            head: Some(sent.head.clone()),
        };
        let inspected = self.grpc.inspect_hook(Request::new(request)).await;
        inspected.unwrap().into_inner()
    }

    /// Hands it over, as the edge does when its head is right.
    async fn receive(&self, sent: &Sent) -> HookAnswer {
        if let Some(refusal) = self.inspect(sent).await.refusal {
            return refusal;
        }
        let request = ReceiveHookRequest {
            head: Some(sent.head.clone()),
            body: sent.body.clone(),
        };
        let received = self.grpc.receive_hook(Request::new(request)).await;
        received.unwrap().into_inner().answer.unwrap()
    }

    /// Status and body.
    async fn told(&self, sent: &Sent) -> (u32, Value) {
        let answer = self.receive(sent).await;
        let body = serde_json::from_slice(&answer.body);
        (
            answer.status,
            body.unwrap_or_else(|_| String::from_utf8(answer.body.to_vec()).unwrap().into()),
        )
    }

    /// What the turn that comes next is asked. It is answered with these words.
    async fn turn(&mut self, answer: &str) -> String {
        let call = self.bench.call().await;
        let asked = call.texts().last().copied().unwrap_or_default().to_owned();
        call.text(answer).await;
        call.done().await;
        asked
    }

    async fn waiting(&self) -> Vec<String> {
        let waiting = self.deliveries().await;
        waiting
            .iter()
            .map(|delivery| {
                let target = &delivery.target;
                format!("{} {}: {}", target.channel, target.to, delivery.content.words())
            })
            .collect()
    }
}

/// What stands between the marks.
fn outside(asked: &str) -> Vec<String> {
    let (_, event) = asked
        .split_once("\n\n")
        .expect("what the marks mean, and the event");
    let word = event.split_once("<outside-").expect("a mark").1;
    let word = word.split_once('>').expect("a mark").0;
    let (open, close) = (format!("<outside-{word}>"), format!("</outside-{word}>"));
    event
        .split(&open)
        .skip(1)
        .map(|part| part.split_once(&close).expect("its end").0.to_owned())
        .collect()
}
