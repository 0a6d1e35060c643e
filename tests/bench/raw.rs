//! A socket that is written to byte by byte, from a thread of its own: what a hostile peer has.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::json;

/// The first bytes of frames, all of them whole messages but the two in the middle.
pub(crate) const TEXT: u8 = 0x81;
pub(crate) const TEXT_BEGINS: u8 = 0x01;
pub(crate) const GOES_ON: u8 = 0x00;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8a;

/// How long a peer waits for the gateway before it gives a socket up.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the gateway is, and what opens it.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) address: String,
    pub(crate) token: String,
}

/// A frame under a mask of zeros, which leaves its payload as it is.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = head(first, payload.len());
    bytes.extend_from_slice(payload);
    bytes
}

/// The head of a frame that announces so many bytes.
pub(crate) fn head(first: u8, length: usize) -> Vec<u8> {
    let mut bytes = vec![first];
    match u8::try_from(length) {
        Ok(short) if short < 126 => bytes.push(0x80 | short),
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes
}

impl Door {
    /// A socket after its upgrade.
    pub(crate) fn open(&self) -> io::Result<TcpStream> {
        let mut socket = TcpStream::connect(&self.address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
            self.address
        );
        socket.write_all(request.as_bytes())?;
        until(&mut socket, "connect.challenge")?;
        Ok(socket)
    }

    /// A socket that has said hello.
    pub(crate) fn enter(&self, scopes: &[&str]) -> io::Result<TcpStream> {
        let mut socket = self.open()?;
        let connect = json!({"method": "connect", "params": {"token": self.token, "scopes": scopes}});
        socket.write_all(&frame(TEXT, connect.to_string().as_bytes()))?;
        until(&mut socket, "hello-ok")?;
        Ok(socket)
    }
}

/// Reads until these words have come.
fn until(socket: &mut TcpStream, words: &str) -> io::Result<()> {
    let (mut read, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    while memchr::memmem::find(&read, words.as_bytes()).is_none() {
        match socket.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => read.extend_from_slice(buffer.get(..count).unwrap_or_default()),
        }
    }
    Ok(())
}

/// Drops what the gateway says, to the end of the socket.
pub(crate) fn drain(mut socket: &TcpStream) {
    let mut buffer = [0; 16 * 1024];
    while socket.read(&mut buffer).is_ok_and(|count| count > 0) {}
}
