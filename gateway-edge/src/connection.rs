//! One socket after its upgrade: its outbox, what is known about its owner, and the task that reads it.
//!
//! The hub writes to the socket itself; the task reads, and writes only what the kernel did not take at once. So an event
//! wakes nobody, and an idle connection is this value, one small task and no buffer.

use std::{
    collections::HashSet,
    io,
    net::{IpAddr, Shutdown},
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use gatehouse_contract::Grants;
use gatehouse_core::Secret;
use socket2::SockRef;
use tokio::{
    net::TcpStream,
    sync::Notify,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    admission::Reach,
    close::Close,
    dialect::{Client, Dialect},
    event::{Event, Rendition},
    frame::{
        opcode,
        reader::{Incoming, Reader},
    },
    outbox::{Full, Outbox},
};

/// What is read at once. It lives on the stack only while something is there to read.
const READ_BYTES: usize = 16 * 1024;

/// How long the last words may take, and how long the peer may take to answer them.
const LAST_WORDS_MAX: Duration = Duration::from_secs(2);

/// Topics of one connection. The Control UI listens to a few; a thousand open sessions are more than any screen shows.
const TOPICS_MAX: usize = 1024;

/// What is known about a connection's owner after the handshake.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) grants: Grants,
    pub(crate) dialect: Dialect,
    pub(crate) rendition: Rendition,
    pub(crate) client: Client,
    /// The digest of the token that opened the connection: when the house's changes, the connection ends.
    pub(crate) token_digest: [u8; 32],
    /// When it came, milliseconds since 1970.
    pub(crate) since_ms: i64,
}

/// How a request came to be a connection.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// The client's address, as far as the edge trusts it.
    pub(crate) ip: IpAddr,
    /// How many may stand behind that address.
    pub(crate) reach: Reach,
    /// Whether a browser page stands behind it.
    pub(crate) browser: bool,
    /// The token of the upgrade request.
    pub(crate) bearer: Option<Secret>,
}

/// One socket.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Counts the connections of this edge.
    pub(crate) number: u64,
    /// Names the connection in the whole house.
    pub(crate) id: Box<str>,
    pub(crate) arrival: Arrival,
    pub(crate) profile: OnceLock<Profile>,
    /// Requests that are not answered yet, and their bytes.
    pub(crate) in_flight: AtomicUsize,
    pub(crate) in_flight_bytes: AtomicUsize,
    /// What opened it is no longer good: it is shown nothing more, does nothing more, and is about to be closed.
    pub(crate) revoked: AtomicBool,
    /// Cancelled when the connection is over: what was asked on it is not needed any more.
    pub(crate) gone: CancellationToken,
    stream: TcpStream,
    sending: Mutex<Sending>,
    /// Tells the task that the kernel is full, or that the end has come.
    wake: Notify,
}

#[derive(Debug)]
struct Sending {
    outbox: Outbox,
    topics: HashSet<Box<str>>,
    last_pong: Instant,
    /// The kernel took no more: the task waits until it does, nobody else needs to try.
    blocked: bool,
    /// The last words are queued.
    closing: bool,
    /// The last words are about its not reading.
    slow: bool,
    /// The peer has said its own last words, or is gone.
    peer_done: bool,
}

impl Connection {
    pub(crate) fn new(
        number: u64,
        id: String,
        arrival: Arrival,
        stream: TcpStream,
        outbox_max: usize,
    ) -> Self {
        Self {
            number,
            id: id.into(),
            arrival,
            profile: OnceLock::new(),
            in_flight: AtomicUsize::new(0),
            in_flight_bytes: AtomicUsize::new(0),
            revoked: AtomicBool::new(false),
            gone: CancellationToken::new(),
            stream,
            sending: Mutex::new(Sending {
                outbox: Outbox::new(outbox_max),
                topics: HashSet::new(),
                last_pong: Instant::now(),
                blocked: false,
                closing: false,
                slow: false,
                peer_done: false,
            }),
            wake: Notify::new(),
        }
    }

