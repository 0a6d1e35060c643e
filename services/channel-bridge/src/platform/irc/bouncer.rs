//! What a bouncer says of its own connection to the network: while it has none, nobody hears us, although we are connected.

use super::line::Line;

/// The nicks under which bouncers speak of themselves: ZNC's `*status` and soju's service.
const VOICES: [&str; 2] = ["*status", "bouncerserv"];
/// Words of a connection that is not there. ZNC: "Disconnected from IRC. Reconnecting...", "Cannot connect to IRC (...)"; soju:
/// "disconnected from libera: ...", "failed to connect to ...".
const AWAY: [&str; 7] = [
    "disconnected",
    "cannot connect",
    "unable to connect",
    "failed to connect",
    "could not connect",
    "not connected",
    "connection refused",
];
/// The most of its words that is shown.
const WORDS_CHARS_MAX: usize = 200;

/// What a bouncer said last.
#[derive(Debug, Default)]
pub(crate) struct Bouncer(Option<String>);

impl Bouncer {
    /// Takes in what a bouncer says about itself. Whether that is news.
    pub(crate) fn on(&mut self, line: &Line) -> bool {
        let speaks = line
            .source
            .as_ref()
            .is_some_and(|source| VOICES.iter().any(|voice| source.nick.eq_ignore_ascii_case(voice)));
        if !speaks || !matches!(line.verb.as_str(), "PRIVMSG" | "NOTICE") {
            return false;
        }
        let words = super::text::plain(line.last());
        let lower = words.to_lowercase();
        if AWAY.iter().any(|away| lower.contains(away)) {
            self.set(Some(words.chars().take(WORDS_CHARS_MAX).collect()))
        } else if lower.contains("connected") {
            self.set(None)
        } else {
            false // whatever else it says is for the people who use it
        }
    }

    /// The network is heard through it. Whether that is news.
    pub(crate) fn is_through(&mut self) -> bool {
        self.set(None)
    }

    /// For the status.
    pub(crate) fn notice(&self) -> Option<String> {
        self.0
            .as_ref()
            .map(|words| format!("the bouncer is not connected to the network: {words}"))
    }

    fn set(&mut self, words: Option<String>) -> bool {
        let news = self.0 != words;
        self.0 = words;
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hears(bouncer: &mut Bouncer, line: &str) -> Option<String> {
        bouncer.on(&Line::parse(line));
        bouncer.notice()
    }

    #[test]
    fn what_a_bouncer_says_of_its_connection_is_shown_until_it_is_back() {
        let mut bouncer = Bouncer::default();
        let status = |words: &str| format!(":*status!znc@znc.in PRIVMSG gate :{words}");

        let shown = hears(&mut bouncer, &status("Disconnected from IRC. Reconnecting...")).unwrap();
        assert!(shown.contains("Reconnecting"), "{shown}");
        let shown = hears(
            &mut bouncer,
            &status("Cannot connect to IRC (Connection refused). Retrying..."),
        )
        .unwrap();
        assert!(shown.contains("refused"), "{shown}");
        assert!(hears(&mut bouncer, &status("Attempting to connect to [irc.test] ...")).is_some());
        assert_eq!(hears(&mut bouncer, &status("Connected!")), None);

        let soju = ":BouncerServ!BouncerServ@BouncerServ NOTICE gate :disconnected from libera: timeout";
        assert!(hears(&mut bouncer, soju).is_some());
        assert!(bouncer.is_through() && !bouncer.is_through());
        let person = ":anna!a@h PRIVMSG gate :I was disconnected";
        assert_eq!(hears(&mut bouncer, person), None);
        assert_eq!(hears(&mut bouncer, &status("You have 3 new messages")), None);
    }
}
