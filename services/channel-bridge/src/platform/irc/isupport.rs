//! What the server says about itself in reply 005: how long names may be, how it tells them apart, what a room's name begins
//! with. A server that says nothing is taken as RFC 1459 has it.

use gatehouse_core::Secret;

use super::{config::Wanted, line::Line};
use crate::adapter::Case;

/// The longest line, CR LF included (RFC 1459, section 2.3): every server takes it. A server may take longer ones and say so (LINELEN), which
/// is not used: an answer is cut into lines, and they are stored, before it is known which server will be there to take them.
pub(super) const LINE_BYTES: usize = 512;
/// What may stand before a room's name for a part of those in it, where the server does not say: operators and voiced people.
const STATUS: &str = "~&@%+";
/// What a room's name begins with, where the server does not say (RFC 2811, section 2.1).
const ROOMS: &str = "#&+!";
/// Characters of the id in the name of a safe channel, `!ABCDEhome` (RFC 2811, section 2.1).
const ID_CHARS: usize = 5;

/// What one server supports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Isupport {
    pub(crate) case: Case,
    /// The longest nick, in bytes, where the server says so.
    pub(crate) nick_bytes: Option<usize>,
    /// The longest name of a room, in bytes, where the server says so.
    room_bytes: Option<usize>,
    /// Rooms in one JOIN. `None`: the server does not say.
    join_targets: Option<usize>,
    rooms: Option<String>,
    status: Option<String>,
    prefixes: Option<String>,
}

/// A target in a line, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    /// Whom of those in the room it is for: `@`, `+`. Blank: for all.
    pub(crate) status: &'a str,
    /// The room.
    pub(crate) room: &'a str,
}

impl Default for Isupport {
    fn default() -> Self {
        Self {
            case: Case::Rfc1459,
            nick_bytes: None,
            room_bytes: None,
            join_targets: None,
            rooms: None,
            status: None,
            prefixes: None,
        }
    }
}

impl Isupport {
    /// Reads one line of reply 005: `005 gate NICKLEN=9 -KNOCK :are supported on this server`.
    pub(crate) fn learn(&mut self, line: &Line) {
        let words = line.args.iter().skip(1);
        for word in words.take(line.args.len().saturating_sub(2)) {
            if let Some(taken_back) = word.strip_prefix('-') {
                self.set(taken_back, None);
            } else {
                let (name, value) = word.split_once('=').unwrap_or((word, ""));
                self.set(name, Some(value));
            }
        }
    }

    /// A value, or its withdrawal.
    fn set(&mut self, name: &str, value: Option<&str>) {
        let number = || {
            value
                .and_then(|value| value.parse().ok())
                .filter(|number| *number > 0)
        };
        let text = || value.filter(|value| !value.is_empty()).map(str::to_owned);
        match name.to_ascii_uppercase().as_str() {
            "CASEMAPPING" => self.case = value.map_or(Case::Rfc1459, mapping),
            "NICKLEN" => self.nick_bytes = number(),
            // MAXNICKLEN is how long the nicks of others may be.
            "CHANNELLEN" => self.room_bytes = number(),
            "CHANTYPES" => self.rooms = text(),
            "STATUSMSG" => self.status = text(),
            // `(ov)@+`
            "PREFIX" => {
                self.prefixes = text().and_then(|text| Some(text.split_once(')')?.1.to_owned()));
            }
            // `JOIN:4,PRIVMSG:3,NAMES:`; without a number there is no limit.
            "TARGMAX" => {
                let join = value.unwrap_or_default().split(',').find_map(|entry| {
                    let (command, number) = entry.split_once(':')?;
                    command.eq_ignore_ascii_case("JOIN").then_some(number)
                });
                self.join_targets = join.map(|number| number.parse().unwrap_or(usize::MAX).max(1));
            }
            _ => {}
        }
    }

    /// Whether the name is a room's.
    pub(crate) fn is_room(&self, name: &str) -> bool {
        name.starts_with(|c| self.rooms.as_deref().unwrap_or(ROOMS).contains(c))
    }

