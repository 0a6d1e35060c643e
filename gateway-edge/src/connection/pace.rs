//! How much of the edge one connection may use: what ends it, what delays it, and when it lets the others go first.
//!
//! Three rules. A *turn* is what a connection may do before the others come: it bounds how long everybody waits for a busy
//! one. A *rate* delays the reading of a connection that asks faster than its share, so that its kernel, and then the client, wait.
//! A *flood* is what no client has a use for, and closes the connection.
//!
//! A client that waits for each answer before it asks again is never delayed, however fast it is: it goes at the pace of the
//! gateway already. Delayed is who does not wait.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread::available_parallelism,
    time::Duration,
};

use tokio::time::Instant;

use crate::close::Close;

/// Frames of one turn: sixteen requests take 0.1 to 0.2 ms to parse and hand on.
const TURN_FRAMES: usize = 16;

/// Bytes of one turn: some 30 us to unmask, check and copy.
pub(super) const TURN_BYTES: usize = 64 * 1024;

/// PING and PONG frames that may come at once, and how many a second after that. Clients send a PING every few seconds;
/// PONGs answer ours, one in 25 s.
const CONTROL: Allowance = Allowance::new(100.0, 10.0);

/// The same for fragments of less than [`SMALL_FRAGMENT`] bytes. No client is known to send any.
const FRAGMENTS: Allowance = Allowance::new(256.0, 64.0);

/// A fragment that costs more for its head than for its bytes.
const SMALL_FRAGMENT: usize = 256;

/// Requests that a client may have sent before it had to wait: what a page asks for while it loads, twice.
const REQUESTS_BURST: f32 = 64.0;

/// Requests a second that one processor takes from all those who do not wait for their answers. A tenth of what it can
/// (`make bench ARGS=rpc`): a client that waits finds nine tenths free.
const REQUESTS_RATE: f32 = 1_000.0;

/// Bytes that come undelayed: one message of the largest size.
const BYTES_BURST: f32 = 26.0 * 1024.0 * 1024.0;

/// Bytes a second that one processor takes from all whose burst is used up. To receive and parse them takes it a tenth of its time.
const BYTES_RATE: f32 = 16.0 * 1024.0 * 1024.0;

/// What a read costs, however little it brings: those who send single bytes make a processor read 16,000 times a second at most.
const READ_COST: usize = 1024;

/// The rates, shared by the connections that are delayed at this moment.
#[derive(Debug)]
pub(crate) struct Shares {
    processors: f32,
    delayed: AtomicUsize,
}

impl Default for Shares {
    fn default() -> Self {
        let processors = available_parallelism().map_or(1, usize::from);
        Self {
            processors: u16::try_from(processors).map_or(1.0, f32::from),
            delayed: AtomicUsize::new(0),
        }
    }
}

impl Shares {
    /// One connection's part of a rate for each processor.
    fn of(&self, rate: f32) -> f32 {
        let delayed = u16::try_from(self.delayed.load(Relaxed)).unwrap_or(u16::MAX);
        rate * self.processors / f32::from(delayed.max(1))
    }
}

/// Counts a connection among those that are delayed, until it is dropped.
#[derive(Debug)]
pub(super) struct Delayed(Arc<Shares>);

impl Drop for Delayed {
    fn drop(&mut self) {
        self.0.delayed.fetch_sub(1, Relaxed);
    }
}

/// What one connection has used.
#[derive(Debug)]
pub(super) struct Pace {
    shares: Arc<Shares>,
    turn: Turn,
    control: Level,
    fragments: Level,
    requests: Level,
    bytes: Level,
}

#[derive(Debug, Default)]
struct Turn {
    frames: usize,
    bytes: usize,
}

impl Pace {
    pub(super) fn new(shares: Arc<Shares>) -> Self {
        Self {
            shares,
            turn: Turn::default(),
            control: Level::new(),
            fragments: Level::new(),
            requests: Level::new(),
            bytes: Level::new(),
        }
    }

