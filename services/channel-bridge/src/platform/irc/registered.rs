//! What a registered connection knows: its nick, its rooms, and what each line means. No socket in here.

use std::time::Duration;

use gatehouse_core::{Clock, Content};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    config::IrcConfig,
    line::{Line, Source},
    rooms::Rooms,
    text::{self, Case},
};
use crate::{
    adapter::{ChatKind, InboundMessage, Origin},
    id::{Address, ChatId, IdError, MessageId, SenderId},
};

/// How often the wanted nick is asked for while somebody else holds it.
const REGAIN_EVERY: Duration = Duration::from_secs(60);

/// What a line led to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Somebody said something.
    Said(Box<InboundMessage>),
    /// Write this.
    Write(String),
    /// The server closed the connection.
    End(String),
}

/// A connection that is in.
#[derive(Debug)]
pub(crate) struct Registered {
    nick: String,
    wanted: String,
    regain: Instant,
    pub(crate) case: Case,
    pub(crate) rooms: Rooms,
    clock: Clock,
}

impl Registered {
    /// Just welcomed under this nick.
    pub(crate) fn new(config: &IrcConfig, nick: String, clock: Clock, now: Instant) -> Self {
        let rooms = Rooms::new(&config.rooms, now);
        Self {
            nick,
            wanted: config.nick.clone(),
            regain: now + REGAIN_EVERY,
            case: Case::default(),
            rooms,
            clock,
        }
    }

    /// Our nick at this moment.
    pub(crate) fn nick(&self) -> &str {
        &self.nick
    }

    /// The first lines after the welcome.
    pub(crate) fn greet(&mut self, config: &IrcConfig, now: Instant) -> Vec<String> {
        let identify = config.nickserv.iter().map(|service| {
            format!(
                "PRIVMSG {} :IDENTIFY {}",
                service.service,
                service.password.expose()
            )
        });
        let mut lines: Vec<String> = identify.collect();
        lines.extend(self.tick(now));
        lines
    }

    /// What is due by the clock.
    pub(crate) fn tick(&mut self, now: Instant) -> Vec<String> {
        let mut lines: Vec<String> = self
            .rooms
            .due(now)
            .iter()
            .map(|room| format!("JOIN {room}"))
            .collect();
        if self.nick != self.wanted && now >= self.regain {
            self.regain = now + REGAIN_EVERY;
            lines.push(format!("NICK {}", self.wanted));
        }
        lines
    }

    /// When [`Self::tick`] has something to say next.
    pub(crate) fn due(&self) -> Option<Instant> {
        let regain = (self.nick != self.wanted).then_some(self.regain);
        self.rooms.next().into_iter().chain(regain).min()
    }

    /// What a line means.
    pub(crate) fn on(&mut self, line: &Line, now: Instant) -> Option<Event> {
        let from_us = line
            .source
            .as_ref()
            .is_some_and(|source| self.case.same(&source.nick, &self.nick));
        match (line.verb.as_str(), line.numeric()) {
            ("PING", _) => return Some(Event::Write(format!("PONG :{}", line.last()))),
            ("ERROR", _) => {
                return Some(Event::End(format!(
                    "the server closed the connection: {}",
                    line.last()
                )));
            }
            ("PRIVMSG", _) if !from_us => return self.said(line).map(Box::new).map(Event::Said),
            ("JOIN", _) if from_us => self.rooms.entered(self.case, line.arg(0)),
            ("PART", _) if from_us => self.rooms.left(self.case, line.arg(0), now),
            ("KICK", _) if self.case.same(line.arg(1), &self.nick) => {
                tracing::warn!(room.id = line.arg(0), "kicked from a room");
                self.rooms.left(self.case, line.arg(0), now);
            }
            ("NICK", _) if from_us => line.arg(0).clone_into(&mut self.nick),
            // Whoever held our nick let go of it.
            ("NICK" | "QUIT", _) if self.holds_ours(line) => {
                return Some(Event::Write(format!("NICK {}", self.wanted)));
            }
            (_, Some(5)) => self.learn(line),
            // The replies that keep us out of a room.
            (_, Some(403 | 405 | 407 | 437 | 471..=477 | 489)) => {
                self.rooms.left(self.case, line.arg(1), now);
            }
            _ => {}
        }
        None
    }

