//! What a registered connection knows: its nick, its rooms, and what each line means. No socket in here.

use std::time::Duration;

use gatehouse_core::Clock;
use tokio::time::Instant;

use super::{
    bouncer::Bouncer,
    config::IrcConfig,
    isupport::Isupport,
    line::{Line, Source},
    nick::{Nick, Refusal},
    people::People,
    playback::Playback,
    rooms::Rooms,
    said::Ear,
};
use crate::{
    account::{progress::Topic, room::Room},
    adapter::InboundMessage,
};

/// How often the wanted nick is asked for while somebody else holds it.
const REGAIN_EVERY: Duration = Duration::from_secs(60);
/// How long joining waits for the end of the server's greeting, which says how many rooms it takes at once. Servers that
/// greet without end are not waited for.
const GREETING_MAX: Duration = Duration::from_secs(2);
/// How long after our login a service's notice is an answer to it.
const LOGIN_WITHIN: Duration = Duration::from_secs(60);

/// What a line led to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Somebody said something.
    Said(Box<InboundMessage>),
    /// Write this.
    Write(String),
    /// Write this before all else.
    Urgent(String),
    /// The server closed the connection.
    End(String),
}

/// What the status shows of a connection.
#[derive(Debug)]
pub(crate) struct News {
    pub(crate) rooms: Vec<Room>,
    /// `None`: nothing about it any more.
    pub(crate) notices: [(Topic, Option<String>); 3],
}

/// A connection that is in.
#[derive(Debug)]
pub(crate) struct Registered {
    ours: String,
    nick: Nick,
    /// The wanted nick will never be ours: the server does not take it.
    hopeless: bool,
    regain: Instant,
    /// Until when joining waits for the end of the greeting.
    greeting: Option<Instant>,
    service: Option<String>,
    login_at: Option<Instant>,
    /// What the service says against our login.
    login: Option<String>,
    pub(crate) server: Isupport,
    pub(crate) rooms: Rooms,
    pub(crate) people: People,
    bouncer: Bouncer,
    playback: Playback,
    clock: Clock,
    /// What the status shows changed.
    changed: bool,
}

impl Registered {
    /// Just welcomed under this nick. `greeted`: the server's last answer before.
    pub(crate) fn new(
        config: &IrcConfig,
        nick: Nick,
        ours: String,
        greeted: Option<&Line>,
        clock: Clock,
        now: Instant,
    ) -> Self {
        Self {
            ours,
            nick,
            hopeless: false,
            regain: now + REGAIN_EVERY,
            greeting: None,
            service: config.nickserv.as_ref().map(|nickserv| nickserv.service.clone()),
            login_at: None,
            login: None,
            server: Isupport::default(),
            rooms: Rooms::new(&config.rooms, now),
            people: People::default(),
            bouncer: Bouncer::default(),
            playback: Playback::new(greeted, clock.now_ms()),
            clock,
            changed: true,
        }
    }

    /// Our nick at this moment.
    pub(crate) fn nick(&self) -> &str {
        &self.ours
    }

    /// The first lines after the welcome.
    pub(crate) fn greet(&mut self, config: &IrcConfig, now: Instant) -> Vec<String> {
        self.greeting = Some(now + GREETING_MAX);
        let login = config.nickserv.iter().map(|service| {
            format!(
                "PRIVMSG {} :IDENTIFY {}",
                service.service,
                service.password.expose()
            )
        });
        self.login_at = config.nickserv.as_ref().map(|_| now);
        login.collect()
    }

    /// What is due by the clock.
    pub(crate) fn tick(&mut self, now: Instant) -> Vec<String> {
        let mut lines = Vec::new();
        if self.greeting.is_none_or(|until| now >= until) {
            self.greeting = None;
            lines = self.server.joins(&self.rooms.due(now));
        }
        if self.wants_another_nick() && now >= self.regain {
            self.regain = now + REGAIN_EVERY;
            lines.push(format!("NICK {}", self.nick.goal()));
        }
        self.changed |= self.rooms.notice_silence(now) || !lines.is_empty();
        lines
    }

