//! One plain GET to our own edge, for readiness and health checks. Not a general HTTP client.

use std::{error::Error as _, io, time::Duration};

use bytes::Bytes;
use gatehouse_core::Chain;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::time::timeout;

/// The answer to a health check is a few lines.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A status code and a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// The body, whatever its type.
    pub(crate) body: String,
}

/// Gets `path` from `host:port`.
///
/// # Errors
/// When nobody answers in time, or not in HTTP.
pub(crate) async fn get(authority: &str, path: &str, deadline: Duration) -> io::Result<Answer> {
    timeout(deadline, exchange(authority, path))
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

async fn exchange(authority: &str, path: &str) -> io::Result<Answer> {
    let uri = format!("http://{authority}{path}")
        .parse()
        .map_err(io::Error::other)?;
    // One question, one connection: nothing is kept for a second one.
    let client = Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(0)
        .build_http::<Empty<Bytes>>();
    let answer = client.get(uri).await.map_err(refused)?;
    let status = answer.status().as_u16();
    let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
    let body = body.map_err(io::Error::other)?.to_bytes();
    Ok(Answer {
        status,
        body: String::from_utf8_lossy(&body).trim().to_owned(),
    })
}

/// What the operating system said, where it said something: "connection refused" tells more than "client error".
fn refused(error: hyper_util::client::legacy::Error) -> io::Error {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(inner) = inner.downcast_ref::<io::Error>() {
            return io::Error::new(inner.kind(), inner.to_string());
        }
        cause = inner.source();
    }
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the answer is not HTTP: {}", Chain(&error)),
    )
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// A peer that says this to whoever asks, and nothing more.
    async fn says(text: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let _ = socket.read(&mut [0; 1024]).await;
            let _ = socket.write_all(text.as_bytes()).await;
        });
        address
    }

    async fn asked(text: &'static str) -> io::Result<Answer> {
        get(&says(text).await, "/readyz", Duration::from_secs(10)).await
    }

    #[tokio::test]
    async fn both_forms_of_a_body_are_read() {
        let plain = asked("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\n\r\nno\n").await;
        let chunked =
            asked("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nre\r\n3\r\nady\r\n0\r\n\r\n")
                .await;

        let answer = |status, body: &str| Answer {
            status,
            body: body.into(),
        };
        assert_eq!(plain.unwrap(), answer(503, "no"));
        assert_eq!(chunked.unwrap(), answer(200, "ready"));
    }

    #[tokio::test]
    async fn something_else_is_no_answer() {
        asked("SSH-2.0-OpenSSH_9.2\r\n\r\n").await.expect_err("no HTTP");
        asked("").await.expect_err("nothing");
        let endless = asked("HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n").await;
        endless.expect_err("an answer that is longer than a health check's");
    }

    #[tokio::test]
    async fn nobody_at_all_is_a_refused_connection() {
        let gone = TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap();

        let answer = get(&gone.to_string(), "/readyz", Duration::from_secs(10)).await;

        assert_eq!(
            answer.expect_err("nobody").kind(),
            io::ErrorKind::ConnectionRefused
        );
    }

    #[tokio::test]
    async fn a_silent_peer_is_given_up_on() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();

        let answer = get(&address, "/readyz", Duration::from_millis(50)).await;

        assert_eq!(answer.expect_err("silence").kind(), io::ErrorKind::TimedOut);
    }
}