    fn holds_ours(&self, line: &Line) -> bool {
        let theirs = line
            .source
            .as_ref()
            .is_some_and(|source| self.case.same(&source.nick, &self.wanted));
        theirs && self.nick != self.wanted
    }

    /// Reply 005: what the server supports.
    fn learn(&mut self, line: &Line) {
        if let Some(word) = line.args.iter().find_map(|arg| arg.strip_prefix("CASEMAPPING=")) {
            self.case = Case::parse(word);
        }
    }

    fn said(&self, line: &Line) -> Option<InboundMessage> {
        let source = line
            .source
            .as_ref()
            .filter(|source| !source.user.is_empty() && !source.host.is_empty())?;
        let text = match line.arg(1).strip_prefix('\u{1}') {
            // `\x01ACTION waves\x01`: the one CTCP request that is something said.
            Some(request) => {
                format!(
                    "* {} {}",
                    source.nick,
                    request.strip_prefix("ACTION ")?.trim_end_matches('\u{1}')
                )
            }
            None => line.arg(1).to_owned(),
        };
        let text = text::plain(&text);
        let room = line.arg(0);
        let in_room = text::is_room(room);
        if text.trim().is_empty() || (!in_room && !self.case.same(room, &self.nick)) {
            return None;
        }
        let mask = self.mask(source);
        let account = line
            .tag("account")
            .map(|account| format!("account:{}", account.to_ascii_lowercase()));
        let (sender_id, sender_aliases) = match account {
            Some(account) => (account, vec![mask]),
            None => (mask, Vec::new()),
        };
        let person = format!("{}!{}@{}", source.nick, source.user, source.host);
        // Without a msgid every line is a message of its own: IRC delivers once.
        let message_id = line
            .tag("msgid")
            .map_or_else(|| Uuid::now_v7().to_string(), str::to_owned);
        let (chat_kind, chat_id, reply_to) = if in_room {
            (ChatKind::Channel, self.case.fold(room), room.to_owned())
        } else {
            (ChatKind::Direct, sender_id.clone(), person)
        };
        let message = || {
            Ok::<_, IdError>(InboundMessage {
                message_id: MessageId::try_from(message_id)?,
                chat_kind,
                chat_id: ChatId::try_from(chat_id)?,
                origin: Origin::default(),
                reply_to: Address::try_from(reply_to)?,
                thread_id: None,
                sender_id: SenderId::try_from(sender_id)?,
                sender_aliases: sender_aliases
                    .into_iter()
                    .map(SenderId::try_from)
                    .collect::<Result<_, _>>()?,
                sender_name: Some(source.nick.clone()),
                mentioned: !in_room || text::mentions(self.case, &text, &self.nick),
                content: Content::text(text),
                sent_at: self.clock.now_ms(),
            })
        };
        message()
            .inspect_err(|problem| tracing::warn!(%problem, "a message was left out"))
            .ok()
    }

