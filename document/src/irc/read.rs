//! An IRC account, read: what stands in the document as what a connection needs, or every mistake in it.

use std::{collections::BTreeMap, net::IpAddr};

use super::{IrcAccount, NickServ, Sasl};
use crate::{PathInput, SecretInput, policies::SendRate, wrong::Wrong};

/// Rooms of one account. Networks rarely allow more than 120.
pub const ROOMS_MAX: usize = 200;
/// The longest name of a room and of anybody, in bytes: RFC 2811 has 50, and no server takes more than this.
const NAME_BYTES_MAX: usize = 200;
/// The longest text that is sent in one line beside a command.
const LINE_BYTES_MAX: usize = 400;

/// An account that can be connected.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A host name, or an IP address without brackets.
    pub server: String,
    /// Not zero.
    pub port: u16,
    /// Whether to speak TLS.
    pub tls: bool,
    /// A PEM file with a certificate to trust besides the usual ones.
    pub tls_ca_file: Option<PathInput>,
    /// One word.
    pub nick: String,
    /// One word.
    pub username: String,
    /// One line.
    pub realname: String,
    /// One line.
    pub password: Option<SecretInput>,
    /// Login before entering.
    pub sasl: Option<Sasl>,
    /// The nick of the service and the password for it.
    pub nickserv: Option<(String, SecretInput)>,
    /// Names of rooms.
    pub rooms: Vec<String>,
    /// The keys of some of them, by name. One word each.
    pub room_keys: BTreeMap<String, SecretInput>,
    /// Above zero.
    pub rate_limit: Option<SendRate>,
}

impl IrcAccount {
    /// Reads the account.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn read(&self) -> Result<Settings, Vec<Wrong>> {
        let mut wrong = Vec::new();
        let tls = self.tls.unwrap_or(true);
        let server = take(server(self.server.as_deref()), &mut wrong);
        let nick = take(nick(self.nick.as_deref()), &mut wrong);
        let port = self.port.unwrap_or(if tls { 6697 } else { 6667 });
        if port == 0 {
            wrong.push(Wrong::new(&["port"], "must be from 1 to 65535"));
        }
        let username = self.username.clone().unwrap_or_else(|| nick.to_ascii_lowercase());
        if self.username.is_some() && !is_word(&username, &['@', '!']) {
            wrong.push(Wrong::new(&["username"], "must be one word without @ and !"));
        }
        let realname = self.realname.clone().unwrap_or_else(|| "Gatehouse".to_owned());
        if !is_line(&realname) {
            wrong.push(Wrong::new(&["realname"], ONE_LINE));
        }
        if self
            .password
            .as_ref()
            .is_some_and(|password| !is_secret_line(password))
        {
            wrong.push(Wrong::new(&["password"], ONE_LINE));
        }
        if let Some(sasl) = &self.sasl {
            if !is_line(&sasl.account) {
                wrong.push(Wrong::new(&["sasl", "account"], ONE_LINE));
            }
            let password = sasl.password.text();
            if password.is_some_and(|password| password.is_empty() || password.contains('\0')) {
                wrong.push(Wrong::new(&["sasl", "password"], "must not be blank"));
            }
        }
        let nickserv = self
            .nickserv
            .as_ref()
            .and_then(|nickserv| login(nickserv, &mut wrong));
        let rooms = self.channels.clone().unwrap_or_default();
        if rooms.len() > ROOMS_MAX {
            wrong.push(Wrong::new(
                &["channels"],
                format!("must be at most {ROOMS_MAX} rooms"),
            ));
        }
        for (index, room) in rooms.iter().enumerate().filter(|(_, room)| !is_room(room)) {
            wrong.push(Wrong {
                index: Some(index),
                ..Wrong::new(&["channels"], room_problem(room))
            });
        }
        wrong.extend(
            self.channel_keys
                .iter()
                .filter_map(|(room, key)| key_problem(&rooms, room, key)),
        );
        wrong.extend(self.common.rate_limit.as_ref().and_then(SendRate::wrong));
        if !wrong.is_empty() {
            return Err(wrong);
        }
        Ok(Settings {
            server,
            port,
            tls,
            tls_ca_file: self.tls_ca_file.clone(),
            nick,
            username,
            realname,
            password: self.password.clone(),
            sasl: self.sasl.clone(),
            nickserv,
            rooms,
            room_keys: self.channel_keys.clone(),
            rate_limit: self.common.rate_limit.clone(),
        })
    }
}

const ONE_LINE: &str = "must be one line, not blank and not longer than 400 bytes";

fn take(value: Result<String, Wrong>, wrong: &mut Vec<Wrong>) -> String {
    value.unwrap_or_else(|found| {
        wrong.push(found);
        String::new()
    })
}

