//! `gatehouse forward`: passes TCP connections on, byte by byte. It lets an operator's gRPC tools, many of which know no Unix sockets,
//! reach internal gRPC without a port of the services themselves; the services still ask every caller for a credential.

use std::{net::SocketAddr, sync::Arc};

use clap::ValueEnum;
use gatehouse_core::{Address, Home, ServiceSettings};
use serde_json::json;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream, UnixStream},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_util::either::Either;

use crate::{
    args::{Backend, Common, Forward},
    exit::{Exit, Failed},
    output,
    service::{by_backend, environment},
};

/// Connections at once over one route: an operator's tools.
const CONNECTIONS_MAX: usize = 64;

/// From where to where.
#[derive(Debug)]
struct Route {
    listen: String,
    target: Address,
    /// The service of the home that it leads to, when one was named.
    service: Option<gatehouse_core::Service>,
}

/// Forwards until it is asked to end.
pub(crate) async fn run(common: &Common, forward: &Forward) -> Result<(), Failed> {
    let drain = gatehouse_core::drain::on_signal(false)
        .map_err(|error| Failed::new(Exit::Failed, format!("cannot watch signals: {error}")))?;
    let planned = forward.routes.iter().map(|text| route(common, forward, text));
    let planned = planned.collect::<Result<Vec<_>, _>>()?;
    let mut routes = JoinSet::new();
    for Route {
        listen,
        target,
        service,
    } in planned
    {
        if let Some(service) = service {
            // A port that leads nowhere would look like a fault of the tool.
            connect(&target).await.map_err(|error| {
                Failed::new(
                    Exit::Unavailable,
                    format!("{service} does not answer at {target}: {error}"),
                )
                .next("`gatehouse status` shows what runs; --home names another home")
            })?;
        }
        let bound = TcpListener::bind(&listen).await;
        let bound = bound.and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (at, listener) = bound
            .map_err(|error| Failed::new(Exit::Failed, format!("cannot listen on {listen}: {error}")))?;
        say(common, at, &target, service)?;
        routes.spawn(accept(listener, target));
    }
    drain.requested().await;
    routes.shutdown().await;
    Ok(())
}

/// What one word of the command line means.
fn route(common: &Common, forward: &Forward, text: &str) -> Result<Route, Failed> {
    if let Some((listen, target)) = text.split_once('=') {
        return Ok(Route {
            listen: listen.to_owned(),
            target: Address::Tcp(target.to_owned()),
            service: None,
        });
    }
    let Ok(backend) = Backend::from_str(text, false) else {
        let names: Vec<_> = Backend::value_variants()
            .iter()
            .filter_map(|backend| Some(backend.to_possible_value()?.get_name().to_owned()))
            .collect();
        return Err(
            Failed::new(Exit::Usage, format!("{text:?} is neither a service nor a route")).next(format!(
                "services are {}; a route looks like 0.0.0.0:7001=session:7000",
                names.join(", ")
            )),
        );
    };
    if !forward.listen.ip().is_loopback() && !forward.force {
        return Err(Failed::new(
            Exit::Refused,
            format!(
                "{} is reached from other machines, and nothing between them and the port is encrypted",
                forward.listen
            ),
        )
        .next("listen on 127.0.0.1 and use `ssh -L`; --force does it all the same"));
    }
    let service = by_backend(backend);
    let settings = ServiceSettings::read(&environment(common), service)
        .map_err(|error| Failed::new(Exit::Configuration, error.to_string()))?;
    Ok(Route {
        listen: forward.listen.to_string(),
        target: settings.peers.address(service).clone(),
        service: Some(service),
    })
}

/// Says where it listens, and the first thing to do there.
fn say(
    common: &Common,
    at: SocketAddr,
    target: &Address,
    service: Option<gatehouse_core::Service>,
) -> Result<(), Failed> {
    let Some(service) = service else {
        return output::line(&format!(
            "{at} leads to {}",
            target.to_string().trim_start_matches("tcp:")
        ));
    };
    if common.json {
        let line = json!({"listen": at.to_string(), "service": service.name(), "target": target.to_string()});
        return output::line(&line.to_string());
    }
    let credential = Home::read(&environment(common)).credentials.join("operator");
    output::line(&format!(
        "{at} leads to {service} ({target}); for example:\n  grpcurl -plaintext -H \"authorization: Bearer $(cat {})\" {at} list",
        credential.display()
    ))
}