    /// `nick!user@host`, written in one way.
    fn mask(&self, source: &Source) -> String {
        format!(
            "{}!{}@{}",
            self.case.fold(&source.nick),
            source.user,
            source.host.to_ascii_lowercase()
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gatehouse_core::Clock;
    use tokio::time::{self, Instant};

    use super::{Event, Registered};
    use crate::{
        adapter::{ChatKind, InboundMessage},
        id::SenderId,
        platform::irc::{config::IrcConfig, line::Line},
    };

    fn session(nick: &str) -> Registered {
        let mut config = IrcConfig::for_tests("127.0.0.1", 1);
        config.rooms = vec!["#home".into()];
        Registered::new(&config, nick.into(), Clock::fixed(7), Instant::now())
    }

    fn said(line: &str) -> Option<InboundMessage> {
        match session("gate").on(&Line::parse(line), Instant::now()) {
            Some(Event::Said(message)) => Some(*message),
            _ => None,
        }
    }

    #[tokio::test]
    async fn a_room_and_a_private_message_are_told_apart() {
        let room = said(":Anna!~a@Host.Test PRIVMSG #Home :gate: hi").unwrap();
        assert_eq!(
            (room.chat_kind, room.chat_id.as_str(), room.reply_to.as_str()),
            (ChatKind::Channel, "#home", "#Home")
        );
        assert_eq!(room.sender_id.as_str(), "anna!~a@host.test");
        assert!(room.mentioned);

        let private = said(":Anna!~a@Host.Test PRIVMSG Gate :hi").unwrap();
        assert_eq!(private.chat_kind, ChatKind::Direct);
        assert_eq!(private.chat_id.as_str(), "anna!~a@host.test");
        assert_eq!(
            private.reply_to.as_str(),
            "Anna!~a@Host.Test",
            "the reply is bound to the person, not to the nick"
        );
    }

    #[tokio::test]
    async fn a_logged_in_sender_is_known_by_the_account() {
        let message = said("@account=Anna;msgid=m1 :nick!u@h PRIVMSG #home :hi").unwrap();

        assert_eq!(message.sender_id.as_str(), "account:anna");
        assert_eq!(message.sender_aliases, [SenderId::from("nick!u@h")]);
        assert_eq!(message.message_id.as_str(), "m1");
        assert!(!message.mentioned);
    }

    #[tokio::test]
    async fn notices_ctcp_our_own_words_and_other_peoples_mail_are_not_heard() {
        for line in [
            ":anna!a@h NOTICE gate :hi",
            ":anna!a@h PRIVMSG gate :\u{1}VERSION\u{1}",
            ":gate!g@h PRIVMSG #home :hi",
            ":anna!a@h PRIVMSG bert :hi",
            ":anna!a@h PRIVMSG @#home :hi",
            ":irc.example.test PRIVMSG gate :hi",
            ":anna PRIVMSG gate :hi",
            ":anna!a@h PRIVMSG gate :\u{2}\u{2} ",
        ] {
            assert_eq!(said(line), None, "{line}");
        }
        assert_eq!(
            said(":anna!a@h PRIVMSG gate :\u{1}ACTION waves\u{1}")
                .unwrap()
                .content
                .words(),
            "* anna waves"
        );
    }

    #[tokio::test]
    async fn each_line_without_a_msgid_is_a_message_of_its_own() {
        let line = ":anna!a@h PRIVMSG gate :hi";
        assert_ne!(said(line).unwrap().message_id, said(line).unwrap().message_id);
    }

    #[tokio::test]
    async fn the_servers_case_mapping_keeps_its_rooms_apart() {
        let mut session = session("gate");
        session.on(
            &Line::parse(":s 005 gate CASEMAPPING=ascii :are supported"),
            Instant::now(),
        );

        let Some(Event::Said(message)) = session.on(&Line::parse(":a!b@c PRIVMSG #A[ :gate"), Instant::now())
        else {
            panic!("nothing said")
        };
        assert_eq!(message.chat_id.as_str(), "#a[");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_nick_is_regained_by_the_clock_and_at_once_when_it_is_free() {
        let mut session = session("gate_");
        session.rooms.entered(session.case, "#home");
        assert!(session.tick(Instant::now()).is_empty());
        time::advance(Duration::from_secs(60)).await;
        assert_eq!(session.tick(Instant::now()), ["NICK gate"]);

        let quit = session.on(&Line::parse(":gate!x@y QUIT :netsplit"), Instant::now());
        assert_eq!(quit, Some(Event::Write("NICK gate".into())));
        session.on(&Line::parse(":gate_!g@h NICK gate"), Instant::now());
        time::advance(Duration::from_secs(600)).await;
        assert!(session.tick(Instant::now()).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_kick_the_assistant_comes_back() {
        let mut session = session("gate");
        assert_eq!(session.tick(Instant::now()), ["JOIN #home"]);
        session.on(&Line::parse(":gate!g@h JOIN #home"), Instant::now());

        session.on(&Line::parse(":op!o@h KICK #home gate :out"), Instant::now());

        time::advance(Duration::from_secs(5)).await;
        assert_eq!(session.tick(Instant::now()), ["JOIN #home"]);
    }
}
