//! Where the gateway of this home is, as its edge writes it down.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::http;

/// How long the edge may take to say whether the gateway takes messages; it asks its services for 0.8 s at most.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);

/// Where the gateway is, as its edge says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) port: u16,
    /// The SHA-256 of its certificate, where it speaks TLS to other machines.
    pub(super) fingerprint: Option<String>,
}

impl Place {
    /// Where it is, once it takes messages: before, its edge has written its address, and not yet by what its certificate is known.
    pub(super) async fn ready(url_file: &Path) -> Option<Self> {
        let url = fs::read_to_string(url_file).ok()?;
        let authority = url.trim().trim_start_matches("ws://").trim_end_matches('/');
        let answer = http::get(authority, "/readyz", ANSWERS_WITHIN).await.ok()?;
        (answer.status == 200).then(|| Self::read(url_file))?
    }

    pub(super) fn read(url_file: &Path) -> Option<Self> {
        let url = fs::read_to_string(url_file).ok()?;
        let port = url
            .trim()
            .trim_end_matches('/')
            .rsplit_once(':')?
            .1
            .parse()
            .ok()?;
        let certificate: PathBuf = url_file.with_file_name("edge.tls");
        let fingerprint = fs::read_to_string(certificate)
            .ok()
            .map(|text| text.trim().to_owned());
        Some(Self {
            port,
            fingerprint: fingerprint.filter(|text| !text.is_empty() && text.len() <= 128),
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[test]
    fn the_place_is_what_the_edge_wrote_and_nothing_else_is_taken_for_one() {
        let run = tempfile::tempdir().unwrap();
        let file = run.path().join("edge.url");
        assert_eq!(Place::read(&file), None);
        fs::write(&file, "ws://[::]:4321\n").unwrap();
        fs::write(run.path().join("edge.tls"), "ab12\n").unwrap();

        let read = Place::read(&file).unwrap();

        assert_eq!((read.port, read.fingerprint.as_deref()), (4321, Some("ab12")));
        fs::write(&file, "somewhere").unwrap();
        assert_eq!(Place::read(&file), None);
    }

    #[tokio::test]
    async fn a_place_is_told_once_messages_are_taken_there_with_the_certificate_that_it_has_by_then() {
        let run = tempfile::tempdir().unwrap();
        let file = run.path().join("edge.url");
        let edge = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = edge.local_addr().unwrap().port();
        fs::write(&file, format!("ws://127.0.0.1:{port}\n")).unwrap();
        let certificate = run.path().join("edge.tls");
        let answers = tokio::spawn(async move {
            for status in ["503 Service Unavailable", "200 OK"] {
                let (mut socket, _) = edge.accept().await.unwrap();
                let mut asked = [0; 1024];
                let length = socket.read(&mut asked).await.unwrap();
                assert!(asked[..length].starts_with(b"GET /readyz "));
                fs::write(&certificate, "ab12\n").unwrap(); // while it starts
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                socket.write_all(answer.as_bytes()).await.unwrap();
            }
        });

        assert_eq!(Place::ready(&file).await, None, "it starts");
        let place = Place::ready(&file).await.unwrap();

        answers.await.unwrap();
        assert_eq!((place.port, place.fingerprint.as_deref()), (port, Some("ab12")));
        assert_eq!(Place::ready(&file).await, None, "nobody is there");
    }
}
