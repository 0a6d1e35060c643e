//! One plain GET to our own edge, for readiness and health checks. Not a general HTTP client.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// The answer to a health check is a few lines.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

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
    let mut socket = TcpStream::connect(authority).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    socket.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes).await?;
    parse(&String::from_utf8_lossy(&bytes))
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is no HTTP"))
}

fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.split("\r\n");
    let status = lines
        .next()?
        .strip_prefix("HTTP/1.")?
        .split(' ')
        .nth(1)?
        .parse()
        .ok()?;
    let chunked = lines.any(|line| {
        let line = line.to_ascii_lowercase();
        line.starts_with("transfer-encoding:") && line.contains("chunked")
    });
    let body = if chunked {
        join_chunks(body)
    } else {
        body.to_owned()
    };
    Some(Answer {
        status,
        body: body.trim().to_owned(),
    })
}

fn join_chunks(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        let Some((chunk, after)) = after.split_at_checked(size) else {
            break;
        };
        if size == 0 {
            break;
        }
        body.push_str(chunk);
        rest = after.trim_start_matches("\r\n");
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_body_are_read() {
        let plain = parse("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\n\r\nno\n").unwrap();
        let chunked =
            parse("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nre\r\n3\r\nady\r\n0\r\n\r\n")
                .unwrap();

        assert_eq!(
            plain,
            Answer {
                status: 503,
                body: "no".into()
            }
        );
        assert_eq!(
            chunked,
            Answer {
                status: 200,
                body: "ready".into()
            }
        );
    }

    #[test]
    fn something_else_is_no_answer() {
        assert_eq!(parse("SSH-2.0-OpenSSH_9.2\r\n\r\n"), None);
        assert_eq!(parse(""), None);
    }

    #[tokio::test]
    async fn a_silent_peer_is_given_up_on() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();

        let answer = get(&address, "/readyz", Duration::from_millis(50)).await;

        assert_eq!(answer.expect_err("silence").kind(), io::ErrorKind::TimedOut);
    }
}
