//! Clients that cost little, so that what is measured is the gateway: one reads frames and hands their payloads on, one calls
//! and does not parse what it is answered.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use gatehouse_tests::Gateway;
use memchr::memmem;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    net::TcpStream,
    time::Instant,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, Utf8Bytes},
};

/// How a connection says hello.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hello {
    /// As a script does: text comes as increments.
    Plain,
    /// As any client of protocol v4 does that claims no capability: text comes whole, too.
    V4,
}

/// A connection that has said hello. What follows are unmasked frames.
pub(crate) async fn connect(gateway: &Gateway) -> TcpStream {
    connect_as(gateway, Hello::Plain).await
}

/// The same, in this dialect.
pub(crate) async fn connect_as(gateway: &Gateway, dialect: Hello) -> TcpStream {
    hello_as(gateway, dialect).await.into_inner()
}

/// A connection that has said hello.
pub(crate) async fn hello(gateway: &Gateway) -> WebSocketStream<TcpStream> {
    hello_as(gateway, Hello::Plain).await
}

async fn hello_as(gateway: &Gateway, dialect: Hello) -> WebSocketStream<TcpStream> {
    let url = gateway.url();
    let address = url.trim_start_matches("ws://");
    let socket = TcpStream::connect(address).await.expect("the edge");
    socket.set_nodelay(true).expect("a socket option");
    let (mut socket, _) = client_async(&url, socket).await.expect("an upgrade");
    let mut params = json!({"role": "operator", "scopes": ["operator.read", "operator.write"]});
    let own = match dialect {
        Hello::Plain => json!({"token": gateway.token(), "clientId": "bench"}),
        Hello::V4 => json!({
            "minProtocol": 4, "maxProtocol": 4, "auth": {"token": gateway.token()},
            "client": {"id": "cli", "version": "1", "platform": "linux", "mode": "cli"},
        }),
    };
    if let (Some(params), Value::Object(own)) = (params.as_object_mut(), own) {
        params.extend(own);
    }
    let connect = json!({"type": "req", "id": "hello", "method": "connect", "params": params});
    socket
        .send(Message::text(connect.to_string()))
        .await
        .expect("sent");
    until_text(&mut socket, "\"hello-ok\"").await;
    socket
}

/// Reads until a frame holds these words, and returns it.
async fn until_text(socket: &mut WebSocketStream<TcpStream>, words: &str) -> Utf8Bytes {
    loop {
        let message = socket.next().await.expect("an open socket").expect("a frame");
        if let Message::Text(text) = message
            && text.contains(words)
        {
            return text;
        }
    }
}

/// A connection that calls, one at a time.
pub(crate) struct Caller {
    socket: WebSocketStream<TcpStream>,
    calls: u64,
}

impl Caller {
    pub(crate) async fn connect(gateway: &Gateway) -> Self {
        Self {
            socket: hello(gateway).await,
            calls: 0,
        }
    }

    /// Calls, and returns how long the answer took.
    pub(crate) async fn call(&mut self, method: &str, params: &Value) -> Duration {
        self.calls += 1;
        let id = format!("b{}", self.calls);
        let request = json!({"type": "req", "id": id, "method": method, "params": params}).to_string();
        let began = Instant::now();
        self.socket.send(Message::text(request)).await.expect("sent");
        let answer = until_text(&mut self.socket, &format!(r#""id":"{id}""#)).await;
        let took = began.elapsed();
        assert!(answer.contains(r#""ok":true"#), "{method}: {answer}");
        took
    }
}

/// Reads frames to the end of the socket, or until `each` answers false.
pub(crate) async fn listen<S>(mut socket: S, mut each: impl FnMut(&[u8]) -> bool + Send)
where
    S: AsyncRead + Unpin + Send,
{
    let mut buffer = Vec::with_capacity(64 * 1024);
    while take_frames(&mut buffer, &mut each) {
        if socket.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
            return;
        }
    }
}

/// Takes all whole frames out of what was read, and hands their payloads on. False when `each` has answered false.
pub(crate) fn take_frames(read: &mut Vec<u8>, mut each: impl FnMut(&[u8]) -> bool) -> bool {
    let mut start = 0;
    while let Some((payload, end)) = read.get(start..).and_then(frame) {
        let whole = start + end;
        if !each(read.get(start + payload..whole).unwrap_or_default()) {
            return false;
        }
        start = whole;
    }
    read.drain(..start);
    true
}

/// Where the payload of the first frame begins and ends, when it is there whole.
fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let (header, length) = match *bytes.get(1)? {
        126 => (
            4,
            usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)),
        ),
        127 => (
            10,
            usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?,
        ),
        short => (2, usize::from(short)),
    };
    (bytes.len() >= header + length).then_some((header, header + length))
}

/// The number that follows `mark` in a payload.
pub(crate) fn number_after(payload: &[u8], mark: &[u8]) -> Option<u64> {
    let at = memmem::find(payload, mark)? + mark.len();
    let digits = payload.get(at..)?.iter().take_while(|byte| byte.is_ascii_digit());
    digits
        .map(|digit| u64::from(digit - b'0'))
        .reduce(|number, digit| number * 10 + digit)
}
