//! What `tests/autobahn.sh` talks to: the way of a real connection, with an echo in the place of the protocol.
//!
//! The socket, its HTTP, the upgrade, the reader, the outbox and the end are those of the gateway. Only the challenge is left
//! out, because the suite expects the first word for itself, and the checks of `Host` and `Origin`, which are not RFC 6455.

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::{
    budget::Budgets,
    connection::{
        Connection,
        inbound::{Inbound, Taken},
    },
    http::upgrade::switch,
    limits,
    outbox::Outbox,
    profile::{Arrival, Challenge},
    serve::bare,
};

#[tokio::test]
#[ignore = "serves tests/autobahn.sh until its standard input ends"]
async fn an_echo_for_the_autobahn_suite() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    println!("\nlistening on ws://{}", listener.local_addr().unwrap());
    let drain = Drain::new();
    let mut input =
        tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));

    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted.unwrap();
                tokio::spawn(serve_http(stream, drain.clone(), async |request| answer(request), || false));
            }
            _ = &mut input => return,
        }
    }
}

fn answer(mut request: Request<Body>) -> Response {
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

async fn echo(upgraded: hyper::upgrade::Upgraded) {
    let (stream, early) = bare(upgraded).unwrap();
    let arrival = Arrival {
        ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        reach: crate::admission::Reach::Local,
        browser: false,
        secure: false,
        bearer: None,
        user: None,
        challenge: Challenge::Never,
        rejection: None,
    };
    let budgets = Budgets::new(crate::budget::WAITING_MAX);
    let outbox = Outbox::new(limits::BUFFERED_BYTES_MAX, budgets.waiting.lease());
    let connection = Arc::new(Connection::new(1, "echo".to_owned(), arrival, stream, outbox));
    let lease = budgets.messages.lease();
    let mut inbound = Inbound::new(
        Arc::clone(&connection),
        &early,
        limits::PAYLOAD_MAX,
        lease,
        Arc::default(),
    );

    while let Some(message) = inbound.next().await {
        connection.send(message.text.into());
        inbound.taken(Taken::Begun, true);
    }
    connection.finish().await;
}
