//! One connection to an IRC server, from the socket to its end.

use std::{sync::Arc, time::Duration};

use gatehouse_core::{Chain, Clock};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{ReadHalf, WriteHalf, split},
    net::TcpStream,
    time::{self, Instant},
};
use tokio_rustls::TlsConnector;

use super::{
    config::IrcConfig,
    line::Line,
    questions::Questions,
    register::{Register, Step},
    registered::{Event, Registered},
    say::{Outcome, Saying},
    wire::{self, Reader, Socket},
};
use crate::adapter::{Ended, InboundMessage, Link, ReceiveError, SendError};

/// From the first packet to the welcome.
const ENTER_WITHIN: Duration = Duration::from_secs(30);
/// A silent server is asked whether it is there, so that silence means something.
const PING_EVERY: Duration = Duration::from_secs(30);
/// How long a message waits for room in the inbox before the line stops being read.
const INBOX_RETRY: Duration = Duration::from_millis(200);

type Input = Reader<ReadHalf<Box<dyn Socket>>>;
type Output = WriteHalf<Box<dyn Socket>>;

/// Runs until the connection ends.
pub(crate) async fn run(config: &IrcConfig, clock: &Clock, link: Link) -> Ended {
    over(connect(config), config, clock, link).await
}

/// Runs over the socket that comes out of this.
pub(crate) async fn over(
    socket: impl Future<Output = Result<Box<dyn Socket>, Ended>>,
    config: &IrcConfig,
    clock: &Clock,
    mut link: Link,
) -> Ended {
    let entered = time::timeout(ENTER_WITHIN, enter(socket, config, clock, &link)).await;
    let (mut session, mut input, mut output) = match entered {
        Ok(Ok(entered)) => entered,
        Ok(Err(ended)) => return ended,
        Err(_) => return Ended::Retry("the server did not welcome us within 30 seconds".into()),
    };
    let greeting = session.greet(config, Instant::now());
    if let Err(ended) = write(&mut output, &greeting).await {
        return ended;
    }
    // Before anybody can think of asking.
    let mut wanted = link.progress.questions();
    link.progress.connected();

    let mut ping = time::interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    let mut questions = Questions::new();
    let mut saying: Option<Saying> = None;
    loop {
        // Rejoins, overdue answers: nothing is looked at before one of them is due.
        let due = [
            session.due(),
            questions.due(),
            saying.as_ref().and_then(|saying| saying.due(&questions)),
        ];
        let due = due.into_iter().flatten().min();
        let lines = tokio::select! {
            message = input.next() => {
                let line: Line = match message {
                    Ok(Some(message)) => message.into(),
                    Ok(None) => return Ended::Retry("the server closed the connection".into()),
                    Err(error) => return Ended::Retry(format!("the connection broke: {}", Chain(&error))),
                };
                link.progress.heard();
                let mut lines = Vec::new();
                let answered = questions.on(&line);
                if let Some(current) = saying.take() {
                    let outcome = current.on(&line, answered, &mut questions, Instant::now());
                    settle(outcome, &mut saying, &mut lines);
                }
                match session.on(&line, Instant::now()) {
                    Some(Event::Write(line)) => lines.push(line),
                    Some(Event::End(reason)) => return Ended::Retry(reason),
                    Some(Event::Said(message)) => hand_in(&link, *message).await,
                    None => {}
                }
                lines
            }
            request = link.outgoing.recv(), if saying.is_none() => {
                let Some(request) = request else {
                    let _ = time::timeout(Duration::from_secs(1), wire::write(&mut output, "QUIT :Gatehouse")).await;
                    return Ended::Retry("asked to end".into());
                };
                let mut lines = Vec::new();
                if request.abandoned() {
                    continue;
                }
                if session.rooms.outside(session.case, request.part().to.as_str()) {
                    request.answer(Err(SendError::retry("not in the room yet")));
                } else {
                    settle(Saying::begin(request, &mut questions, Instant::now()), &mut saying, &mut lines);
                }
                lines
            }
            () = time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                let mut lines = session.tick(Instant::now());
                lines.extend(questions.rephrased(session.nick(), Instant::now()));
                if let Some(current) = saying.take() {
                    settle(current.tick(&mut questions, Instant::now()), &mut saying, &mut lines);
                }
                lines
            }
            _ = ping.tick() => vec![questions.ping(Instant::now()).1],
            Ok(()) = wanted.changed() => vec![questions.ping(Instant::now()).1],
        };
        if let Err(ended) = write(&mut output, &lines).await {
            return ended;
        }
    }
}

