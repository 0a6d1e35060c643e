//! A client that costs little: it reads frames and hands their payloads on, and never answers.

use gatehouse_tests::House;
use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    net::TcpStream,
};
use tokio_tungstenite::{client_async, tungstenite::Message};

use futures::{SinkExt, StreamExt};

/// A connection that has said hello. What follows are unmasked frames.
pub(crate) async fn connect(house: &House) -> TcpStream {
    let url = house.url();
    let address = url.trim_start_matches("ws://");
    let socket = TcpStream::connect(address).await.expect("the edge");
    socket.set_nodelay(true).expect("a socket option");
    let (mut socket, _) = client_async(&url, socket).await.expect("an upgrade");
    let params = json!({"token": house.token(), "role": "operator", "scopes": ["operator.read", "operator.write"], "clientId": "bench"});
    socket
        .send(Message::text(
            json!({"method": "connect", "params": params}).to_string(),
        ))
        .await
        .expect("sent");
    while let Some(message) = socket.next().await {
        if message
            .expect("a frame")
            .to_text()
            .is_ok_and(|text| text.contains("\"hello-ok\""))
        {
            break;
        }
    }
    socket.into_inner()
}

/// Reads frames to the end of the socket, or until `each` answers false.
pub(crate) async fn listen<S>(mut socket: S, mut each: impl FnMut(&[u8]) -> bool + Send)
where
    S: AsyncRead + Unpin + Send,
{
    let mut buffer = Vec::with_capacity(64 * 1024);
    loop {
        let mut start = 0;
        while let Some((payload, end)) = buffer.get(start..).and_then(frame) {
            let whole = start + end;
            if !each(buffer.get(start + payload..whole).unwrap_or_default()) {
                return;
            }
            start = whole;
        }
        buffer.drain(..start);
        if socket.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
            return;
        }
    }
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
    let at = payload.windows(mark.len()).position(|window| window == mark)? + mark.len();
    let digits = payload.get(at..)?.iter().take_while(|byte| byte.is_ascii_digit());
    digits
        .map(|digit| u64::from(digit - b'0'))
        .reduce(|number, digit| number * 10 + digit)
}
