//! One connection to an IRC server, from the socket to its end.

use std::time::Duration;

use gatehouse_core::{Chain, Clock};
use tokio::{
    io::{ReadHalf, WriteHalf, split},
    time::{self, Instant},
};

use super::{
    config::IrcConfig,
    connect,
    line::Line,
    pace::Pace,
    questions::Questions,
    register::{Register, Step},
    registered::{Event, Registered},
    say::{Outcome, Saying},
    wire::{self, Reader, Socket},
};
use crate::adapter::{Ended, InboundMessage, Link, ReceiveError, SendRequest};

/// From the first packet to the welcome.
const ENTER_WITHIN: Duration = Duration::from_secs(30);
/// A silent server is asked whether it is there, so that silence means something.
const PING_EVERY: Duration = Duration::from_secs(30);
/// How long a message waits for room in the inbox before the line stops being read.
const INBOX_RETRY: Duration = Duration::from_millis(200);
/// Messages on their way at once, each to another chat: so many are sent at the same time, and one that waits to know who holds a
/// nick holds up no room.
pub(super) const SAYINGS_MAX: usize = 4;

type Input = Reader<ReadHalf<Box<dyn Socket>>>;
type Output = WriteHalf<Box<dyn Socket>>;

/// Runs until the connection ends.
pub(crate) async fn run(config: &IrcConfig, clock: &Clock, link: Link) -> Ended {
    over(connect::connect(config), config, clock, link).await
}

/// Runs over the socket that comes out of this.
pub(crate) async fn over(
    socket: impl Future<Output = Result<Box<dyn Socket>, Ended>>,
    config: &IrcConfig,
    clock: &Clock,
    mut link: Link,
) -> Ended {
    let entered = time::timeout(ENTER_WITHIN, enter(socket, config, clock, &link)).await;
    let (session, mut input, mut output) = match entered {
        Ok(Ok(entered)) => entered,
        Ok(Err(ended)) => return ended,
        Err(_) => {
            let hint = other_port(config);
            return Ended::Retry(format!("the server did not welcome us within 30 seconds; {hint}"));
        }
    };
    let mut talk = Talk::new(session, config);
    // Before anybody can think of asking.
    let mut wanted = link.progress.questions();
    link.progress.connected();

    let mut ping = time::interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    loop {
        if let Some(news) = talk.session.news() {
            link.progress.show_rooms(news.rooms);
            for (topic, notice) in news.notices {
                link.progress.notice(topic, notice);
            }
        }
        talk.say_what_is_ready(Instant::now());
        while let Some(line) = talk.pace.next(Instant::now()) {
            if let Err(ended) = write(&mut output, &[line]).await {
                return ended;
            }
        }
        // Rejoins, overdue answers, lines that wait for their turn: nothing is looked at before one of them is due.
        let due = talk.due();
        tokio::select! {
            message = input.next() => {
                let line: Line = match message {
                    Ok(Some(message)) => message.into(),
                    Ok(None) => return Ended::Retry("the server closed the connection".into()),
                    Err(error) => return Ended::Retry(format!("the connection broke: {}", Chain(&error))),
                };
                link.progress.heard();
                match talk.hear(&line, Instant::now()) {
                    Some(Event::Write(line)) => talk.pace.push(line),
                    Some(Event::Urgent(line)) => talk.pace.push_urgent(line),
                    Some(Event::End(reason)) => return Ended::Retry(reason),
                    Some(Event::Said(message)) => hand_in(&link, *message).await,
                    None => {}
                }
            }
            request = link.outgoing.recv(), if talk.sayings.len() < SAYINGS_MAX => {
                let Some(request) = request else {
                    let _ = time::timeout(Duration::from_secs(1), wire::write(&mut output, "QUIT :Gatehouse")).await;
                    return Ended::Retry("asked to end".into());
                };
                talk.begin(request, Instant::now());
            }
            () = time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => talk.tick(Instant::now()),
            _ = ping.tick() => talk.ask(Instant::now()),
            Ok(()) = wanted.changed() => talk.ask(Instant::now()),
        }
    }
}

/// What is said and asked on one connection, and what waits.
#[derive(Debug)]
struct Talk {
    session: Registered,
    questions: Questions,
    sayings: Vec<Saying>,
    pace: Pace,
}

impl Talk {
    fn new(session: Registered, config: &IrcConfig) -> Self {
        let now = Instant::now();
        let mut talk = Self {
            session,
            questions: Questions::new(),
            sayings: Vec::new(),
            pace: Pace::new(config.rate, now),
        };
        // The first question tells whether the server answers any, and often its clock.
        talk.ask(now);
        let greeting = talk.session.greet(config, now);
        greeting.into_iter().for_each(|line| talk.pace.push(line));
        talk
    }

