//! `gatehouse forward`: passes TCP connections on, byte by byte. It lets an operator reach internal gRPC from the host without
//! publishing a port of the services themselves; the services still ask every caller for a credential.

use std::sync::Arc;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};

use crate::{
    args::Forward,
    exit::{Exit, Failed},
    output,
};

/// Connections at once over one route: an operator's tools.
const CONNECTIONS_MAX: usize = 64;

/// Forwards until it is asked to end.
pub(crate) async fn run(forward: &Forward) -> Result<(), Failed> {
    let drain = gatehouse_core::drain::on_signal(false)
        .map_err(|error| Failed::new(Exit::Failed, format!("cannot watch signals: {error}")))?;
    let mut routes = JoinSet::new();
    for route in &forward.routes {
        let (listen, target) = route.split_once('=').ok_or_else(|| {
            Failed::new(Exit::Usage, format!("{route:?} is no route"))
                .next("it looks like 0.0.0.0:7001=session:7000")
        })?;
        let listener = TcpListener::bind(listen)
            .await
            .map_err(|error| Failed::new(Exit::Failed, format!("cannot listen on {listen}: {error}")))?;
        output::line(&format!("{listen} leads to {target}"))?;
        routes.spawn(accept(listener, target.to_owned()));
    }
    drain.requested().await;
    routes.shutdown().await;
    Ok(())
}

async fn accept(listener: TcpListener, target: String) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
            return;
        };
        while connections.try_join_next().is_some() {}
        let Ok((mut near, _)) = listener.accept().await else {
            continue;
        };
        let target = target.clone();
        connections.spawn(async move {
            let _permit = permit;
            // A target that is away closes the connection: the tool at the other end says so.
            if let Ok(mut far) = TcpStream::connect(&target).await {
                let _ = copy_bidirectional(&mut near, &mut far).await;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn bytes_go_both_ways() {
        let target = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = target.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let (mut socket, _) = target.accept().await.unwrap();
            let mut word = [0; 4];
            socket.read_exact(&mut word).await.unwrap();
            socket.write_all(&word).await.unwrap();
        });
        let near = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let entrance = near.local_addr().unwrap();
        let forwarding = tokio::spawn(accept(near, address));

        let mut socket = TcpStream::connect(entrance).await.unwrap();
        socket.write_all(b"ping").await.unwrap();
        let mut word = [0; 4];
        socket.read_exact(&mut word).await.unwrap();

        assert_eq!(&word, b"ping");
        forwarding.abort();
    }

    #[tokio::test]
    async fn half_a_route_is_refused_with_an_example() {
        let failed = run(&Forward {
            routes: vec!["7001".into()],
        })
        .await
        .expect_err("no target");

        assert!(failed.to_string().contains("session:7000"), "{failed}");
    }
}
