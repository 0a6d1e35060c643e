//! One socket after its upgrade: its outbox, what is known about its owner, and the task that reads it.
//!
//! The hub writes to the socket itself; the task ([`inbound`]) reads, and writes only what the kernel did not take at once. So
//! an event wakes nobody, and an idle connection is this value, one small task and no buffer.

use std::{
    collections::HashSet,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use socket2::SockRef;
use tokio::{
    net::TcpStream,
    sync::{Notify, Semaphore},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use crate::{
    close::Close,
    dialect::Dialect,
    event::Event,
    outbox::{Full, Outbox},
    profile::{Arrival, Profile},
};

mod ending;
pub(crate) mod inbound;
pub(crate) mod pace;
mod wait;

/// Topics of one connection. The Control UI listens to a few; a thousand open sessions are more than any screen shows.
const TOPICS_MAX: usize = 1024;

/// What may wait for a peer that is still read from. Beyond it the peer has to take its answers before it may ask again; less
/// than this is a peer that is busy for a moment.
const WAITING_MAX: usize = 64 * 1024;

/// A message that holds memory may take this long, and longer by its size at the slowest pace that is waited for.
const MESSAGE_PATIENCE: Duration = Duration::from_secs(30);

/// One megabit a second, the upload of a poor line.
const MESSAGE_PACE_BYTES: usize = 128 * 1024;

/// One socket.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Counts the connections of this edge.
    pub(crate) number: u64,
    /// Names the connection in the whole gateway.
    pub(crate) id: Box<str>,
    pub(crate) arrival: Arrival,
    pub(crate) profile: OnceLock<Profile>,
    /// Requests that are not answered yet, and their bytes.
    pub(crate) in_flight: AtomicUsize,
    /// Requests that may take long, which are counted apart.
    pub(crate) waits: AtomicUsize,
    pub(crate) in_flight_bytes: AtomicUsize,
    /// What opened it is no longer good: it is shown nothing more, does nothing more, and is about to be closed.
    pub(crate) revoked: AtomicBool,
    /// The turns in which its large answers come.
    pub(crate) large_answers: Arc<Semaphore>,
    /// Cancelled when the connection is over: what was asked on it is not needed any more.
    pub(crate) gone: CancellationToken,
    stream: TcpStream,
    sending: Mutex<Sending>,
    /// The instances that it shows to somebody, for the presence list: as many as the contract allows in one call.
    watched: Mutex<Vec<String>>,
    /// Tells the task that the kernel is full, or that the end has come.
    wake: Notify,
}

#[derive(Debug)]
struct Sending {
    outbox: Outbox,
    topics: HashSet<Box<str>>,
    /// When the peer answered a PING, or took something that had waited for it.
    last_alive: Instant,
    /// Since when a message has been under way for which memory is leased, and how much.
    holds: Option<(Instant, usize)>,
    /// The kernel took no more: the task waits until it does, nobody else needs to try.
    blocked: bool,
    /// The last words are queued.
    closing: bool,
    /// The last words are about its not reading.
    slow: bool,
    /// The last words are about a flood.
    flooded: bool,
    /// The peer has said its own last words, or is gone.
    peer_done: bool,
}

impl Connection {
    pub(crate) fn new(number: u64, id: String, arrival: Arrival, stream: TcpStream, outbox: Outbox) -> Self {
        Self {
            number,
            id: id.into(),
            arrival,
            profile: OnceLock::new(),
            in_flight: AtomicUsize::new(0),
            waits: AtomicUsize::new(0),
            in_flight_bytes: AtomicUsize::new(0),
            revoked: AtomicBool::new(false),
            large_answers: Arc::new(Semaphore::new(1)),
            gone: CancellationToken::new(),
            stream,
            sending: Mutex::new(Sending {
                outbox,
                topics: HashSet::new(),
                last_alive: Instant::now(),
                holds: None,
                blocked: false,
                closing: false,
                slow: false,
                flooded: false,
                peer_done: false,
            }),
            watched: Mutex::default(),
            wake: Notify::new(),
        }
    }

    /// Both ends of the socket, the peer's first. `None`: it is gone.
    pub(crate) fn ends(&self) -> Option<(SocketAddr, SocketAddr)> {
        Some((self.stream.peer_addr().ok()?, self.stream.local_addr().ok()?))
    }

    /// The count that a request belongs to.
    pub(crate) fn under_way(&self, wait: bool) -> &AtomicUsize {
        if wait { &self.waits } else { &self.in_flight }
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
        self.push(|sending| sending.outbox.push_ping());
    }

    /// Answers a PING.
    pub(crate) fn pong(&self, payload: Vec<u8>) {
        self.push(|sending| sending.outbox.push_pong(payload));
    }

    /// The peer is there.
    pub(crate) fn mark_alive(&self) {
        self.lock().last_alive = Instant::now();
    }

    /// How long the peer has given no sign of life.
    pub(crate) fn silent_for(&self) -> Duration {
        self.lock().last_alive.elapsed()
    }

    /// Whether a message is under way for which memory is leased.
    pub(crate) fn is_receiving(&self) -> bool {
        self.lock().holds.is_some()
    }

    /// A message is under way for which so many bytes are leased; 0: none is.
    pub(crate) fn holds(&self, bytes: usize) {
        let mut sending = self.lock();
        let since = sending.holds.map_or_else(Instant::now, |(since, _)| since);
        sending.holds = (bytes > 0).then_some((since, bytes));
    }

    /// Ends a connection whose message holds memory for longer than its size explains.
    pub(crate) fn check_message(&self) {
        let mut sending = self.lock();
        let late = sending.holds.is_some_and(|(since, bytes)| {
            let seconds = u64::try_from(bytes / MESSAGE_PACE_BYTES).unwrap_or(0);
            since.elapsed() > MESSAGE_PATIENCE + Duration::from_secs(seconds)
        });
        if late {
            self.close_locked(&mut sending, &Close::MESSAGE_TOO_SLOW);
        }
    }

    /// Since when the peer has taken nothing of what waits for it alone, and how much that is. `None`: nothing waits.
    pub(crate) fn unread(&self) -> Option<(Instant, usize)> {
        let sending = self.lock();
        let waits = sending.blocked && !sending.closing;
        waits.then(|| (sending.last_alive, sending.outbox.own()))
    }

    /// Ends a connection whose peer does not read. What waits for it is given up.
    pub(crate) fn close_slow(&self) {
        self.give_up(&mut self.lock());
    }

    /// The same where memory is short. A frame that is partly written is given up as well when more of it is left than `kept_max`
    /// bytes: the last words can only follow it, and it would be held until a peer that reads nothing has read it.
    pub(crate) fn give_way(&self, kept_max: usize) {
        let mut sending = self.lock();
        if sending.outbox.under_way() <= kept_max {
            return self.give_up(&mut sending);
        }
        (sending.closing, sending.slow) = (true, true);
        sending.outbox.clear(); // at once: nobody else is to give way for what this one held
        self.cut();
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

    /// The peer has said its last words, or is gone.
    fn peer_has_ended(&self) {
        self.lock().peer_done = true;
    }

    /// Subscribes to a topic. False: there are too many subscriptions.
    pub(crate) fn subscribe(&self, topic: String) -> bool {
        let mut sending = self.lock();
        let room = sending.topics.len() < TOPICS_MAX || sending.topics.contains(topic.as_str());
        if room {
            sending.topics.insert(topic.into());
        }
        room
    }

    /// Notes what it looks at, in the place of what it looked at before. Answers whether that is something else.
    pub(crate) fn watch(&self, instances: Vec<String>) -> bool {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = *watched != instances;
        *watched = instances;
        changed
    }

    /// What it looks at.
    pub(crate) fn watched(&self) -> Vec<String> {
        self.watched
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Ends a subscription.
    pub(crate) fn unsubscribe(&self, topic: &str) {
        let mut sending = self.lock();
        sending.topics.remove(topic);
        if sending.topics.is_empty() {
            sending.topics = HashSet::new();
        }
    }

    fn push(&self, queue: impl FnOnce(&mut Sending) -> Result<(), Full>) {
        let mut sending = self.lock();
        if sending.closing {
            return;
        }
        if queue(&mut sending) == Err(Full) {
            return self.give_up(&mut sending);
        }
        self.flush(&mut sending);
    }

    fn give_up(&self, sending: &mut Sending) {
        if !sending.closing {
            sending.outbox.give_up();
            sending.slow = true;
            self.close_locked(sending, &Close::SLOW_CONSUMER);
        }
    }

    fn close_locked(&self, sending: &mut Sending, close: &Close) {
        if sending.closing {
            return;
        }
        sending.closing = true;
        sending.flooded = close.is_flood();
        sending.outbox.push_close(close.payload());
        self.flush(sending);
        self.wake.notify_one();
    }

    /// Writes what the kernel takes.
    fn flush(&self, sending: &mut Sending) {
        if sending.outbox.is_empty() {
            return;
        }
        if !sending.blocked {
            let write = |slices: &[io::IoSlice<'_>]| self.stream.try_write_vectored(slices);
            match sending.outbox.flush(write) {
                Ok(()) => (),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    sending.blocked = true;
                    self.wake.notify_one();
                }
                Err(_) => self.gone.cancel(),
            }
        }
        sending.outbox.settle();
    }

    /// The kernel takes something again, which says that the peer has read.
    fn unblock(&self) {
        let mut sending = self.lock();
        sending.blocked = false;
        sending.last_alive = Instant::now();
        self.flush(&mut sending);
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

    /// Whether it was closed because of a flood.
    pub(crate) fn is_flooded(&self) -> bool {
        self.lock().flooded
    }

    /// Whether the last words are said.
    pub(crate) fn is_closing(&self) -> bool {
        self.lock().closing
    }

    fn lock(&self) -> MutexGuard<'_, Sending> {
        self.sending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