    /// Asks the server for a word.
    fn ask(&mut self, now: Instant) {
        // While lines wait, there are questions among them.
        if self.pace.is_crowded() {
            return;
        }
        let (_, line) = self.questions.ping(now);
        self.pace.push(line);
    }

    fn due(&self) -> Option<Instant> {
        let sayings = self
            .sayings
            .iter()
            .filter_map(|saying| saying.due(&self.questions));
        // A message that is ready waits for the pace alone.
        let ready = self
            .sayings
            .iter()
            .any(Saying::is_ready)
            .then(|| self.pace.free_at());
        let others = [self.session.due(), self.questions.due(), self.pace.due(), ready];
        others.into_iter().flatten().chain(sayings).min()
    }

    fn begin(&mut self, request: SendRequest, now: Instant) {
        if request.abandoned() {
            return;
        }
        let outcome = Saying::begin(request, &self.session, &mut self.questions, now);
        self.settle(outcome);
    }

    /// Says what waited for its turn only, as far as the pace lets it.
    fn say_what_is_ready(&mut self, now: Instant) {
        for saying in std::mem::take(&mut self.sayings) {
            let mut saying = saying;
            if saying.is_ready() && saying.is_abandoned() {
                continue;
            }
            if saying.is_ready() && self.pace.is_free(now) {
                let lines;
                (saying, lines) = saying.say(&mut self.questions, now);
                lines.into_iter().for_each(|line| self.pace.push(line));
            }
            self.sayings.push(saying);
        }
    }

    fn hear(&mut self, line: &Line, now: Instant) -> Option<Event> {
        let answered = self.questions.on(line);
        let oldest = self.sayings.iter().filter_map(Saying::question).min();
        let answers = (answered, oldest);
        for saying in std::mem::take(&mut self.sayings) {
            let outcome = saying.on(line, answers, &self.session, &mut self.questions, now);
            self.settle(outcome);
        }
        self.session.on(line, now)
    }

    fn tick(&mut self, now: Instant) {
        let mut lines = self.session.tick(now);
        lines.extend(self.questions.rephrased(self.session.nick(), now));
        lines.into_iter().for_each(|line| self.pace.push(line));
        for saying in std::mem::take(&mut self.sayings) {
            let outcome = saying.tick(&self.session, &mut self.questions, now);
            self.settle(outcome);
        }
    }

    fn settle(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Pending(saying, lines) => {
                lines.into_iter().for_each(|line| self.pace.push(line));
                self.sayings.push(saying);
            }
            Outcome::Done(request, result) => {
                if result.as_ref().is_ok_and(|receipt| !receipt.unconfirmed) {
                    self.session.took(request.part().to.as_str());
                }
                request.answer(result);
            }
        }
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
    let hung_up = || {
        Ended::Retry(format!(
            "the server hung up before it said a word; {}",
            other_port(config)
        ))
    };
    if let Err(ended) = write(&mut output, &lines).await {
        return Err(if config.tls { ended } else { hung_up() });
    }
    let (mut greeted, mut spoke) = (None, false);
    loop {
        let line: Line = match input.next().await {
            Ok(Some(message)) => message.into(),
            Ok(None) | Err(_) if !spoke && !config.tls => return Err(hung_up()),
            Ok(None) => return Err(Ended::Retry("the server closed the connection".into())),
            Err(error) => return Err(Ended::Retry(format!("the connection broke: {}", Chain(&error)))),
        };
        link.progress.heard();
        spoke = true;
        if line.verb == "PING" {
            write(&mut output, &[format!("PONG :{}", line.last())]).await?;
            continue;
        }
        match register.on(config, &line) {
            Step::Write(lines) => write(&mut output, &lines).await?,
            Step::End(reason) => return Err(Ended::Retry(reason)),
            Step::Welcome(nick) => {
                let session = Registered::new(
                    config,
                    register.into_nick(),
                    nick,
                    greeted.as_ref(),
                    clock.clone(),
                    Instant::now(),
                );
                return Ok((session, input, output));
            }
        }
        if line.verb == "CAP" {
            greeted = Some(line);
        }
    }
}

/// What to look at when a server does not say a word.
fn other_port(config: &IrcConfig) -> String {
    let port = config.port;
    if config.tls {
        format!("if port {port} does not speak TLS, set channels.irc.tls to false")
    } else {
        format!("if port {port} speaks TLS, set channels.irc.tls to true")
    }
}

async fn write(output: &mut Output, lines: &[String]) -> Result<(), Ended> {
    for line in lines {
        wire::write(output, line)
            .await
            .map_err(|error| Ended::Retry(format!("the connection broke: {error}")))?;
    }
    Ok(())
}
