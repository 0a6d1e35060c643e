//! Screens that do not get in the way: nobody waits for a frame, the kernel notes when it came, and all are read now and then.
//!
//! Two hundred readers that wait on the machine of the gateway are woken by whoever writes to them, once for nearly every frame,
//! and half of what is measured is theirs. Real screens are elsewhere.

use std::{
    io::IoSliceMut,
    os::fd::AsRawFd,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use gatehouse_tests::Gateway;
use memchr::memmem;
use nix::{
    errno::Errno,
    sys::{
        socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt::ReceiveTimestampns},
        time::TimeSpec,
    },
};
use tokio::time::{Instant, sleep};

use crate::{
    listener::{self, Hello},
    rpc::milliseconds,
};

/// Between two looks at all screens. Frames that are read together count as arrived with the last of them, so it is less than
/// the pause between two tokens.
const LOOK: Duration = Duration::from_millis(4);

const READ_BYTES: usize = 64 * 1024;

/// A token on one screen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    /// When the model wrote it, microseconds since 1970.
    pub(crate) sent: u64,
    /// How long it took, milliseconds.
    pub(crate) delay: f64,
}

/// What all screens saw.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    /// Every frame with text, by its oldest token.
    pub(crate) shown: Vec<Shown>,
    /// How long it took until all had the whole answer.
    pub(crate) took: Duration,
    /// Bytes that came to all of them together.
    pub(crate) bytes: usize,
}

/// Screens of one gateway.
#[derive(Debug)]
pub(crate) struct Screens {
    open: Vec<Screen>,
}

#[derive(Debug)]
struct Screen {
    socket: std::net::TcpStream,
    unread: Vec<u8>,
}

impl Screens {
    pub(crate) async fn open(gateway: &Gateway, count: usize, dialect: Hello) -> Self {
        let mut open = Vec::with_capacity(count);
        for _ in 0..count {
            let socket = listener::connect_as(gateway, dialect).await;
            // Outside of the runtime: nothing is told when something comes.
            let socket = socket.into_std().expect("a socket");
            setsockopt(&socket, ReceiveTimestampns, &true).expect("a socket option");
            open.push(Screen {
                socket,
                unread: Vec::new(),
            });
        }
        Self { open }
    }

    /// Every token on every screen, until all had the whole answer.
    pub(crate) async fn watch(mut self) -> Watched {
        let began = Instant::now();
        let mut buffer = vec![0; READ_BYTES];
        let mut watched = Watched::default();
        while !self.open.is_empty() {
            sleep(LOOK).await;
            self.open
                .retain_mut(|screen| screen.look(&mut buffer, &mut watched));
        }
        watched.took = began.elapsed();
        watched
    }
}

impl Screen {
    /// Takes in what has come. False at the end of the run.
    fn look(&mut self, buffer: &mut [u8], watched: &mut Watched) -> bool {
        while let Some((arrived, count)) = self.read(buffer) {
            watched.bytes += count;
            let goes_on = listener::take_frames(&mut self.unread, |frame| {
                if let Some(sent) = listener::number_after(frame, b"\"deltaText\":\"t") {
                    let delay = milliseconds(arrived.saturating_sub(Duration::from_micros(sent)));
                    watched.shown.push(Shown { sent, delay });
                }
                memmem::find(frame, b"\"state\":\"final\"").is_none()
            });
            if !goes_on {
                return false;
            }
        }
        true
    }

    /// Reads what the kernel has, and returns when the last of it came and how much it was.
    fn read(&mut self, buffer: &mut [u8]) -> Option<(Duration, usize)> {
        let mut stamp = nix::cmsg_space!(TimeSpec);
        let mut slices = [IoSliceMut::new(buffer)];
        let read = recvmsg::<()>(
            self.socket.as_raw_fd(),
            &mut slices,
            Some(&mut stamp),
            MsgFlags::MSG_DONTWAIT,
        );
        if read == Err(Errno::EAGAIN) {
            return None;
        }
        let message = read.expect("a screen that can be read");
        let count = message.bytes;
        assert!(count > 0, "the edge closed a screen");
        let arrived = message.cmsgs().expect("whole").find_map(|note| match note {
            ControlMessageOwned::ScmTimestampns(time) => Some(Duration::from(time)),
            _ => None,
        });
        self.unread
            .extend_from_slice(buffer.get(..count).unwrap_or_default());
        Some((arrived.expect("a kernel that notes when bytes come"), count))
    }
}

/// The time that the kernel's notes are in.
pub(crate) fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970")
}
