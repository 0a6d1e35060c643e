//! The terminal itself: its modes, its size, its keys.

use crossterm::{
    event::{self, Event},
    terminal,
};
use gatehouse_core::Env;
use nix::sys::signal::{Signal, raise};
use tokio::sync::mpsc;

use super::print;
use crate::exit::{Exit, Failed};

/// Keys that wait while something is done; more stay with the terminal.
const KEYS_MAX: usize = 64;

/// Pastes come as one piece (bracketed paste).
const BEGIN: &str = "\x1b[?2004h";

/// The modes of before, and a cursor that is seen.
const END: &str = "\x1b[?2004l\x1b[?25h";

/// What stands for the size of a terminal that does not tell it.
const SIZE_UNKNOWN: (u16, u16) = (80, 24);

/// Whether the terminal can move its cursor.
pub(super) fn is_able() -> bool {
    Env::process()
        .get("TERM")
        .is_some_and(|kind| !kind.is_empty() && kind != "dumb")
}

/// A terminal that gives us its keys as they are pressed. It gets its modes back when this is dropped.
#[derive(Debug)]
pub(super) struct Terminal(());

impl Terminal {
    /// Takes it.
    pub(super) fn take() -> Result<Self, Failed> {
        terminal::enable_raw_mode()
            .map_err(|error| Failed::new(Exit::Failed, format!("cannot set up the terminal: {error}")))?;
        let taken = Self(());
        print(BEGIN)?;
        Ok(taken)
    }

    /// Columns and rows.
    pub(super) fn size() -> (u16, u16) {
        terminal::size()
            .ok()
            .filter(|(columns, rows)| *columns > 0 && *rows > 0)
            .unwrap_or(SIZE_UNKNOWN)
    }

    /// Ctrl-Z: gives the terminal back, and takes it again when the shell lets us go on.
    pub(super) fn suspend(&self) -> Result<(), Failed> {
        release();
        let _ = raise(Signal::SIGTSTP);
        let _ = terminal::enable_raw_mode();
        print(BEGIN)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        release();
    }
}

fn release() {
    let _ = print(END);
    let _ = terminal::disable_raw_mode();
}

/// What is pressed and pasted. Read by a thread of its own, which ends with the process: reading a terminal blocks.
pub(super) fn events() -> mpsc::Receiver<Event> {
    let (queue, events) = mpsc::channel(KEYS_MAX);
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            if queue.blocking_send(event).is_err() {
                return;
            }
        }
    });
    events
}