/// The server's name, without the brackets of an IPv6 address and without the dot at the end that both mean the same.
fn server(written: Option<&str>) -> Result<String, Wrong> {
    let wrong = |message: String| Err(Wrong::new(&["server"], message));
    let Some(written) = written.filter(|written| !written.is_empty()) else {
        return wrong("is required: the server's host name".to_owned());
    };
    let bare = written
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(written);
    if bare.parse::<IpAddr>().is_ok() {
        return Ok(bare.to_owned());
    }
    if let Some((_, rest)) = written.split_once("://") {
        return wrong(format!(
            "must be a host name without a scheme, for example {:?}",
            host_of(rest)
        ));
    }
    if let Some((host, port)) = written.rsplit_once(':')
        && is_host(host)
        && port.chars().all(|c| c.is_ascii_digit())
    {
        return wrong(format!(
            "must be a host name; the port has a key of its own: server: {host:?}, port: {port}"
        ));
    }
    let host = written.strip_suffix('.').unwrap_or(written);
    if is_host(host) {
        Ok(host.to_owned())
    } else {
        wrong("must be a host name or an IP address, for example \"irc.libera.chat\"".to_owned())
    }
}

fn host_of(rest: &str) -> &str {
    rest.split(['/', ':', '?']).next().unwrap_or(rest)
}

/// A name that a resolver and a certificate take (RFC 1123, section 2.1), with the underscore that some have.
fn is_host(name: &str) -> bool {
    let is_label = |label: &str| {
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        (1..=63).contains(&label.len())
            && label.chars().all(known)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // A name whose last part is a number is a broken address.
    let ends_in_number = name
        .rsplit('.')
        .next()
        .is_some_and(|last| last.chars().all(|c| c.is_ascii_digit()));
    name.len() <= 253 && name.split('.').all(is_label) && !ends_in_number
}

fn nick(written: Option<&str>) -> Result<String, Wrong> {
    let Some(nick) = written.filter(|nick| !nick.is_empty()) else {
        return Err(Wrong::new(&["nick"], "is required: the assistant's nick"));
    };
    if is_word(nick, &['!', '@', '*', '?', '#', '&', '%', '$']) && !nick.starts_with(['+', '~', '-']) {
        Ok(nick.to_owned())
    } else {
        Err(Wrong::new(
            &["nick"],
            "must be one word that a nick can be: letters, digits and any of []\\`_^{|}-, beginning with a letter",
        ))
    }
}

fn login(nickserv: &NickServ, wrong: &mut Vec<Wrong>) -> Option<(String, SecretInput)> {
    if nickserv.enabled == Some(false) {
        return None;
    }
    let service = nickserv.service.clone().unwrap_or_else(|| "NickServ".to_owned());
    // `NickServ@services.example.net` is how some networks want it.
    if !is_word(&service, &['!', '*', '?', '#']) {
        wrong.push(Wrong::new(
            &["nickserv", "service"],
            "must be one word: the service's nick",
        ));
    }
    let password = nickserv.password.clone()?;
    if !is_secret_line(&password) {
        wrong.push(Wrong::new(&["nickserv", "password"], ONE_LINE));
    }
    Some((service, password))
}

fn is_room(room: &str) -> bool {
    room.starts_with(['#', '&', '+', '!'])
        && room.len() <= NAME_BYTES_MAX
        && !room
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || c == ',')
}

fn room_problem(room: &str) -> String {
    let problem = "is not the name of a room, for example \"#home\"";
    match room.split_once(' ') {
        Some((name, _)) if is_room(name) => {
            format!(
                "{problem}: the key of a room stands in channelKeys, and a list is written as [\"#one\", \"#two\"]"
            )
        }
        _ => format!("{problem}: it begins with #, &, + or ! and has no blanks and commas"),
    }
}

/// What is wrong with the key of a room. What a reference leads to is judged when it is followed.
fn key_problem(rooms: &[String], room: &str, key: &SecretInput) -> Option<Wrong> {
    let message = if !rooms.iter().any(|known| known.eq_ignore_ascii_case(room)) {
        "names a room that does not stand in channels".to_owned()
    } else if key.text().is_some_and(|key| !is_room_key(key)) {
        "must be one word without commas, at most 200 bytes long and not beginning with a colon".to_owned()
    } else {
        return None;
    };
    Some(Wrong::new(&["channelKeys"], message))
}

/// Whether a text can stand behind the name of a room in JOIN.
fn is_room_key(key: &str) -> bool {
    let odd = |c: char| c.is_control() || c.is_whitespace() || c == ',';
    !key.is_empty() && key.len() <= NAME_BYTES_MAX && !key.starts_with(':') && !key.contains(odd)
}

/// One argument of a command.
fn is_word(text: &str, without: &[char]) -> bool {
    let odd = |c: char| c.is_control() || c.is_whitespace() || matches!(c, ',' | ':') || without.contains(&c);
    !text.is_empty() && text.len() <= NAME_BYTES_MAX && !text.contains(odd)
}

fn is_line(text: &str) -> bool {
    !text.is_empty() && text.len() <= LINE_BYTES_MAX && !text.contains(['\r', '\n', '\0'])
}

/// What a reference leads to is judged when it is followed.
fn is_secret_line(input: &SecretInput) -> bool {
    input.text().is_none_or(is_line)
}
