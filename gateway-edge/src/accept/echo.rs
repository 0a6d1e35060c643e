//! What `tests/autobahn.sh` talks to: the way of a real connection, with an echo in the place of the protocol.
//!
//! The socket, its HTTP, the upgrade, the reader, the outbox and the end are those of the house. Only the challenge is left
//! out, because the suite expects the first word for itself, and the checks of `Host` and `Origin`, which are not RFC 6455.

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::http::switch;

#[tokio::test]
#[ignore = "serves tests/autobahn.sh until its standard input ends"]
async fn an_echo_for_the_autobahn_suite() {
    let door = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    println!("\nlistening on ws://{}", door.local_addr().unwrap());
    let drain = Drain::new();
    let mut input =
        tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));

    loop {
        tokio::select! {
            accepted = door.accept() => {
                let (stream, _) = accepted.unwrap();
                tokio::spawn(speak_http(stream, drain.clone(), async |request| answer(request)));
            }
            _ = &mut input => return,
        }
    }
}

fn answer(mut request: Request<Body>) -> Response<Full<Bytes>> {
    let (response, upgrade) = match switch(&mut request) {
        Ok(switched) => switched,
        Err(response) => return *response,
    };
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            echo(upgraded).await;
        }
    });
    response
}

async fn echo(upgraded: Upgraded) {
    let (stream, early) = bare(upgraded).unwrap();
    let arrival = Arrival {
        ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        reach: crate::admission::Reach::Local,
        browser: false,
        bearer: None,
    };
    let connection = Connection::new(1, "echo".to_owned(), arrival, stream, crate::outbox::BYTES_MAX);
    let mut reader = Reader::new(hello::PAYLOAD_MAX);
    let repeat = |_: &mut Reader, incoming| {
        if let Incoming::Text(text) = incoming {
            connection.send(text.into());
        }
    };

    connection.digest(&mut reader, &early, repeat);
    connection.read(&mut reader, repeat, false).await;
    connection.finish().await;
}