    /// Sends a text that is for this connection alone.
    pub(crate) fn send(&self, text: Bytes) {
        self.push(|sending| sending.outbox.push_text(text));
    }

    /// Sends those of the events that are for this connection. `joined` is room for frames that the caller keeps, so that not
    /// every delivery makes its own.
    pub(crate) fn deliver(&self, events: &[Event], joined: &mut Vec<u8>) {
        let Some(profile) = self.profile.get() else { return };
        if self.revoked.load(Ordering::Acquire) {
            return;
        }
        self.push(|sending| {
            let Sending { outbox, topics, .. } = sending;
            let mine = events
                .iter()
                .filter(|event| event.audience.holds(profile, topics, &self.id));
            outbox.send_events(mine, joined, |bytes| self.write_direct(bytes))
        });
    }

    /// Tells that events were lost: a hole in the numbers for v4 clients, `gap` for plain ones.
    pub(crate) fn announce_gap(&self, gap: &Event) {
        match self.profile.get().map(|profile| profile.dialect) {
            Some(Dialect::V4) => self.lock().outbox.skip_number(),
            Some(Dialect::Plain) => self.push(|sending| sending.outbox.push_event(gap)),
            None => (),
        }
    }

    /// Asks for a sign of life.
    pub(crate) fn ping(&self) {
        self.push(|sending| {
            sending.outbox.push_control(opcode::PING, Vec::new());
            Ok(())
        });
    }

    /// How long the peer has given no sign of life.
    pub(crate) fn silent_for(&self) -> Duration {
        self.lock().last_pong.elapsed()
    }

    /// Says the last words. Whatever waits is sent before them.
    pub(crate) fn close(&self, close: &Close) {
        let mut sending = self.lock();
        self.close_locked(&mut sending, close);
    }

    /// Ends without a word.
    pub(crate) fn cut(&self) {
        self.gone.cancel();
    }

    /// Listens to a topic from now on. False when it listens to too many.
    pub(crate) fn listen(&self, topic: String) -> bool {
        let mut sending = self.lock();
        let room = sending.topics.len() < TOPICS_MAX || sending.topics.contains(topic.as_str());
        if room {
            sending.topics.insert(topic.into());
        }
        room
    }

    /// Stops listening to a topic.
    pub(crate) fn ignore(&self, topic: &str) {
        let mut sending = self.lock();
        sending.topics.remove(topic);
        if sending.topics.is_empty() {
            sending.topics = HashSet::new();
        }
    }

    /// Reads until the connection is over, or until its owner is known if `owner_only`. False: it is over.
    pub(crate) async fn read(
        &self,
        reader: &mut Reader,
        mut take: impl FnMut(&mut Reader, Incoming),
        owner_only: bool,
    ) -> bool {
        loop {
            if self.is_closing() {
                return false;
            }
            if owner_only && self.profile.get().is_some() {
                return true;
            }
            if !self.wait().await {
                return false;
            }
            match self.read_now(reader, &mut take) {
                Ok(true) => (),
                Ok(false) | Err(_) => {
                    self.lock().peer_done = true;
                    return false;
                }
            }
        }
    }

    /// Takes in bytes that came with the upgrade request or from the socket.
    pub(crate) fn digest(
        &self,
        reader: &mut Reader,
        mut input: &[u8],
        mut take: impl FnMut(&mut Reader, Incoming),
    ) {
        while !self.is_closing() {
            match reader.read(&mut input) {
                Ok(Some(Incoming::Ping(payload))) => self.push(|sending| {
                    sending.outbox.push_control(opcode::PONG, payload);
                    Ok(())
                }),
                Ok(Some(Incoming::Pong)) => self.lock().last_pong = Instant::now(),
                Ok(Some(Incoming::Close(code))) => {
                    self.lock().peer_done = true;
                    self.close(&Close {
                        code: code.unwrap_or(1000),
                        reason: "".into(),
                    });
                }
                Ok(Some(text @ Incoming::Text(_))) => take(reader, text),
                Ok(None) => return,
                Err(close) => self.close(&close),
            }
        }
    }