async fn connect(target: &Address) -> std::io::Result<Either<TcpStream, UnixStream>> {
    match target {
        Address::Tcp(host) => Ok(Either::Left(TcpStream::connect(host).await?)),
        Address::Unix(path) => Ok(Either::Right(UnixStream::connect(path).await?)),
    }
}

async fn accept(listener: TcpListener, target: Address) {
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
            if let Ok(mut far) = connect(&target).await {
                let _ = copy_bidirectional(&mut near, &mut far).await;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::Parser;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::UnixListener,
    };

    use super::*;
    use crate::{
        args::{Cli, Command},
        home::Found,
    };

    fn parsed(home: &Path, words: &[&str]) -> (Common, Forward) {
        let cli = Cli::try_parse_from([&["gatehouse", "forward"], words].concat()).unwrap();
        let common = Common {
            url: None,
            token: None,
            token_file: None,
            tls_fingerprint: None,
            home: home.to_owned(),
            found: Found::Named,
            json: false,
            run_dir: None,
            no_color: None,
        };
        match cli.command {
            Command::Forward(forward) => (common, forward),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn bytes_go_both_ways_to_a_port_and_to_a_socket() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("session.sock");
        let (tcp, unix) = (
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
            UnixListener::bind(&path).unwrap(),
        );
        let address = Address::Tcp(tcp.local_addr().unwrap().to_string());
        tokio::spawn(async move { echo(tcp.accept().await.unwrap().0).await });
        tokio::spawn(async move { echo(unix.accept().await.unwrap().0).await });

        for target in [address, Address::Unix(path)] {
            let near = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let entrance = near.local_addr().unwrap();
            let forwarding = tokio::spawn(accept(near, target));
            let mut socket = TcpStream::connect(entrance).await.unwrap();
            socket.write_all(b"ping").await.unwrap();
            let mut word = [0; 4];
            socket.read_exact(&mut word).await.unwrap();

            assert_eq!(&word, b"ping");
            forwarding.abort();
        }
    }

    async fn echo(mut socket: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin) {
        let mut word = [0; 4];
        socket.read_exact(&mut word).await.unwrap();
        socket.write_all(&word).await.unwrap();
    }

    #[test]
    fn a_service_is_found_in_its_home_and_kept_from_other_machines() {
        let plan = |more: &[&str]| {
            let (common, forward) = parsed(Path::new("/h"), &[&["session"], more].concat());
            route(&common, &forward, &forward.routes[0])
        };

        let found = plan(&[]).unwrap();
        assert_eq!(found.target, Address::Unix("/h/run/session.sock".into()));
        assert_eq!(found.listen, "127.0.0.1:0");
        let refused = plan(&["--listen", "0.0.0.0:7004"]).unwrap_err();
        assert_eq!(refused.exit, Exit::Refused);
        assert!(refused.to_string().contains("--force"), "{refused}");
        plan(&["--listen", "0.0.0.0:7004", "--force"]).unwrap();
    }

    #[tokio::test]
    async fn a_service_that_does_not_run_is_said_before_anything_listens() {
        let home = tempfile::tempdir().unwrap();
        let (common, forward) = parsed(home.path(), &["agent"]);

        let failed = run(&common, &forward).await.unwrap_err();

        assert_eq!(failed.exit, Exit::Unavailable);
        assert!(failed.to_string().contains("agent does not answer"), "{failed}");
    }

    #[tokio::test]
    async fn half_a_route_is_refused_with_an_example() {
        let (common, forward) = parsed(Path::new("/h"), &["7001"]);

        let failed = run(&common, &forward).await.unwrap_err();

        assert!(
            failed.to_string().contains("session:7000") && failed.to_string().contains("channel-bridge"),
            "{failed}"
        );
    }
}
