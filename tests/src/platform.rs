//! A chat platform on the webhook channel: it signs what people say, and collects what the gateway answers.
//!
//! It is the checker outside the gateway: it knows every message it had acknowledged and every reply it accepted.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::Gateway;

/// The platform. Dropping it closes its port.
#[derive(Debug)]
pub struct Platform {
    address: SocketAddr,
    secret: String,
    replies: Arc<Replies>,
    server: JoinHandle<()>,
    http: reqwest::Client,
}

#[derive(Debug, Default)]
struct Replies {
    accepted: Mutex<Vec<Value>>,
}

impl Platform {
    /// Starts a platform on a port of its own.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let replies = Arc::new(Replies::default());
        let router = Router::new()
            .route("/reply", post(accept))
            .with_state(Arc::clone(&replies));
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        let http = crate::http::client();
        Self {
            address,
            secret: format!("platform-secret-{}", uuid::Uuid::new_v4()),
            replies,
            server,
            http,
        }
    }

    /// The part of the configuration that connects a gateway to this platform.
    #[must_use]
    pub fn config(&self) -> Value {
        json!({"webhook": {
            "enabled": true, "dmPolicy": "open", "allowFrom": ["*"], "groupPolicy": "open",
            "accounts": {"test": {"secret": self.secret, "callbackUrl": format!("http://{}/reply", self.address)}},
        }})
    }

    /// Hands one person's message to the gateway. True when the gateway acknowledged it.
    pub async fn deliver(&self, gateway: &Gateway, id: &str, from: &str, text: &str) -> bool {
        self.post(gateway, id, from, text)
            .await
            .is_ok_and(|status| status.is_success())
    }

    /// The same, and what exactly the gateway answered.
    ///
    /// # Errors
    /// When the gateway cannot be reached.
    pub async fn post(
        &self,
        gateway: &Gateway,
        id: &str,
        from: &str,
        text: &str,
    ) -> Result<reqwest::StatusCode, reqwest::Error> {
        let body = json!({"id": id, "from": {"id": from, "name": from}, "chat": {"id": from, "kind": "direct"}, "text": text});
        self.post_message(gateway, "test", &body).await
    }

    /// Posts a message as it stands, signed for this account.
    ///
    /// # Errors
    /// When the gateway cannot be reached.
    pub async fn post_message(
        &self,
        gateway: &Gateway,
        account: &str,
        message: &Value,
    ) -> Result<reqwest::StatusCode, reqwest::Error> {
        let body = message.to_string();
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs())
            .to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).expect("any key length fits");
        let target = format!("/webhooks/webhook/{account}");
        let scope = format!("gatehouse-webhook-v2\ninbound\nPOST\n{target}\nwebhook/{account}\n{now}\n");
        mac.update(scope.as_bytes());
        mac.update(body.as_bytes());
        let signature: String = mac
            .finalize()
            .into_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let request = self
            .http
            .post(format!("{}{target}", gateway.http()))
            .header("x-gatehouse-timestamp", now)
            .header("x-gatehouse-signature-v2", format!("sha256={signature}"))
            .header("content-type", "application/json")
            .body(body);
        Ok(request.send().await?.status())
    }

    /// Every reply that the platform accepted, in order.
    #[must_use]
    pub fn replies(&self) -> Vec<Value> {
        self.replies
            .accepted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How often each chat was answered with a text that contains the word.
    #[must_use]
    pub fn replies_by_chat(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for reply in self.replies() {
            *counts
                .entry(reply["to"].as_str().unwrap_or_default().to_owned())
                .or_default() += 1;
        }
        counts
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn accept(State(replies): State<Arc<Replies>>, Json(reply): Json<Value>) -> StatusCode {
    replies
        .accepted
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(reply);
    StatusCode::OK
}