    /// Waits until the last words are written and the peer has answered, but not for ever.
    pub(crate) async fn finish(&self) {
        let last_words = async {
            let mut shut = false;
            loop {
                let (written, peer_done) = {
                    let sending = self.lock();
                    (sending.outbox.is_empty(), sending.peer_done)
                };
                if written && peer_done {
                    return;
                }
                if written && !shut {
                    shut = true;
                    if SockRef::from(&self.stream).shutdown(Shutdown::Write).is_err() {
                        return;
                    }
                }
                if !self.wait().await {
                    return;
                }
                let mut nothing = [0; READ_BYTES];
                match self.stream.try_read(&mut nothing) {
                    Ok(0) => self.lock().peer_done = true,
                    Err(error) if error.kind() != io::ErrorKind::WouldBlock => return,
                    Ok(_) | Err(_) => (),
                }
            }
        };
        if self.is_closing() {
            let _ = timeout(LAST_WORDS_MAX, last_words).await;
        }
        self.gone.cancel();
    }

    /// Waits for something to do, and writes what the kernel takes again. False: cut.
    async fn wait(&self) -> bool {
        let blocked = self.lock().blocked;
        let mut interest = tokio::io::Interest::READABLE;
        if blocked {
            interest |= tokio::io::Interest::WRITABLE;
        }
        tokio::select! {
            ready = self.stream.ready(interest) => {
                let Ok(ready) = ready else { return false };
                if blocked && ready.is_writable() {
                    let mut sending = self.lock();
                    sending.blocked = false;
                    self.flush(&mut sending);
                }
                true
            }
            () = self.wake.notified() => true,
            () = self.gone.cancelled() => false,
        }
    }

    fn read_now(
        &self,
        reader: &mut Reader,
        take: &mut impl FnMut(&mut Reader, Incoming),
    ) -> io::Result<bool> {
        let mut buffer = [0; READ_BYTES];
        match self.stream.try_read(&mut buffer) {
            Ok(0) => Ok(false),
            Ok(count) => {
                self.digest(reader, buffer.get(..count).unwrap_or_default(), take);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(true),
            Err(error) => Err(error),
        }
    }

    fn push(&self, queue: impl FnOnce(&mut Sending) -> Result<(), Full>) {
        let mut sending = self.lock();
        if sending.closing {
            return;
        }
        if queue(&mut sending) == Err(Full) {
            sending.outbox.give_up();
            sending.slow = true;
            self.close_locked(&mut sending, &Close::SLOW_CONSUMER);
            return;
        }
        self.flush(&mut sending);
    }

    fn close_locked(&self, sending: &mut Sending, close: &Close) {
        if sending.closing {
            return;
        }
        sending.closing = true;
        sending.outbox.push_control(opcode::CLOSE, close.payload());
        self.flush(sending);
        self.wake.notify_one();
    }

    fn flush(&self, sending: &mut Sending) {
        if sending.blocked || sending.outbox.is_empty() {
            return;
        }
        match sending
            .outbox
            .flush(|slices| self.stream.try_write_vectored(slices))
        {
            Ok(()) => (),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                sending.blocked = true;
                self.wake.notify_one();
            }
            Err(_) => self.gone.cancel(),
        }
    }

    /// Writes past the runtime, which would look up first whether the socket is ready: a cache miss for each of all sockets.
    /// What is refused here is tried again through the runtime, which then knows that the socket is full.
    fn write_direct(&self, bytes: &[u8]) -> io::Result<usize> {
        SockRef::from(&self.stream).send(bytes)
    }

    /// Whether it was closed because the peer did not read.
    pub(crate) fn is_slow(&self) -> bool {
        self.lock().slow
    }

    /// Whether the last words are said.
    pub(crate) fn is_closing(&self) -> bool {
        self.lock().closing
    }

    fn lock(&self) -> MutexGuard<'_, Sending> {
        self.sending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
