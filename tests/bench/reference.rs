//! The reference for fan-out: a process that writes the same bytes to the same number of sockets and does nothing else.

use std::{process::Stdio, time::Duration};

use tokio::{
    io::{self, AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    process::{Child, ChildStdin, Command},
    time::interval,
};

/// The word that makes this binary the reference process.
pub(crate) const BARE_WRITER: &str = "bare-writer";

/// The running reference, and the sockets it writes to.
pub(crate) struct Bare {
    pub(crate) process: Child,
    pub(crate) sockets: Vec<TcpStream>,
    orders: ChildStdin,
}

impl Bare {
    pub(crate) async fn start(clients: usize, bytes: usize) -> Self {
        let own = std::env::current_exe().expect("the path of this program");
        let mut process = Command::new(own)
            .arg(BARE_WRITER)
            .args([clients.to_string(), bytes.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the reference process");
        let mut lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        let address = lines.next_line().await.expect("a line").expect("an address");
        let mut sockets = Vec::with_capacity(clients);
        for _ in 0..clients {
            sockets.push(TcpStream::connect(&address).await.expect("the reference process"));
        }
        let orders = process.stdin.take().expect("its input");
        Self {
            process,
            sockets,
            orders,
        }
    }

    /// Lets it write so many frames to each socket, with this pause between two.
    pub(crate) async fn write(&mut self, frames: u64, pause: Duration) {
        let order = format!("{frames} {}\n", pause.as_micros());
        let sent = self.orders.write_all(order.as_bytes()).await;
        sent.expect("a reference that listens");
    }
}

/// Accepts the sockets, and writes what it is told to until nobody tells it any more.
pub(crate) async fn bare_writer(mut arguments: impl Iterator<Item = String>) {
    let mut number = || {
        let number = arguments.next().and_then(|word| word.parse::<usize>().ok());
        number.expect("two numbers")
    };
    let (clients, bytes) = (number(), number());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("{}", listener.local_addr().expect("an address"));
    let mut sockets = Vec::new();
    for _ in 0..clients {
        let (socket, _) = listener.accept().await.expect("a client");
        socket.set_nodelay(true).expect("a socket option");
        sockets.push(socket);
    }
    let frame = frame(bytes);
    let mut orders = BufReader::new(io::stdin()).lines();
    while let Ok(Some(order)) = orders.next_line().await {
        let mut numbers = order.split(' ').map(|word| word.parse().expect("a number"));
        let mut number = || numbers.next().expect("two numbers");
        let (frames, pause) = (number(), Duration::from_micros(number()));
        let mut ticks = (!pause.is_zero()).then(|| interval(pause));
        for _ in 0..frames {
            if let Some(ticks) = &mut ticks {
                ticks.tick().await; // missed ticks come at once, as they do in the gateway's own load
            }
            for socket in &mut sockets {
                socket.write_all(&frame).await.expect("a reader");
            }
        }
    }
}

/// An unmasked text frame of this many bytes, between 126 and 65,535.
fn frame(bytes: usize) -> Vec<u8> {
    let length = u16::try_from(bytes).expect("a middle-sized frame");
    let mut frame = vec![0x81, 126];
    frame.extend(length.to_be_bytes());
    frame.resize(4 + bytes, b'x');
    frame
}