    /// When [`Self::tick`] has something to say next.
    pub(crate) fn due(&self) -> Option<Instant> {
        let regain = self.wants_another_nick().then_some(self.regain);
        let rooms = self
            .rooms
            .next()
            .map(|next| self.greeting.map_or(next, |greeting| next.max(greeting)));
        rooms
            .into_iter()
            .chain(regain)
            .chain(self.rooms.silent_at())
            .min()
    }

    /// What the status shows, when it changed since the last look.
    pub(crate) fn news(&mut self) -> Option<News> {
        std::mem::take(&mut self.changed).then(|| News {
            rooms: self.rooms.shown(&self.ours),
            notices: [
                (Topic::Name, self.nick.notice(&self.ours)),
                (Topic::Login, self.login.clone()),
                (Topic::Bouncer, self.bouncer.notice()),
            ],
        })
    }

    /// What a line means.
    pub(crate) fn on(&mut self, line: &Line, now: Instant) -> Option<Event> {
        let now_ms = self.clock.now_ms();
        if self.playback.on(line, now, now_ms) {
            return None;
        }
        self.changed |= self.bouncer.on(line);
        // What somebody said counts only when they said it now.
        if line.verb != "PRIVMSG" {
            self.people.on(self.server.case, line, now);
        }
        let from_us = line
            .source
            .as_ref()
            .is_some_and(|source| self.server.case.same(&source.nick, &self.ours));
        match (line.verb.as_str(), line.numeric()) {
            ("PING", _) => return Some(Event::Urgent(format!("PONG :{}", line.last()))),
            ("ERROR", _) => {
                return Some(Event::End(format!(
                    "the server closed the connection: {}",
                    line.last()
                )));
            }
            ("PRIVMSG", _) if !from_us => return self.said(line, now),
            ("NOTICE", _) => self.told(line, now),
            ("NICK", _) if from_us => {
                line.arg(0).clone_into(&mut self.ours);
                self.changed = true;
            }
            // Whoever held our nick let go of it.
            ("NICK" | "QUIT", _) if self.holds_ours(line) => {
                return Some(Event::Write(format!("NICK {}", self.nick.goal())));
            }
            (_, Some(5)) => self.learn(line, now),
            // The greeting is over: now it is known how many rooms the server takes at once.
            (_, Some(376 | 422)) => self.greeting = None,
            // Logged in.
            (_, Some(900)) => {
                self.login = None;
                self.changed = true;
            }
            _ => {
                self.room_line(line, from_us, now);
                self.nick_line(line);
            }
        }
        None
    }

    fn said(&mut self, line: &Line, now: Instant) -> Option<Event> {
        if self.playback.is_old(line, now) {
            tracing::debug!(
                room.id = line.arg(0),
                "what was said before the connection was left out"
            );
            return None;
        }
        self.people.on(self.server.case, line, now);
        let room = self.server.place(line.arg(0)).map(|place| place.room);
        let configured = room.and_then(|room| self.rooms.configured(&self.server, room));
        let ear = Ear {
            server: &self.server,
            nick: &self.ours,
            service: self.service.as_deref(),
            clock: &self.clock,
        };
        ear.hear(line, configured).map(Box::new).map(Event::Said)
    }

