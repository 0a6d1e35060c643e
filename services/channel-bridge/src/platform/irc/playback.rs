//! What was said before we were here, and is only read to us again: by a bouncer, by a server that keeps a room's history. It is
//! not new. Whatever it asks was answered then or was not for us, and an answer now would say everything twice.
//!
//! It is told by three signs: the time that the server puts to a line (IRCv3 `server-time`) lies before the connection, the line
//! is part of a batch of history, or it stands between a bouncer's own words about its buffer. The server's clock is
//! compared with itself, so that it may be as wrong as it likes; only while it has not told it is it held against ours. Not every
//! line tells it: a bouncer reads to us the welcome that it once got, with the time of then.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;
use tokio::time::Instant;

use super::line::Line;

/// How much older than the connection a line may be by the server's own clock: what is said while we enter.
const SKEW: Duration = Duration::from_secs(2);
/// The same by ours, while the server's is not known: clocks that are kept differ by less. Where they differ by more, what is said
/// in the first moments of a connection is taken for old, and nothing after that.
const SKEW_UNKNOWN: Duration = Duration::from_secs(5);
/// How long a buffer is read to us at most, where its end is not told.
const BUFFER_MAX: Duration = Duration::from_secs(30);
/// The same where a server announces history and puts no end to it: it comes in one piece.
const HISTORY_MAX: Duration = Duration::from_secs(5);
/// Batches and buffers that are remembered. A server has one open for each room that we enter.
const OPEN_MAX: usize = 512;
/// The batches that are history (IRCv3 chathistory, and those of bouncers).
const HISTORY: [&str; 5] = [
    "chathistory",
    "draft/chathistory",
    "znc.in/playback",
    "znc.in/tlsplayback",
    "playback",
];

/// What is read to us again on one connection.
#[derive(Debug)]
pub(crate) struct Playback {
    /// When we were welcomed, by our clock, milliseconds since 1970.
    since_ms: i64,
    /// How far the server's clock is ahead of ours, where it told.
    ahead_ms: Option<i64>,
    /// Open batches, and whether they are history.
    batches: HashMap<String, bool>,
    /// Targets whose buffer is being read to us, and until when at most.
    buffers: HashMap<String, Instant>,
}

impl Playback {
    /// Welcomed just now. `greeted`: the last thing that the server said to us about itself, when it answered what we asked for.
    pub(crate) fn new(greeted: Option<&Line>, now_ms: i64) -> Self {
        let mut playback = Self {
            since_ms: now_ms,
            ahead_ms: None,
            batches: HashMap::new(),
            buffers: HashMap::new(),
        };
        if let Some(line) = greeted {
            playback.read_clock(line, now_ms);
        }
        playback
    }

    /// Reads what a line says about history. True: it says nothing else.
    pub(crate) fn on(&mut self, line: &Line, now: Instant, now_ms: i64) -> bool {
        match (line.verb.as_str(), line.numeric()) {
            // An answer: the time in it is the time.
            ("PONG", _) => {
                self.read_clock(line, now_ms);
                false
            }
            ("BATCH", _) => {
                self.batch(line);
                true
            }
            ("PRIVMSG" | "NOTICE", _) if is_buffer_marker(line) => {
                let target = line.arg(0).to_lowercase();
                // `Playback Complete.`; everything else opens.
                if line.last().to_ascii_lowercase().contains("complete") {
                    self.buffers.remove(&target);
                } else {
                    self.open(target, now + BUFFER_MAX);
                }
                true
            }
            // InspIRCd's chanhistory towards a client without batches.
            ("NOTICE" | "PRIVMSG", _)
                if line.is_from_server() && line.last().starts_with("Replaying up to ") =>
            {
                self.open(line.arg(0).to_lowercase(), now + HISTORY_MAX);
                true
            }
            _ => false,
        }
    }

    /// Whether a line is read to us again.
    pub(crate) fn is_old(&mut self, line: &Line, now: Instant) -> bool {
        if line
            .tag("batch")
            .is_some_and(|batch| self.batches.get(batch) == Some(&true))
        {
            return true;
        }
        self.buffers.retain(|_, until| *until > now);
        if self.buffers.contains_key(&line.arg(0).to_lowercase()) {
            return true;
        }
        let Some(said_ms) = time(line) else {
            return false;
        };
        let (ahead_ms, skew) = self.ahead_ms.map_or((0, SKEW_UNKNOWN), |ahead| (ahead, SKEW));
        let skew_ms = i64::try_from(skew.as_millis()).unwrap_or(i64::MAX);
        said_ms.saturating_sub(ahead_ms) < self.since_ms.saturating_sub(skew_ms)
    }

    fn read_clock(&mut self, line: &Line, now_ms: i64) {
        if let Some(time) = time(line) {
            let ahead = time.saturating_sub(now_ms);
            // The freshest of them: what waited on its way looks older than it is.
            self.ahead_ms = Some(self.ahead_ms.map_or(ahead, |known| known.max(ahead)));
        }
    }

    /// `BATCH +ref type [arguments]`, `BATCH -ref`. What is within history is history.
    fn batch(&mut self, line: &Line) {
        let (sign, reference) = line.arg(0).split_at_checked(1).unwrap_or_default();
        match sign {
            "+" => {
                let within = line
                    .tag("batch")
                    .is_some_and(|outer| self.batches.get(outer) == Some(&true));
                let kind = line.arg(1).to_ascii_lowercase();
                let is_history = within || HISTORY.contains(&kind.as_str());
                if self.batches.len() < OPEN_MAX {
                    self.batches.insert(reference.to_owned(), is_history);
                }
            }
            "-" => drop(self.batches.remove(reference)),
            _ => {}
        }
    }

