//! The nick: the one that is wanted, and the nearest to it that the server lets us have.
//!
//! Servers refuse a nick for its length, its characters, or because somebody has it, and say so with few numbers and many words;
//! some cut a nick in silence. So the limit is learned from whatever tells it: a number in the server's words, a refusal that names
//! less than was asked for, or NICKLEN. RFC 1459 grants every client nine characters.

use super::{isupport::head, line::Line};

/// What every server takes (RFC 1459, section 1.2).
const BYTES_ALWAYS: usize = 9;
/// Underscores tried after a taken nick; then a number.
const UNDERSCORES_MAX: usize = 3;
/// Nicks tried in all. A few more than a busy room needs.
const TRIES_MAX: usize = 10;

/// A reply that refuses something, in the server's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: u16,
    pub(crate) words: String,
}

impl Refusal {
    pub(crate) fn of(code: u16, line: &Line) -> Self {
        Self {
            code,
            words: line.last().to_owned(),
        }
    }

    /// `FAIL JOIN CODE #home :why` (IRCv3 standard replies), which has a word for a number.
    pub(crate) fn standard(line: &Line) -> Self {
        Self {
            code: 0,
            words: format!("{} ({})", line.last(), line.arg(1)),
        }
    }

    /// No answer at all.
    pub(crate) fn silence() -> Self {
        Self {
            code: 0,
            words: "the server did not answer".to_owned(),
        }
    }

    /// For a person.
    pub(crate) fn told(&self) -> String {
        if self.code == 0 {
            self.words.clone()
        } else if self.words.is_empty() {
            format!("no reason given ({})", self.code)
        } else {
            format!("{} ({})", self.words, self.code)
        }
    }
}

/// The search for a nick on one connection.
#[derive(Clone, Debug)]
pub(crate) struct Nick {
    configured: String,
    /// The configured one in characters that every server knows, once the server does not like it as it is.
    plain: bool,
    limit: Option<usize>,
    asked: String,
    /// Which candidate was asked for: 0 is the configured nick itself.
    candidate: usize,
    tries: usize,
    refusal: Option<Refusal>,
}

impl Nick {
    pub(crate) fn new(configured: &str) -> Self {
        Self {
            configured: configured.to_owned(),
            plain: false,
            limit: None,
            asked: configured.to_owned(),
            candidate: 0,
            tries: 0,
            refusal: None,
        }
    }

    /// The one that is asked for.
    pub(crate) fn asked(&self) -> &str {
        &self.asked
    }

    /// The one that is wanted, as far as this server takes it.
    pub(crate) fn goal(&self) -> String {
        self.candidate(0)
    }

    /// Takes over the limit that the server states (NICKLEN): it takes the place of what was guessed. Whether it is another one.
    pub(crate) fn learn_stated(&mut self, limit: usize) -> bool {
        let stated = Some(limit).filter(|limit| *limit < self.configured.len());
        std::mem::replace(&mut self.limit, stated) != stated
    }

    /// Takes over a limit that its words tell.
    fn learn(&mut self, limit: Option<usize>) {
        if let Some(limit) = limit.filter(|limit| *limit < self.configured.len()) {
            self.limit = Some(self.limit.map_or(limit, |known| known.min(limit)));
        }
    }

    /// A nick was refused (432, 433, 436, 437). Another one to ask for, or why there is none.
    pub(crate) fn refused(&mut self, code: u16, line: &Line) -> Result<&str, String> {
        let refusal = Refusal::of(code, line);
        self.tries += 1;
        if self.tries > TRIES_MAX {
            return Err(format!(
                "the server took none of {TRIES_MAX} nicks; its last words: {}; set channels.irc.nick to another one",
                refusal.told()
            ));
        }
        let cut = cut_to(&self.asked, line.arg(1));
        let shorter = cut.or_else(|| limit_in(&refusal, &self.asked));
        if let Some(limit) = shorter {
            self.learn(Some(limit));
            self.candidate = usize::from(cut.is_some());
        } else if code == 432
            && self.asked.len() > BYTES_ALWAYS
            && self.limit.is_none_or(|limit| limit > BYTES_ALWAYS)
        {
            // It does not say what is wrong, so the length may be.
            self.learn(Some(BYTES_ALWAYS));
            self.candidate = 0;
        } else if code == 432 && !self.plain && plain(&self.configured) != self.configured {
            self.plain = true;
            self.candidate = 0;
        } else {
            self.candidate += 1;
        }
        self.refusal = Some(refusal);
        self.asked = self.candidate(self.candidate);
        Ok(&self.asked)
    }