fn settle(outcome: Outcome, saying: &mut Option<Saying>, lines: &mut Vec<String>) {
    match outcome {
        Outcome::Pending(current, more) => {
            lines.extend(more);
            *saying = Some(current);
        }
        Outcome::Done(request, result) => request.answer(result),
    }
}

/// IRC cannot be asked to say it again, so a full inbox holds the line up: the server's queue fills, and the people in
/// the room see the assistant lag instead of being ignored.
async fn hand_in(link: &Link, message: InboundMessage) {
    loop {
        match link.inbound.receive(message.clone()).await {
            Ok(_) => return,
            Err(ReceiveError::Invalid(problem)) => {
                tracing::warn!(problem, "a message was left out");
                return;
            }
            Err(error @ (ReceiveError::Full | ReceiveError::Store(_))) => {
                tracing::warn!(error = %Chain(&error), "a message waits to be committed");
                time::sleep(INBOX_RETRY).await;
            }
        }
    }
}

async fn enter(
    socket: impl Future<Output = Result<Box<dyn Socket>, Ended>>,
    config: &IrcConfig,
    clock: &Clock,
    link: &Link,
) -> Result<(Registered, Input, Output), Ended> {
    let (input, mut output) = split(socket.await?);
    let mut input = Reader::new(input);
    let (mut register, lines) = Register::start(config);
    write(&mut output, &lines).await?;
    loop {
        let line: Line = match input.next().await {
            Ok(Some(message)) => message.into(),
            Ok(None) => return Err(Ended::Retry("the server closed the connection".into())),
            Err(error) => return Err(Ended::Retry(format!("the connection broke: {}", Chain(&error)))),
        };
        link.progress.heard();
        if line.verb == "PING" {
            write(&mut output, &[format!("PONG :{}", line.last())]).await?;
            continue;
        }
        match register.on(config, &line) {
            Step::Write(lines) => write(&mut output, &lines).await?,
            Step::End(reason) => return Err(Ended::Retry(reason)),
            Step::Welcome(nick) => {
                let session = Registered::new(config, nick, clock.clone(), Instant::now());
                return Ok((session, input, output));
            }
        }
    }
}

async fn connect(config: &IrcConfig) -> Result<Box<dyn Socket>, Ended> {
    let retry = |error: &std::io::Error| {
        Ended::Retry(format!(
            "cannot connect to {}:{}: {error}",
            config.server, config.port
        ))
    };
    let socket = TcpStream::connect((config.server.as_str(), config.port))
        .await
        .map_err(|error| retry(&error))?;
    socket.set_nodelay(true).map_err(|error| retry(&error))?;
    if !config.tls {
        return Ok(Box::new(socket));
    }
    let name = ServerName::try_from(config.server.clone())
        .map_err(|_| Ended::Failed("server: not a name that a certificate can carry".into()))?;
    let connector = TlsConnector::from(Arc::new(trust(config)?));
    let socket = connector
        .connect(name, socket)
        .await
        .map_err(|error| retry(&error))?;
    Ok(Box::new(socket))
}

/// The longest file of certificates: all public roots together have a quarter of it.
const CA_FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The public roots, those of this machine, and the operator's own.
fn trust(config: &IrcConfig) -> Result<ClientConfig, Ended> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(file) = &config.tls_ca_file {
        let unreadable =
            |reason: String| Ended::Failed(format!("tlsCaFile: {} {reason}", file.path().display()));
        let pem = file
            .read(CA_FILE_BYTES_MAX)
            .map_err(|error| unreadable(error.to_string()))?;
        for certificate in CertificateDer::pem_slice_iter(&pem.bytes) {
            let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
            roots
                .add(certificate)
                .map_err(|error| unreadable(error.to_string()))?;
        }
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Ended::Failed(format!("tls: {error}")))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

async fn write(output: &mut Output, lines: &[String]) -> Result<(), Ended> {
    for line in lines {
        wire::write(output, line)
            .await
            .map_err(|error| Ended::Retry(format!("the connection broke: {error}")))?;
    }
    Ok(())
}