    /// Who comes into our rooms and leaves them, and what keeps us out.
    fn room_line(&mut self, line: &Line, from_us: bool, now: Instant) {
        let by = line
            .source
            .as_ref()
            .map_or("the server", |source| source.nick.as_str());
        match (line.verb.as_str(), line.numeric()) {
            ("JOIN", _) if from_us => {
                self.rooms.entered(&self.server, line.arg(0));
                self.changed |= self.bouncer.is_through();
            }
            ("PART", _) if from_us => self
                .rooms
                .left(&self.server, line.arg(0), "made to leave it", now),
            ("KICK", _) if self.is_us(line.arg(1)) => {
                tracing::warn!(room.id = line.arg(0), "kicked from a room");
                let reason = format!("kicked by {by}: {}", line.arg(2));
                self.rooms.left(&self.server, line.arg(0), &reason, now);
            }
            ("INVITE", _) if self.is_us(line.arg(0)) => self.rooms.invited(&self.server, line.arg(1), now),
            ("FAIL", _) if line.arg(0) == "JOIN" => {
                for room in line.args.iter().skip(2).take(line.args.len().saturating_sub(3)) {
                    self.turned_away(room, Refusal::standard(line), now);
                }
            }
            (_, Some(263)) if line.arg(1).eq_ignore_ascii_case("JOIN") => {
                self.rooms.slow_down(&Refusal::of(263, line), now);
            }
            // Whatever it is that a server says against a room that we are not in.
            (_, Some(code @ 400..=599)) if self.server.is_room(line.arg(1)) => {
                let refusal = Refusal::of(code, line);
                if matches!(code, 404 | 482)
                    && self
                        .rooms
                        .heard_there(&self.server, line.arg(1), Some(refusal.clone()))
                {
                    let reason = refusal.told();
                    tracing::warn!(room.id = line.arg(1), reason, "a room does not take what we say");
                }
                self.turned_away(line.arg(1), refusal, now);
                if matches!(code, 403 | 442) && self.rooms.outside(&self.server, line.arg(1)).is_none() {
                    self.rooms.left(&self.server, line.arg(1), line.last(), now);
                }
            }
            _ => return,
        }
        self.changed = true;
    }

    /// The server took a message to this target.
    pub(crate) fn took(&mut self, target: &str) {
        if let Some(place) = self.server.place(target) {
            self.changed |= self.rooms.heard_there(&self.server, place.room, None);
        }
    }

    fn turned_away(&mut self, room: &str, refusal: Refusal, now: Instant) {
        let reason = refusal.told();
        if self.rooms.refused(&self.server, room, &refusal, now) {
            tracing::warn!(room.id = room, reason, "a room does not let us in");
        }
    }

    /// What the server says against a nick that we asked for.
    fn nick_line(&mut self, line: &Line) {
        if let Some(code @ (432 | 433 | 436 | 437)) = line.numeric()
            && !self.server.is_room(line.arg(1))
        {
            self.hopeless |= self.nick.refused_later(code, line);
            self.changed = true;
        }
    }

    /// What the service says that we log in with: only a refusal is of interest, and only as an answer.
    fn told(&mut self, line: &Line, now: Instant) {
        let service = self
            .service
            .as_deref()
            .and_then(|service| service.split('@').next());
        let from_service = line
            .source
            .as_ref()
            .zip(service)
            .is_some_and(|(source, service)| self.server.case.same(&source.nick, service));
        let answers = self
            .login_at
            .is_some_and(|at| now.saturating_duration_since(at) < LOGIN_WITHIN);
        if !from_service || !answers {
            return;
        }
        let words = super::text::plain(line.last());
        let lower = words.to_lowercase();
        let refuses = [
            "invalid",
            "incorrect",
            "wrong",
            "not registered",
            "isn't registered",
            "denied",
            "failed",
        ];
        if refuses.iter().any(|word| lower.contains(word)) {
            tracing::warn!(reason = words, "the nick service refused our login");
            self.login = Some(format!(
                "the nick service refused our login: {words}; look at channels.irc.nickserv"
            ));
            self.changed = true;
        }
    }

    fn is_us(&self, nick: &str) -> bool {
        self.server.case.same(nick, &self.ours)
    }

    fn wants_another_nick(&self) -> bool {
        !self.hopeless && !self.server.case.same(&self.ours, &self.nick.goal())
    }

    fn holds_ours(&self, line: &Line) -> bool {
        let goal = self.nick.goal();
        let theirs = |source: &Source| self.server.case.same(&source.nick, &goal);
        line.source.as_ref().is_some_and(theirs) && self.wants_another_nick()
    }

    /// Reply 005: what the server supports.
    fn learn(&mut self, line: &Line, now: Instant) {
        self.server.learn(line);
        // One that was cut shorter than it had to be is asked for at once.
        if self
            .server
            .nick_bytes
            .is_some_and(|limit| self.nick.learn_stated(limit))
        {
            self.regain = now;
        }
        self.changed = true;
    }
}

#[cfg(test)]
mod tests;