    /// The wanted nick was refused later on. True: it will be for ever.
    pub(crate) fn refused_later(&mut self, code: u16, line: &Line) -> bool {
        let refusal = Refusal::of(code, line);
        let before = self.limit;
        self.learn(cut_to(&self.configured, line.arg(1)).or_else(|| limit_in(&refusal, &self.configured)));
        self.refusal = Some(refusal);
        code == 432 && self.limit == before
    }

    /// What the status says while the nick is another than the configured one.
    pub(crate) fn notice(&self, ours: &str) -> Option<String> {
        if ours.eq_ignore_ascii_case(&self.configured) {
            return None;
        }
        let is = format!("the nick is {ours:?}, not {:?}", self.configured);
        let goal = self.goal();
        let shortened = goal.len() < self.configured.len();
        Some(match (&self.refusal, self.limit.filter(|_| shortened)) {
            (Some(refusal), Some(limit)) => format!(
                "{is}: {}; the server takes {limit} characters: set channels.irc.nick to one as short",
                refusal.told()
            ),
            (None, Some(limit)) => {
                format!("{is}: the server takes {limit} characters: set channels.irc.nick to one as short")
            }
            (Some(refusal), None) if refusal.code == 432 => {
                format!("{is}: {}; set channels.irc.nick to another one", refusal.told())
            }
            (Some(refusal), None) => {
                format!(
                    "{is}: {}; {goal:?} is asked for again every minute",
                    refusal.told()
                )
            }
            (None, None) => {
                format!("{is}: the server gave us this one; {goal:?} is asked for again every minute")
            }
        })
    }

    /// The configured nick with something behind it, within the limit.
    fn candidate(&self, number: usize) -> String {
        let base = if self.plain {
            plain(&self.configured)
        } else {
            self.configured.clone()
        };
        let behind = match number {
            0 => String::new(),
            1..=UNDERSCORES_MAX => "_".repeat(number),
            _ => number.to_string(),
        };
        let room = self.limit.unwrap_or(usize::MAX).saturating_sub(behind.len());
        format!("{}{behind}", head(&base, room.max(1)))
    }
}

/// The length to which the server cut the nick that it names in its refusal.
fn cut_to(asked: &str, named: &str) -> Option<usize> {
    let shorter = named.len() >= BYTES_ALWAYS && named.len() < asked.len();
    (shorter && asked.is_char_boundary(named.len()) && head(asked, named.len()).eq_ignore_ascii_case(named))
        .then_some(named.len())
}

/// The limit that the server's words tell: `Nickname too long, max. 9 characters`.
fn limit_in(refusal: &Refusal, asked: &str) -> Option<usize> {
    let words = refusal.words.to_ascii_lowercase();
    let about_length = ["long", "max", "length", "characters", "chars"];
    if refusal.code != 432 || !about_length.iter().any(|word| words.contains(word)) {
        return None;
    }
    let mut numbers = words
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse::<usize>().ok());
    numbers.find(|number| (2..asked.len()).contains(number))
}

/// In characters that RFC 2812 (section 2.3.1) grants, beginning with a letter.
fn plain(nick: &str) -> String {
    let known = |c: &char| c.is_ascii_alphanumeric() || "[]\\`_^{|}-".contains(*c);
    let kept: String = nick.chars().filter(known).collect();
    let kept = kept.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-');
    if kept.is_empty() {
        "gatehouse".to_owned()
    } else {
        kept.to_owned()
    }
}

#[cfg(test)]
mod tests;
