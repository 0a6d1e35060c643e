//! The reference for fan-out: a process that writes the same bytes to the same number of sockets and does nothing else.

use std::{process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    time::interval,
};

/// The word that makes this binary the reference process.
pub(crate) const BARE_WRITER: &str = "bare-writer";

/// A paced load: so many events a second, to so many sockets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) clients: usize,
    pub(crate) events: u64,
    pub(crate) pause: Duration,
    pub(crate) bytes: usize,
}

/// The running reference, and the sockets it writes to. It starts to write when all are connected.
pub(crate) struct Bare {
    pub(crate) process: Child,
    pub(crate) sockets: Vec<TcpStream>,
}

impl Bare {
    pub(crate) async fn start(load: Load) -> Self {
        let own = std::env::current_exe().expect("the path of this program");
        let mut process = Command::new(own)
            .arg(BARE_WRITER)
            .args([
                load.clients.to_string(),
                load.events.to_string(),
                load.pause.as_micros().to_string(),
                load.bytes.to_string(),
            ])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the reference process");
        let mut lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        let address = lines.next_line().await.expect("a line").expect("an address");
        let mut sockets = Vec::with_capacity(load.clients);
        for _ in 0..load.clients {
            sockets.push(TcpStream::connect(&address).await.expect("the reference process"));
        }
        Self { process, sockets }
    }
}

/// Accepts the sockets, writes the load to each, and waits to be killed.
pub(crate) async fn bare_writer(mut arguments: impl Iterator<Item = String>) {
    let mut number = || {
        arguments
            .next()
            .and_then(|word| word.parse::<u64>().ok())
            .expect("four numbers")
    };
    let (clients, events, pause, bytes) = (number(), number(), Duration::from_micros(number()), number());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("{}", listener.local_addr().expect("an address"));
    let mut sockets = Vec::new();
    for _ in 0..clients {
        let (socket, _) = listener.accept().await.expect("a client");
        socket.set_nodelay(true).expect("a socket option");
        sockets.push(socket);
    }
    let frame = frame(usize::try_from(bytes).expect("a small number"));
    let mut ticks = (!pause.is_zero()).then(|| interval(pause));
    for _ in 0..events {
        if let Some(ticks) = &mut ticks {
            ticks.tick().await; // missed ticks come at once, as they do in the house's own load
        }
        for socket in &mut sockets {
            socket.write_all(&frame).await.expect("a reader");
        }
    }
    std::future::pending::<()>().await;
}

/// An unmasked text frame of this many bytes, between 126 and 65,535.
fn frame(bytes: usize) -> Vec<u8> {
    let length = u16::try_from(bytes).expect("a middle-sized frame");
    let mut frame = vec![0x81, 126];
    frame.extend(length.to_be_bytes());
    frame.resize(4 + bytes, b'x');
    frame
}
