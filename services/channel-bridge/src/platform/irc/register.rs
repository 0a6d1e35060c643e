//! From the open socket to the welcome: capabilities, SASL PLAIN, and a nick that is free.
//!
//! With SASL configured the assistant never enters without it: a server that does not offer it, or refuses it, ends the
//! connection, because a nick that is not logged in would be somebody else to those who trust the account.

use base64::{Engine, prelude::BASE64_STANDARD};

use super::{config::IrcConfig, line::Line, nick::Nick};

/// Capabilities that are used where the server has them: who speaks, also under a new host, and what is only history. A bouncer or server that keeps
/// history reads it to whoever does not say that it could ask for it, which `draft/chathistory` and `znc.in/playback` say. We ask
/// for none.
const WANTED: [&str; 7] = [
    "account-tag",
    "chghost",
    "message-tags",
    "server-time",
    "batch",
    "draft/chathistory",
    "znc.in/playback",
];
/// AUTHENTICATE carries at most this much in one line (IRCv3 SASL 3.1).
const SASL_CHUNK_BYTES: usize = 400;

/// What a line led to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Write these.
    Write(Vec<String>),
    /// In, under this nick.
    Welcome(String),
    /// It cannot go on.
    End(String),
}

/// The registration of one connection.
#[derive(Debug)]
pub(crate) struct Register {
    nick: Nick,
    offered: Vec<String>,
    /// Asked for all that is wanted; what was refused as a whole is asked for without what could be spared.
    asked_for_all: bool,
    authenticated: bool,
}

impl Register {
    pub(crate) fn start(config: &IrcConfig) -> (Self, Vec<String>) {
        let mut lines = vec!["CAP LS 302".to_owned()];
        if let Some(password) = &config.password {
            lines.push(format!("PASS :{}", password.expose()));
        }
        lines.push(format!("NICK {}", config.nick));
        lines.push(format!("USER {} 0 * :{}", config.username, config.realname));
        (
            Self {
                nick: Nick::new(&config.nick),
                offered: Vec::new(),
                asked_for_all: false,
                authenticated: false,
            },
            lines,
        )
    }

    /// The search for a nick, as far as it came.
    pub(crate) fn into_nick(self) -> Nick {
        self.nick
    }

    /// What a line means before the welcome.
    pub(crate) fn on(&mut self, config: &IrcConfig, line: &Line) -> Step {
        match (line.verb.as_str(), line.numeric()) {
            ("CAP", _) => self.capabilities(config, line),
            ("AUTHENTICATE", _) if line.arg(0) == "+" => Step::Write(credentials(config)),
            (_, Some(903)) => {
                self.authenticated = true;
                Step::Write(vec!["CAP END".into()])
            }
            (_, Some(902 | 904 | 905 | 906 | 908)) => Step::End(format!("SASL was refused: {}", line.last())),
            // The nick is in use, reserved, or not to the server's taste.
            (_, Some(code @ (432 | 433 | 436 | 437))) => match self.nick.refused(code, line) {
                Ok(nick) => Step::Write(vec![format!("NICK {nick}")]),
                Err(reason) => Step::End(reason),
            },
            (_, Some(464)) => Step::End(format!(
                "the server refused the password: {} (464); look at channels.irc.password",
                line.last()
            )),
            (_, Some(code @ (463 | 465 | 466))) => Step::End(format!(
                "the server does not let us in: {} ({code}); ask its operators",
                line.last()
            )),
            (_, Some(1)) if config.sasl.is_some() && !self.authenticated => {
                Step::End("the server does not offer SASL, which is configured".into())
            }
            (_, Some(1)) => Step::Welcome(if line.arg(0).is_empty() {
                self.nick.asked().to_owned()
            } else {
                line.arg(0).into()
            }),
            ("ERROR", _) => Step::End(format!("the server closed the connection: {}", line.last())),
            _ => Step::Write(Vec::new()),
        }
    }

    /// `CAP <nick> LS|ACK|NAK [*] :<names>`
    fn capabilities(&mut self, config: &IrcConfig, line: &Line) -> Step {
        let word = line.arg(1);
        if word.eq_ignore_ascii_case("LS") {
            self.offered
                .extend(line.last().split(' ').take(100).map(str::to_owned));
            if line.arg(2) == "*" && line.args.len() > 3 {
                return Step::Write(Vec::new());
            }
            return self.ask(config);
        }
        if word.eq_ignore_ascii_case("ACK")
            && config.sasl.is_some()
            && line.last().split(' ').any(|name| name == "sasl")
        {
            return Step::Write(vec!["AUTHENTICATE PLAIN".into()]);
        }
        if word.eq_ignore_ascii_case("NAK") && std::mem::take(&mut self.asked_for_all) {
            // One that it does not know after all: without the rest, rather than without SASL.
            return match config.sasl {
                Some(_) => Step::Write(vec!["CAP REQ :sasl".into()]),
                None => Step::Write(vec!["CAP END".into()]),
            };
        }
        if word.eq_ignore_ascii_case("ACK") || word.eq_ignore_ascii_case("NAK") {
            return match config.sasl {
                Some(_) if !self.authenticated => Step::End("the server refused the capability sasl".into()),
                _ => Step::Write(vec!["CAP END".into()]),
            };
        }
        Step::Write(Vec::new())
    }

    fn ask(&mut self, config: &IrcConfig) -> Step {
        let offers = |name: &str| {
            self.offered
                .iter()
                .any(|offer| offer.split('=').next() == Some(name))
        };
        let mut wanted: Vec<&str> = WANTED.into_iter().filter(|name| offers(name)).collect();
        self.asked_for_all = !wanted.is_empty();
        if config.sasl.is_some() {
            if !offers("sasl") {
                return Step::End("the server does not offer SASL, which is configured".into());
            }
            wanted.push("sasl");
        }
        Step::Write(vec![if wanted.is_empty() {
            "CAP END".into()
        } else {
            format!("CAP REQ :{}", wanted.join(" "))
        }])
    }
}

/// `\0account\0password`, in chunks; a last chunk that is full is followed by an empty one.
fn credentials(config: &IrcConfig) -> Vec<String> {
    let Some(sasl) = &config.sasl else {
        return vec!["AUTHENTICATE *".into()];
    };
    let text = BASE64_STANDARD.encode(format!("\0{}\0{}", sasl.account, sasl.password.expose()));
    let mut rest = text.as_str();
    let mut lines = Vec::new();
    while let Some((chunk, tail)) = rest.split_at_checked(SASL_CHUNK_BYTES) {
        lines.push(format!("AUTHENTICATE {chunk}"));
        rest = tail;
    }
    lines.push(format!(
        "AUTHENTICATE {}",
        if rest.is_empty() { "+" } else { rest }
    ));
    lines
}

#[cfg(test)]
mod tests;
