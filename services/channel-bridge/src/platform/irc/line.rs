//! A message as verb, arguments and source: the shape that the state machines of this adapter match on.

use irc_proto::{Command, Message, Prefix};

/// A line from the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) verb: String,
    pub(crate) args: Vec<String>,
    pub(crate) source: Option<Source>,
    /// Whether it comes from a server, or says nothing about where it comes from.
    from_server: bool,
    tags: Vec<(String, String)>,
}

/// The person a line comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) nick: String,
    pub(crate) user: String,
    pub(crate) host: String,
}

impl Line {
    pub(crate) fn arg(&self, index: usize) -> &str {
        self.args.get(index).map_or("", String::as_str)
    }

    pub(crate) fn last(&self) -> &str {
        self.args.last().map_or("", String::as_str)
    }

    /// The number of a reply.
    pub(crate) fn numeric(&self) -> Option<u16> {
        if self.verb.len() == 3 {
            self.verb.parse().ok()
        } else {
            None
        }
    }

    /// The value of a tag that is set and not blank.
    pub(crate) fn tag(&self, name: &str) -> Option<&str> {
        self.tags
            .iter()
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// Whether a tag is there, with a value or without.
    pub(crate) fn has_tag(&self, name: &str) -> bool {
        self.tags.iter().any(|(key, _)| key == name)
    }

    /// Whether no person said it.
    pub(crate) fn is_from_server(&self) -> bool {
        self.from_server
    }

    #[cfg(test)]
    pub(crate) fn parse(text: &str) -> Self {
        text.parse::<Message>().unwrap().into()
    }
}

impl From<Message> for Line {
    fn from(message: Message) -> Self {
        let (verb, args) = match message.command {
            Command::Response(response, args) => (format!("{:03}", response as u16), args),
            Command::Raw(verb, args) => (verb.to_ascii_uppercase(), args),
            Command::PRIVMSG(target, text) => ("PRIVMSG".into(), vec![target, text]),
            // Heard for what servers and services say. A notice is never answered (RFC 1459, 4.4.2).
            Command::NOTICE(target, text) => ("NOTICE".into(), vec![target, text]),
            Command::INVITE(nick, room) => ("INVITE".into(), vec![nick, room]),
            Command::BATCH(reference, kind, more) => {
                let kind = kind.map(|kind| kind.to_str().to_owned());
                let words = [reference]
                    .into_iter()
                    .chain(kind)
                    .chain(more.into_iter().flatten());
                ("BATCH".into(), words.collect())
            }
            Command::CHGHOST(user, host) => ("CHGHOST".into(), vec![user, host]),
            Command::KILL(nick, reason) => ("KILL".into(), vec![nick, reason]),
            Command::PING(one, two) => ("PING".into(), some([Some(one), two])),
            Command::PONG(one, two) => ("PONG".into(), some([Some(one), two])),
            Command::NICK(nick) => ("NICK".into(), vec![nick]),
            Command::QUIT(reason) => ("QUIT".into(), some([reason])),
            Command::JOIN(room, ..) => ("JOIN".into(), vec![room]),
            Command::PART(room, reason) => ("PART".into(), some([Some(room), reason])),
            Command::KICK(room, nick, reason) => ("KICK".into(), some([Some(room), Some(nick), reason])),
            Command::AUTHENTICATE(data) => ("AUTHENTICATE".into(), vec![data]),
            Command::ERROR(reason) => ("ERROR".into(), vec![reason]),
            Command::CAP(target, word, one, two) => {
                ("CAP".into(), some([target, Some(word.to_str().into()), one, two]))
            }
            // Nothing else means anything to this adapter.
            _ => (String::new(), Vec::new()),
        };
        // A name alone may be a server's or, before somebody is in, a person's: it has no address, so nothing is believed of it.
        let from_server = match &message.prefix {
            None | Some(Prefix::ServerName(_)) => true,
            Some(Prefix::Nickname(_, user, host)) => user.is_empty() && host.is_empty(),
        };
        let source = message.prefix.and_then(|prefix| match prefix {
            Prefix::Nickname(nick, user, host) => Some(Source { nick, user, host }),
            Prefix::ServerName(_) => None,
        });
        let tags = message.tags.unwrap_or_default();
        let tags = tags
            .into_iter()
            .map(|tag| (tag.0, tag.1.unwrap_or_default()))
            .collect();
        Self {
            verb,
            args,
            source,
            from_server,
            tags,
        }
    }
}

fn some<const N: usize>(args: [Option<String>; N]) -> Vec<String> {
    args.into_iter().flatten().collect()
}
