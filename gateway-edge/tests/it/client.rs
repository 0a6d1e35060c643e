//! A client of the edge.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

use crate::gateway::{Gateway, TOKEN};

/// Everything here happens within milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub(crate) hello: Value,
    /// What the gateway challenged this connection with.
    pub(crate) nonce: String,
}

/// Parameters of a v4 handshake.
pub(crate) fn v4(scopes: &[&str]) -> Value {
    json!({"minProtocol": 4, "maxProtocol": 4, "scopes": scopes, "auth": {"token": TOKEN},
        "client": {"id": "cli", "version": "1", "platform": "linux", "mode": "cli"}})
}

impl Client {
    /// A socket after its challenge.
    pub(crate) async fn open(gateway: &Gateway) -> Self {
        Self::open_with(gateway, &[]).await.expect("an upgrade")
    }

    pub(crate) async fn open_with(
        gateway: &Gateway,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Error> {
        let mut request = gateway.url.as_str().into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let (socket, _) = connect_async(request).await?;
        let mut client = Self {
            socket,
            hello: Value::Null,
            nonce: String::new(),
        };
        let challenge = client.frame().await;
        assert_eq!(challenge["event"], "connect.challenge");
        client.nonce = challenge["payload"]["nonce"].as_str().unwrap().to_owned();
        Ok(client)
    }

    pub(crate) async fn v4(gateway: &Gateway, scopes: &[&str]) -> Self {
        Self::connect(gateway, v4(scopes)).await
    }

    pub(crate) async fn connect(gateway: &Gateway, params: Value) -> Self {
        let mut client = Self::open(gateway).await;
        let answer = client.call("connect", params).await;
        assert_eq!(answer["ok"], true, "{answer}");
        client.hello = answer["payload"].clone();
        client
    }

    pub(crate) async fn plain(gateway: &Gateway, scopes: &[&str]) -> Self {
        let mut client = Self::open(gateway).await;
        client
            .send(&json!({"method": "connect", "params": {"token": TOKEN, "scopes": scopes}}).to_string())
            .await;
        client.hello = client.frame().await;
        assert_eq!(client.hello["type"], "hello-ok", "{}", client.hello);
        client
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.message(Message::text(text)).await;
    }

    pub(crate) async fn message(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// Calls a method and waits for its answer; events on the way are dropped.
    pub(crate) async fn call(&mut self, method: &str, params: Value) -> Value {
        self.send(&json!({"type": "req", "id": "1", "method": method, "params": params}).to_string())
            .await;
        self.answer("1").await
    }

    pub(crate) async fn answer(&mut self, id: &str) -> Value {
        loop {
            let frame = self.frame().await;
            if frame["id"] == id {
                return frame;
            }
        }
    }

    /// The next event of this name.
    pub(crate) async fn event(&mut self, name: &str) -> Value {
        loop {
            let frame = self.frame().await;
            if frame["event"] == name {
                return frame;
            }
        }
    }

    pub(crate) async fn frame(&mut self) -> Value {
        loop {
            match timeout(PATIENCE, self.socket.next())
                .await
                .expect("a frame in time")
            {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => (),
                other => panic!("no frame, but {other:?}"),
            }
        }
    }

    /// Reads until the gateway cut the socket without a word.
    pub(crate) async fn cut(&mut self) {
        loop {
            match timeout(PATIENCE, self.socket.next())
                .await
                .expect("an end in time")
            {
                Some(Ok(Message::Close(frame))) => panic!("closed with {frame:?}"),
                Some(Ok(_)) => (),
                Some(Err(_)) | None => return,
            }
        }
    }

    /// How the gateway closed the socket; frames before it are dropped.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        loop {
            match timeout(PATIENCE, self.socket.next())
                .await
                .expect("a close in time")
            {
                Some(Ok(Message::Close(Some(frame)))) => {
                    return (frame.code.into(), frame.reason.to_string());
                }
                Some(Ok(_)) => (),
                other => panic!("no close, but {other:?}"),
            }
        }
    }
}