    /// Whether it is the others' turn.
    pub(super) fn is_full(&self) -> bool {
        self.turn.frames >= TURN_FRAMES || self.turn.bytes >= TURN_BYTES
    }

    /// Begins a turn.
    pub(super) fn next_turn(&mut self) {
        self.turn = Turn::default();
    }

    /// Counts a frame in the turn.
    pub(super) fn frame(&mut self) {
        self.turn.frames += 1;
    }

    /// Counts a read.
    pub(super) fn read(&mut self, bytes: usize) {
        self.turn.bytes += bytes;
        let cost = u32::try_from(bytes.max(READ_COST)).unwrap_or(u32::MAX);
        #[expect(clippy::cast_precision_loss, reason = "a read is far smaller than 16 MiB")]
        self.bytes.add(cost as f32, self.shares.of(BYTES_RATE));
    }

    /// Gives back what a read cost beyond its bytes: its sender waits for an answer.
    pub(super) fn waits(&mut self) {
        #[expect(clippy::cast_precision_loss, reason = "1024 is exact")]
        self.bytes.take(READ_COST as f32);
    }

    /// Counts a request whose sender has not waited for the answers to those before it, or a text that is none.
    pub(super) fn request(&mut self) {
        self.requests.add(1.0, self.shares.of(REQUESTS_RATE));
    }

    /// Counts a PING or a PONG.
    pub(super) fn control(&mut self) -> Result<(), Close> {
        self.control.flood(CONTROL, Close::CONTROL_FLOOD)
    }

    /// Counts a fragment.
    pub(super) fn fragment(&mut self, bytes: usize) -> Result<(), Close> {
        if bytes >= SMALL_FRAGMENT {
            return Ok(());
        }
        self.fragments.flood(FRAGMENTS, Close::FRAGMENT_FLOOD)
    }

    /// Until when nothing more is read from it, if it is faster than its share.
    pub(super) fn delay(&mut self) -> Option<(Instant, Delayed)> {
        self.requests.add(0.0, self.shares.of(REQUESTS_RATE));
        self.bytes.add(0.0, self.shares.of(BYTES_RATE));
        if self.requests.excess(REQUESTS_BURST) <= 0.0 && self.bytes.excess(BYTES_BURST) <= 0.0 {
            return None;
        }
        self.shares.delayed.fetch_add(1, Relaxed);
        let delayed = Delayed(Arc::clone(&self.shares));
        let wait = |excess: f32, rate: f32| Duration::from_secs_f32(excess.max(0.0) / rate);
        let requests = wait(
            self.requests.excess(REQUESTS_BURST),
            self.shares.of(REQUESTS_RATE),
        );
        let bytes = wait(self.bytes.excess(BYTES_BURST), self.shares.of(BYTES_RATE));
        Some((Instant::now() + requests.max(bytes), delayed))
    }
}

/// How much may come at once, and how much a second after that.
#[derive(Debug, Clone, Copy)]
struct Allowance {
    burst: f32,
    rate: f32,
}

impl Allowance {
    const fn new(burst: f32, rate: f32) -> Self {
        Self { burst, rate }
    }
}

/// What is used of an allowance. It sinks with time.
#[derive(Debug)]
struct Level {
    used: f32,
    since: Instant,
}

impl Level {
    fn new() -> Self {
        Self {
            used: 0.0,
            since: Instant::now(),
        }
    }

    fn add(&mut self, more: f32, rate: f32) {
        let now = Instant::now();
        let sunk = now.duration_since(self.since).as_secs_f32() * rate;
        self.used = (self.used - sunk).max(0.0) + more;
        self.since = now;
    }

    fn take(&mut self, less: f32) {
        self.used = (self.used - less).max(0.0);
    }

    fn excess(&self, burst: f32) -> f32 {
        self.used - burst
    }

    fn flood(&mut self, Allowance { burst, rate }: Allowance, close: Close) -> Result<(), Close> {
        self.add(1.0, rate);
        if self.excess(burst) > 0.0 {
            Err(close)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
