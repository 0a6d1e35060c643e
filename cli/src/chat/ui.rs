//! The person at the terminal: what they press becomes what they wish, and what there is to see is drawn.

use std::{
    collections::VecDeque,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crossterm::event::{Event, KeyEventKind};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
    time::{Instant, sleep},
};

use super::{
    editor::{Act, Editor, Typed},
    pane::Pane,
    print,
    screen::{Activity, Doing},
    terminal::{self, Terminal},
};
use crate::{
    exit::{Exit, Failed},
    term::{Ink, Style},
};

/// Ten pictures a second: it lives, and costs nothing.
const TICK: Duration = Duration::from_millis(100);

/// An answer that is there sooner needs no sign of life.
const QUIET: Duration = Duration::from_millis(300);

/// What turns while something is done.
const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// How long a notice stands, and what it says of the next key holds.
const NOTICE_TIME: Duration = Duration::from_secs(3);

/// Messages that wait while a command is done. Nobody types faster.
const SUBMITTED_MAX: usize = 64;

/// What a person wishes.
#[derive(Debug)]
pub(super) enum Wish {
    /// To say something, or to have something done.
    Line(Typed),
    /// Ctrl-C.
    Interrupt,
    /// To leave.
    Leave,
    /// To know what could stand at the cursor.
    Complete,
}

/// Why something waits, told by whoever does it.
#[derive(Clone, Debug, Default)]
pub(super) struct Whisper(Arc<Mutex<Option<String>>>);

impl Whisper {
    /// Tells it.
    pub(super) fn tell(&self, why: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.to_owned());
    }

    fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The terminal and the person at it.
#[derive(Debug)]
pub(super) struct Ui {
    pane: Pane,
    /// The line that is typed.
    pub(super) editor: Editor,
    events: mpsc::Receiver<Event>,
    /// Who ends us from outside gets a terminal that works.
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    terminal: Terminal,
    style: Style,
    /// What the person waits for.
    activity: Option<Activity>,
    /// Why it takes longer.
    away: Option<String>,
    whisper: Whisper,
    /// One line until the next key, or until it is old.
    notice: Option<(String, Instant)>,
    /// Lines that were typed while something was done.
    submitted: VecDeque<Typed>,
    since: Instant,
    /// The person said that they leave, while something was done.
    is_leaving: bool,
}

impl Ui {
    /// Takes the terminal.
    pub(super) fn open(editor: Editor, style: Style) -> Result<Self, Failed> {
        let signals = [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ]
        .map(signal);
        let [Ok(interrupt), Ok(terminate), Ok(hangup)] = signals else {
            return Err(Failed::new(Exit::Failed, "cannot listen to signals"));
        };
        let terminal = Terminal::take()?;
        Ok(Self {
            interrupt,
            terminate,
            hangup,
            pane: Pane::new(Terminal::size()),
            editor,
            events: terminal::events(),
            terminal,
            style,
            activity: None,
            away: None,
            whisper: Whisper::default(),
            notice: None,
            submitted: VecDeque::new(),
            since: Instant::now(),
            is_leaving: false,
        })
    }

    /// Adds text above the line that is typed. It is seen with the next [`Self::draw`].
    pub(super) fn append(&mut self, text: &str) {
        self.pane.append(text);
    }

    /// Adds a block of lines, which stands for itself.
    pub(super) fn block(&mut self, ink: Ink, text: &str) {
        self.pane.end_row();
        for line in text.lines() {
            self.pane.append(&format!("{}\n", self.style.paint(ink, line)));
        }
    }

    /// Adds a text that has its colours already, and stands for itself.
    pub(super) fn painted(&mut self, text: &str) {
        self.pane.end_row();
        self.pane.append(text);
    }

    /// How wide the text is.
    pub(super) fn columns(&self) -> usize {
        self.pane.columns()
    }

    /// Says something in one line until the next key.
    pub(super) fn notice(&mut self, text: &str) {
        self.notify(Ink::Dim, text);
    }

    fn notify(&mut self, ink: Ink, text: &str) {
        self.notice = Some((self.style.paint(ink, text), Instant::now() + NOTICE_TIME));
    }

    /// Shows what the person waits for.
    pub(super) fn watch(&mut self, activity: Option<Activity>) {
        self.activity = activity;
    }

    /// Says why nothing goes on, until it does.
    pub(super) fn away(&mut self, why: Option<&str>) {
        self.away = why.map(|why| self.style.paint(Ink::Yellow, why));
    }

    /// For whoever does something that the person waits for.
    pub(super) fn whisper(&self) -> Whisper {
        self.whisper.clone()
    }

    /// A line that was typed while something was done.
    pub(super) fn submitted(&mut self) -> Option<Typed> {
        self.submitted.pop_front()
    }

    /// Whether the person left while something was done.
    pub(super) fn is_leaving(&self) -> bool {
        self.is_leaving
    }

