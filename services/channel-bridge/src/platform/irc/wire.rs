//! Lines from and to an IRC server: bounded, and never the end of a connection for what somebody in a room typed.
//!
//! The codec of crate `irc` ends the stream at the first byte that is not UTF-8, and so lets any person in a room throw the
//! gateway out of it; and it collects a line without end. Its grammar is used all the same: see [`irc_proto::Message`].

use std::{io, str};

use bytes::{Buf, BytesMut};
use irc_proto::Message;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest line that is read: 8,191 bytes of tags (IRCv3 message-tags) and 512 of message, rounded up.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// A socket, with or without TLS.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Socket for T {}

#[derive(Debug)]
pub(crate) struct Reader<R> {
    source: R,
    buffer: BytesMut,
    /// Within a line that is too long, up to its end.
    skipping: bool,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(crate) fn new(source: R) -> Self {
        Self {
            source,
            buffer: BytesMut::with_capacity(1024),
            skipping: false,
        }
    }

    /// The next message; `None` at the end of the stream. Lines that are no messages are left out.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped: what was read stays in the buffer.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Message>> {
        loop {
            while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end);
                self.buffer.advance(1);
                // Too long is too long, however much of it came at once.
                if std::mem::take(&mut self.skipping) || line.len() > LINE_BYTES_MAX {
                    continue;
                }
                if let Some(message) = parse(&line) {
                    return Ok(Some(message));
                }
            }
            if self.buffer.len() > LINE_BYTES_MAX {
                self.buffer.clear();
                self.skipping = true;
            }
            if self.source.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }
}

fn parse(line: &[u8]) -> Option<Message> {
    // Old clients write Latin-1: the odd byte is replaced, the rest is read.
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() || text.contains('\0') {
        None
    } else {
        text.parse().ok()
    }
}

/// Writes one line. What would end it early is an error, not a second command.
pub(crate) async fn write(sink: &mut (impl AsyncWrite + Unpin), line: &str) -> io::Result<()> {
    if line.contains(['\r', '\n', '\0']) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a line holds a line break",
        ));
    }
    let mut bytes = Vec::with_capacity(line.len() + 2);
    bytes.extend_from_slice(line.as_bytes());
    bytes.extend_from_slice(b"\r\n");
    sink.write_all(&bytes).await?;
    sink.flush().await
}

#[cfg(test)]
mod tests {
    use irc_proto::Command;
    use proptest::prelude::*;

    use super::{LINE_BYTES_MAX, Reader, write};

    async fn read(bytes: &[u8]) -> Vec<String> {
        let mut reader = Reader::new(bytes);
        let mut texts = Vec::new();
        while let Some(message) = reader.next().await.unwrap() {
            if let Command::PRIVMSG(_, text) = message.command {
                texts.push(text);
            }
        }
        texts
    }

    #[tokio::test]
    async fn a_byte_that_is_not_utf_8_is_replaced() {
        assert_eq!(
            read(b":a!b@c PRIVMSG #r :caf\xe9\r\n:a!b@c PRIVMSG #r :next\n").await,
            ["caf\u{fffd}", "next"]
        );
    }

    #[tokio::test]
    async fn a_line_without_end_is_left_out_and_the_next_is_read() {
        let mut bytes = b":a!b@c PRIVMSG #r :".to_vec();
        bytes.resize(LINE_BYTES_MAX * 3, b'x');
        bytes.extend_from_slice(b"\r\n:a!b@c PRIVMSG #r :after\r\n");

        assert_eq!(read(&bytes).await, ["after"]);
    }

    #[tokio::test]
    async fn a_line_break_cannot_smuggle_a_command() {
        assert!(write(&mut Vec::new(), "PRIVMSG a :b\r\nQUIT").await.is_err());
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in "[@: a-zA-Z0-9=;!#+-]{0,80}") {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                read(&bytes).await;
                read(format!("{text}\r\n").as_bytes()).await;
            });
        }
    }
}