    /// Takes the target of a message apart: `@+#home` is said in `#home`, to a part of it. `None`: it is no room.
    pub(crate) fn place<'a>(&self, target: &'a str) -> Option<Place<'a>> {
        let whole = target.trim_start_matches(|c| self.may_be_status(c));
        let status_bytes = target.len() - whole.len();
        // As many of them as still leave the name of a room: `&` and `+` are also the beginning of one.
        let split = (0..=status_bytes)
            .rev()
            .filter(|at| target.is_char_boundary(*at))
            .map(|at| target.split_at(at))
            .find(|(status, room)| {
                self.is_room(room) && (status.is_empty() || self.follows_status(status, room))
            });
        split.map(|(status, room)| Place { status, room })
    }

    fn may_be_status(&self, c: char) -> bool {
        let known = self.status.as_deref().or(self.prefixes.as_deref());
        known.unwrap_or(STATUS).contains(c)
    }

    /// Whether what stands before this room is a status and not the beginning of its name. A server that sends to parts of rooms
    /// says so; where it says nothing, a room whose name begins with `+` is a rare thing, and a rule that is passed by is not.
    fn follows_status(&self, status: &str, room: &str) -> bool {
        if self.status.is_some() {
            return true;
        }
        let begins = |c: char| self.rooms.as_deref().is_some_and(|rooms| rooms.contains(c));
        room.starts_with(['#', '&', '!']) && !status.starts_with(begins)
    }

    /// One name for all names of a room: folded, and a safe channel without its id, or the second sign that asks for a new one.
    pub(crate) fn room_id(&self, room: &str) -> String {
        let once = room
            .strip_prefix('!')
            .filter(|rest| rest.starts_with('!'))
            .unwrap_or(room);
        self.case.fold(&short(once).unwrap_or_else(|| once.to_owned()))
    }

    /// Whether a room that is wanted is the one that the server names: it may have cut the name, or put an id into it.
    pub(crate) fn is_same_room(&self, wanted: &str, named: &str) -> bool {
        let cut = self.room_bytes.filter(|most| wanted.len() > *most);
        self.case.same(wanted, named)
            || cut.is_some_and(|most| self.case.same(head(wanted, most), named))
            || (wanted.starts_with('!')
                && short(named).is_some_and(|short| self.room_id(wanted) == self.room_id(&short)))
    }

    /// JOIN lines for these rooms, each as long as the server takes it. Keys stand behind the names in the same order (RFC 1459,
    /// section 4.2.1), so rooms that have one come first.
    pub(crate) fn joins(&self, rooms: &[Wanted]) -> Vec<String> {
        /// Rooms in one JOIN however many are allowed: each costs the server as much as a line does.
        const TARGETS_MAX: usize = 10;
        let most = self.join_targets.unwrap_or(TARGETS_MAX).min(TARGETS_MAX);
        let bytes = LINE_BYTES - "\r\n".len();
        let (with_key, open): (Vec<_>, Vec<_>) = rooms.iter().partition(|room| room.key.is_some());
        let mut lines: Vec<Join<'_>> = Vec::new();
        for room in with_key.into_iter().chain(open) {
            let fits = |line: &&mut Join<'_>| line.names.len() < most && line.bytes_with(room) <= bytes;
            match lines.last_mut().filter(fits) {
                Some(line) => line.push(room),
                None => lines.push(Join::of(room)),
            }
        }
        lines.iter().map(Join::line).collect()
    }
}

/// One JOIN in the making.
struct Join<'a> {
    names: Vec<&'a str>,
    keys: Vec<&'a str>,
}

impl<'a> Join<'a> {
    fn of(room: &'a Wanted) -> Self {
        let (names, keys) = (Vec::new(), Vec::new());
        let mut join = Self { names, keys };
        join.push(room);
        join
    }

    fn push(&mut self, room: &'a Wanted) {
        self.names.push(&room.name);
        self.keys.extend(room.key.as_ref().map(Secret::expose));
    }

    /// How long the line is with one room more.
    fn bytes_with(&self, room: &Wanted) -> usize {
        let key = room.key.as_ref().map_or(0, |key| 1 + key.expose().len());
        self.line().len() + 1 + room.name.len() + key
    }

    fn line(&self) -> String {
        let names = self.names.join(",");
        match self.keys.as_slice() {
            [] => format!("JOIN {names}"),
            keys => format!("JOIN {names} {}", keys.join(",")),
        }
    }
}

/// Reads the server's word for its mapping; an unknown one is taken as ASCII, which keeps apart what might be two people.
fn mapping(word: &str) -> Case {
    match word.to_ascii_lowercase().as_str() {
        "rfc1459" => Case::Rfc1459,
        "rfc1459-strict" | "strict-rfc1459" => Case::Rfc1459Strict,
        // Those by PRECIS (RFC 7613, RFC 8265) fold every letter.
        "rfc3454" | "rfc7613" | "rfc7700" | "rfc8265" | "precis" | "unicode" | "utf8" | "utf-8" => {
            Case::Unicode
        }
        _ => Case::Ascii,
    }
}

/// `!home` for `!ABCDEhome`.
fn short(room: &str) -> Option<String> {
    let rest = room.strip_prefix('!')?;
    let id = rest.get(..ID_CHARS)?;
    let is_id = id.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    let name = rest.get(ID_CHARS..).filter(|name| is_id && !name.is_empty())?;
    Some(format!("!{name}"))
}

/// As much of a name as fits.
pub(super) fn head(name: &str, bytes: usize) -> &str {
    name.get(..name.floor_char_boundary(bytes)).unwrap_or(name)
}

#[cfg(test)]
mod tests;