    /// Draws what there is to see.
    pub(super) fn draw(&mut self) -> Result<(), Failed> {
        let status = self.status();
        let face = self.editor.face(self.pane.columns(), self.pane.typed_rows_max());
        let frame = self.pane.frame(status.as_deref(), face);
        if frame.is_empty() { Ok(()) } else { print(&frame) }
    }

    /// Gives the terminal back, with all that was said on it.
    pub(super) fn close(mut self) -> Result<(), Failed> {
        print(&self.pane.leave())
    }

    fn status(&mut self) -> Option<String> {
        if let Some(why) = self.whisper.take() {
            self.away = Some(
                self.style
                    .paint(Ink::Yellow, &format!("waiting: {}", crate::term::one_line(&why))),
            );
        }
        if let Some(why) = &self.away {
            return Some(format!("{} {why}", self.spinner()));
        }
        self.notice.take_if(|(_, until)| *until <= Instant::now());
        if let Some((notice, _)) = &self.notice {
            return Some(notice.clone());
        }
        let Activity {
            since,
            doing,
            waiting,
        } = self.activity?;
        let time = since.elapsed();
        if time < QUIET {
            return None;
        }
        let doing = match doing {
            Doing::Waiting => "waiting",
            Doing::Thinking => "thinking",
            Doing::Writing => "writing",
        };
        let behind = match waiting {
            0 => String::new(),
            1 => ", 1 message waits".to_owned(),
            more => format!(", {more} messages wait"),
        };
        let text = format!(
            "{} {doing} {} s{behind}   Ctrl-C stops",
            self.spinner(),
            time.as_secs()
        );
        Some(self.style.paint(Ink::Dim, &text))
    }

    fn spinner(&self) -> &'static str {
        let ticks = self.since.elapsed().as_millis() / TICK.as_millis();
        let index = usize::try_from(ticks).unwrap_or(0) % SPINNER.len();
        SPINNER.get(index).copied().unwrap_or(".")
    }

    /// The next thing that the person wishes. Draws what they type meanwhile, and the sign of life.
    ///
    /// # Cancel safety
    /// Safe: a key is either in the line or still to come.
    pub(super) async fn next(&mut self) -> Result<Wish, Failed> {
        loop {
            let is_busy = self.activity.is_some() || self.away.is_some() || self.notice.is_some();
            tokio::select! {
                event = self.events.recv() => {
                    // The terminal is gone.
                    let Some(event) = event else { return Ok(Wish::Leave) };
                    if let Some(wish) = self.on_event(event)? {
                        return Ok(wish);
                    }
                }
                _ = self.interrupt.recv() => return Ok(Wish::Leave),
                _ = self.terminate.recv() => return Ok(Wish::Leave),
                _ = self.hangup.recv() => return Ok(Wish::Leave),
                () = sleep(TICK), if is_busy => {}
            }
            self.draw()?;
        }
    }

    fn on_event(&mut self, event: Event) -> Result<Option<Wish>, Failed> {
        let act = match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.editor.key(key),
            Event::Paste(text) => self.editor.paste(&text),
            Event::Resize(columns, rows) => {
                self.pane.resize((columns, rows));
                Act::Nothing
            }
            _ => return Ok(None),
        };
        if act != Act::Interrupt {
            self.notice = None;
        }
        match act {
            Act::Nothing => {}
            Act::Submit(typed) => return Ok(Some(Wish::Line(typed))),
            Act::Interrupt => return Ok(Some(Wish::Interrupt)),
            Act::Leave => return Ok(Some(Wish::Leave)),
            Act::Complete => return Ok(Some(Wish::Complete)),
            Act::Refused(why) => self.block(Ink::Yellow, &why),
            Act::Clear => print(&self.pane.clear())?,
            Act::Suspend => {
                print(&self.pane.leave())?;
                self.terminal.suspend()?;
                self.pane.resize(Terminal::size());
            }
        }
        Ok(None)
    }

    /// Whether a notice stands there, so that a second Ctrl-C means what the first one said.
    pub(super) fn is_noticed(&self) -> bool {
        self.notice.is_some()
    }

    /// Waits for something while the person goes on typing. None: they do not want to wait.
    pub(super) async fn wait<T>(&mut self, work: impl Future<Output = T>) -> Result<Option<T>, Failed> {
        let mut work = pin!(work);
        let ended = loop {
            tokio::select! {
                done = &mut work => break Some(done),
                wish = self.next() => match wish? {
                    Wish::Line(typed) if self.submitted.len() < SUBMITTED_MAX => self.submitted.push_back(typed),
                    Wish::Line(_) | Wish::Complete => {}
                    Wish::Interrupt => break None,
                    Wish::Leave => {
                        self.is_leaving = true;
                        break None;
                    }
                },
            }
        };
        self.away = None;
        self.whisper.take();
        Ok(ended)
    }
}
