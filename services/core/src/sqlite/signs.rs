//! Signs that somebody did something to the files of a database, from the kernel (inotify(7)): an idle database sleeps, and is
//! looked at all the same when a file of it loses its name or its content.

use std::{
    io::{self, PipeReader, PipeWriter},
    mem::MaybeUninit,
    os::fd::OwnedFd,
    path::Path,
    thread,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    fs::inotify::{CreateFlags, Reader, WatchFlags, add_watch, init},
};

use super::files::with_suffix;

/// The pause between a sign and the look. Our own commits write as well: while there are many, the files are looked at with each of
/// them, and twice a second more costs nothing.
const PAUSE: Duration = Duration::from_millis(500);

/// Room for some tens of events: they carry no names.
const BUFFER_BYTES: usize = 1024;

/// Watches over the files of one database.
#[derive(Debug)]
pub(super) struct Signs(OwnedFd);

/// The thread that hears the signs. It ends with this.
#[derive(Debug)]
pub(super) struct Hearing {
    _end: PipeWriter,
}

impl Signs {
    /// Watches over the database, its log and the log's index, which are there, and over their folder.
    ///
    /// # Errors
    /// When the kernel has no watches left, or the file system cannot be watched.
    pub(super) fn of(database: &Path) -> io::Result<Self> {
        let inotify = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        // A name that is taken away or given to another file is a change of the old file's link count.
        let of_a_file =
            WatchFlags::ATTRIB | WatchFlags::MODIFY | WatchFlags::MOVE_SELF | WatchFlags::DELETE_SELF;
        for suffix in ["", "-wal", "-shm"] {
            add_watch(&inotify, with_suffix(database, suffix), of_a_file)?;
        }
        let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty());
        let of_the_folder = WatchFlags::MOVE_SELF | WatchFlags::DELETE_SELF;
        add_watch(&inotify, folder.unwrap_or(Path::new(".")), of_the_folder)?;
        Ok(Self(inotify))
    }

    /// Calls `changed` after signs, until what this answers is dropped.
    ///
    /// # Errors
    /// When there can be no more threads or files.
    pub(super) fn hear(self, changed: impl Fn() + Send + 'static) -> io::Result<Hearing> {
        let (ends, end) = io::pipe()?;
        let hear = move || {
            while self.wait(&ends) {
                pause();
                self.forget(); // before the look: what comes now is another sign
                changed();
            }
        };
        thread::Builder::new().name("sqlite-signs".into()).spawn(hear)?;
        Ok(Hearing { _end: end })
    }

    /// Waits for a sign. False: it is over.
    fn wait(&self, end: &PipeReader) -> bool {
        let mut sources = [
            PollFd::new(&self.0, PollFlags::IN),
            PollFd::new(end, PollFlags::IN),
        ];
        match poll(&mut sources, None) {
            Ok(_) => sources.last().is_none_or(|end| end.revents().is_empty()),
            Err(error) => error == rustix::io::Errno::INTR,
        }
    }

    /// Takes what the kernel has to tell. What happened in the meantime is seen by a look as well, whatever it was.
    fn forget(&self) {
        let mut buffer = [MaybeUninit::uninit(); BUFFER_BYTES];
        let mut events = Reader::new(&self.0, &mut buffer);
        while events.next().is_ok() {}
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is a thread outside of the runtime, and the kernel's signs come in real time"
)]
fn pause() {
    thread::sleep(PAUSE);
}