    fn open(&mut self, target: String, until: Instant) {
        if self.buffers.len() < OPEN_MAX {
            self.buffers.insert(target, until);
        }
    }
}

/// The time that the server puts to a line, milliseconds since 1970.
fn time(line: &Line) -> Option<i64> {
    let time: Timestamp = line.tag("time")?.parse().ok()?;
    Some(time.as_millisecond())
}

/// What ZNC says about its own buffer: `:***!znc@znc.in PRIVMSG #home :Buffer Playback...`
fn is_buffer_marker(line: &Line) -> bool {
    let from_bouncer = line
        .source
        .as_ref()
        .is_some_and(|source| source.nick == "***" && source.host.eq_ignore_ascii_case("znc.in"));
    let words = line.last().to_ascii_lowercase();
    from_bouncer && (words.starts_with("buffer playback") || words.starts_with("playback complete"))
}

#[cfg(test)]
mod tests {
    use tokio::time::{self, Duration, Instant};

    use super::{BUFFER_MAX, Playback};
    use crate::platform::irc::line::Line;

    /// 2026-11-27T12:00:00Z
    const NOW: i64 = 1_795_780_800_000;

    fn playback(greeted: Option<&str>) -> Playback {
        Playback::new(greeted.map(Line::parse).as_ref(), NOW)
    }

    fn old(playback: &mut Playback, line: &str) -> bool {
        let line = Line::parse(line);
        playback.on(&line, Instant::now(), NOW) || playback.is_old(&line, Instant::now())
    }

    #[tokio::test]
    async fn what_was_said_before_the_connection_is_old_by_the_servers_own_clock() {
        let said = |time: &str| format!("@time=2026-11-27T{time}Z :anna!a@h PRIVMSG #home :gate: hi");
        // Right, an hour slow, and a day ahead.
        for (welcome, before, after) in [
            ("12:00:00.000", "11:59:57.000", "11:59:58.500"),
            ("11:00:00.000", "10:59:57.000", "11:00:01.000"),
            ("23:59:00.000", "12:00:00.000", "23:59:10.000"),
        ] {
            let mut playback = playback(Some(&format!(
                "@time=2026-11-27T{welcome}Z :s CAP gate ACK :server-time"
            )));
            assert!(old(&mut playback, &said(before)), "{welcome}");
            assert!(!old(&mut playback, &said(after)), "{welcome}");
        }

        let mut unknown = playback(None);
        assert!(old(&mut unknown, &said("11:59:54.000")) && !old(&mut unknown, &said("11:59:56.000")));
        old(&mut unknown, "@time=2026-11-27T12:00:00.100Z :s PONG s :x");
        assert!(
            old(&mut unknown, &said("11:59:40.000")),
            "the answer to a question told its clock"
        );
        assert!(!old(&mut unknown, ":anna!a@h PRIVMSG #home :no time"));
        assert!(!old(
            &mut unknown,
            "@time=yesterday :anna!a@h PRIVMSG #home :no time"
        ));
    }

    #[tokio::test]
    async fn what_is_in_a_batch_of_history_is_old_also_deep_inside() {
        let mut playback = playback(None);
        assert!(old(&mut playback, ":s BATCH +1 chathistory #home"));
        assert!(old(&mut playback, "@batch=1 :s BATCH +2 draft/multiline #home"));
        assert!(old(&mut playback, ":s BATCH +3 netsplit a b"));

        assert!(old(&mut playback, "@batch=1 :anna!a@h PRIVMSG #home :gate: hi"));
        assert!(old(&mut playback, "@batch=2 :anna!a@h PRIVMSG #home :gate: hi"));
        assert!(!old(&mut playback, "@batch=3 :anna!a@h PRIVMSG #home :gate: hi"));
        assert!(
            !old(&mut playback, ":anna!a@h PRIVMSG #home :gate: hi"),
            "said meanwhile"
        );

        old(&mut playback, ":s BATCH -1");
        assert!(!old(&mut playback, "@batch=1 :anna!a@h PRIVMSG #home :gate: hi"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_stands_between_a_bouncers_words_is_old() {
        let mut playback = playback(None);
        let line = ":anna!a@h PRIVMSG #home :[09:48:33] gate: hi";
        assert!(old(
            &mut playback,
            ":***!znc@znc.in PRIVMSG #home :Buffer Playback..."
        ));
        assert!(old(&mut playback, line));
        assert!(!old(&mut playback, ":anna!a@h PRIVMSG #other :gate: hi"));

        assert!(old(
            &mut playback,
            ":***!znc@znc.in PRIVMSG #home :Playback Complete."
        ));
        assert!(!old(&mut playback, line), "a person may write a time");

        old(&mut playback, ":***!znc@znc.in PRIVMSG #home :Buffer Playback...");
        time::advance(BUFFER_MAX).await;
        assert!(!old(&mut playback, line), "an end that is not told");
        assert!(
            !old(&mut playback, ":anna!a@h PRIVMSG #home :Buffer Playback..."),
            "a person's words are no sign"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn history_that_a_server_announces_is_old() {
        let mut playback = playback(None);
        old(
            &mut playback,
            ":irc.test NOTICE #home :Replaying up to 20 lines of pre-join history",
        );
        assert!(old(&mut playback, ":anna!a@h PRIVMSG #home :gate: hi"));

        time::advance(Duration::from_secs(5)).await;

        assert!(!old(&mut playback, ":anna!a@h PRIVMSG #home :gate: hi"));
    }
}
