//! Who speaks: a person, or a service of the network. And who held which nick when we last saw them.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use super::line::{Line, Source};
use crate::adapter::Case;

/// Services of networks, by the nick under which they speak. Nobody talks with them, and to answer one is to talk to a machine.
const SERVICES: [&str; 21] = [
    "nickserv",
    "chanserv",
    "memoserv",
    "operserv",
    "botserv",
    "hostserv",
    "helpserv",
    "infoserv",
    "statserv",
    "saslserv",
    "authserv",
    "userserv",
    "groupserv",
    "gameserv",
    "rootserv",
    "limitserv",
    "histserv",
    "bouncerserv",
    "proxyscan",
    "floodserv",
    "seenserv",
];
/// Nicks that are a service only under the network's own host, because people have them elsewhere.
const SERVICES_AT: [(&str, &str); 3] = [
    ("q", "cserve.quakenet.org"),
    ("l", "lightweight.quakenet.org"),
    ("x", "undernet.org"),
];
/// Nicks that are a service only where its user name says so as well: words that people choose, too.
const WORDS: [&str; 3] = ["alis", "global", "services"];
/// People that are remembered. Those who spoke last are the ones who are answered.
const SEEN_MAX: usize = 256;
/// How long somebody is believed to hold a nick under which they spoke, when the server says nothing about it.
const SEEN_FOR: Duration = Duration::from_secs(600);

/// Whether this is a service or a bouncer, and no person.
pub(crate) fn is_service(source: &Source, own_service: Option<&str>) -> bool {
    let nick = source.nick.to_ascii_lowercase();
    let host = source.host.to_ascii_lowercase();
    // `NickServ@services.example.net` is the nick and where to find it.
    let user = source.user.to_ascii_lowercase();
    // A server marks a person whose user name it could not check; services come from a server.
    let is_unchecked = user.starts_with('~');
    let own = own_service.and_then(|service| service.split('@').next());
    own.is_some_and(|own| own.eq_ignore_ascii_case(&nick))
        || SERVICES.contains(&nick.as_str())
        || SERVICES_AT.iter().any(|(name, at)| nick == *name && host.ends_with(at))
        || WORDS.contains(&nick.as_str()) && (user == nick || user == "service" || user == "services")
        // Modules of a bouncer: `*status!znc@znc.in`. No person's nick begins like this.
        || nick.starts_with('*')
        || host == "znc.in"
        || host.starts_with("services.") && !is_unchecked
        || host == "services"
        || host == "service"
}

/// Who spoke on this connection, under which nick and from where.
#[derive(Debug, Default)]
pub(crate) struct People(HashMap<String, Seen>);

/// Somebody who spoke.
#[derive(Debug)]
struct Seen {
    /// `user@host`, as it is now.
    holder: String,
    /// The one under which they spoke, where the server gave them another one since: who logs in often gets one.
    before: Option<String>,
    at: Instant,
}

impl People {
    /// Reads who comes and goes.
    pub(crate) fn on(&mut self, case: Case, line: &Line, now: Instant) {
        let Some(source) = line.source.as_ref() else {
            return;
        };
        let nick = case.fold(&source.nick);
        match line.verb.as_str() {
            "PRIVMSG" => {
                if self.0.len() >= SEEN_MAX {
                    self.0.retain(|_, seen| seen.is_fresh(now));
                }
                let before = self.0.get(&nick).filter(|seen| seen.holder == holder(source));
                let before = before.and_then(|seen| seen.before.clone());
                if self.0.len() < SEEN_MAX {
                    let seen = Seen {
                        holder: holder(source),
                        before,
                        at: now,
                    };
                    self.0.insert(nick, seen);
                }
            }
            "CHGHOST" => {
                if let Some(seen) = self.0.get_mut(&nick).filter(|seen| seen.holder == holder(source)) {
                    let now_is = format!("{}@{}", line.arg(0), line.arg(1));
                    seen.before = Some(std::mem::replace(&mut seen.holder, now_is));
                }
            }
            "NICK" | "QUIT" | "KILL" => drop(self.0.remove(&nick)),
            _ => {}
        }
    }

    /// Whether this person spoke under this nick of late, and was not seen to give it up.
    pub(crate) fn spoke(&self, case: Case, nick: &str, held_by: &str, now: Instant) -> bool {
        let seen = self.0.get(&case.fold(nick)).filter(|seen| seen.is_fresh(now));
        seen.is_some_and(|seen| seen.was(held_by))
    }

    /// Whether who holds the nick now is who held it as another one: the server gave them another host, and said so.
    pub(crate) fn is_same(&self, case: Case, nick: &str, held_by: &str, current: &str) -> bool {
        self.0
            .get(&case.fold(nick))
            .is_some_and(|seen| seen.was(held_by) && seen.holder.eq_ignore_ascii_case(current))
    }
}

impl Seen {
    fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) < SEEN_FOR
    }

    fn was(&self, holder: &str) -> bool {
        let same = |known: &String| known.eq_ignore_ascii_case(holder);
        same(&self.holder) || self.before.as_ref().is_some_and(same)
    }
}

fn holder(source: &Source) -> String {
    format!("{}@{}", source.user, source.host)
}

#[cfg(test)]
mod tests {
    use tokio::time::{self, Instant};

    use super::{People, SEEN_FOR, is_service};
    use crate::{adapter::Case, platform::irc::line::Line};

    #[test]
    fn services_and_bouncers_are_no_people() {
        let service = |line: &str| {
            is_service(
                Line::parse(line).source.as_ref().unwrap(),
                Some("AuthBot@services.test"),
            )
        };
        for line in [
            ":NickServ!NickServ@services.libera.chat PRIVMSG gate :hi",
            ":chanserv!service@rizon.net PRIVMSG #home :hi",
            ":*status!znc@znc.in PRIVMSG gate :hi",
            ":*controlpanel!znc@bouncer.test PRIVMSG gate :hi",
            ":***!znc@znc.in PRIVMSG #home :Buffer Playback...",
            ":Q!TheQBot@CServe.quakenet.org PRIVMSG gate :hi",
            ":X!cservice@undernet.org PRIVMSG gate :hi",
            ":bot!x@services.example.net PRIVMSG gate :hi",
            ":BouncerServ!BouncerServ@BouncerServ PRIVMSG gate :hi",
            ":authbot!a@b PRIVMSG gate :hi",
            ":ALIS!alis@services.libera.chat PRIVMSG gate :hi",
            ":Global!global@rizon.net PRIVMSG #home :hi",
        ] {
            assert!(service(line), "{line}");
        }
        for line in [
            ":anna!~a@home.test PRIVMSG gate :hi",
            ":q!q@home.test PRIVMSG gate :hi",
            ":servant!s@home.test PRIVMSG gate :hi",
            ":x!x@myservices.example PRIVMSG gate :hi",
            ":Alis!~a@home.test PRIVMSG gate :hi",
            ":global!g@home.test PRIVMSG #home :hi",
            ":Services!~s@home.test PRIVMSG #home :hi",
            ":dora!~d@services.acme.example PRIVMSG #home :hi",
        ] {
            assert!(!service(line), "{line}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn somebody_who_spoke_is_believed_to_be_there_until_they_are_seen_to_go() {
        let mut people = People::default();
        let hear =
            |people: &mut People, line: &str| people.on(Case::Rfc1459, &Line::parse(line), Instant::now());
        let spoke =
            |people: &People, holder: &str| people.spoke(Case::Rfc1459, "anna{", holder, Instant::now());
        hear(&mut people, ":Anna[!~a@home.test PRIVMSG gate :hi");
        assert!(spoke(&people, "~a@home.test") && !spoke(&people, "~a@elsewhere.test"));

        hear(&mut people, ":anna[!~a@home.test NICK bert");
        assert!(!spoke(&people, "~a@home.test"));

        hear(&mut people, ":anna[!~b@elsewhere.test PRIVMSG gate :hi");
        assert!(spoke(&people, "~b@elsewhere.test"));
        time::advance(SEEN_FOR).await;
        assert!(!spoke(&people, "~b@elsewhere.test"));
    }

    #[tokio::test]
    async fn somebody_who_is_given_another_host_is_still_the_same() {
        let mut people = People::default();
        let hear =
            |people: &mut People, line: &str| people.on(Case::Rfc1459, &Line::parse(line), Instant::now());
        let same =
            |people: &People, current: &str| people.is_same(Case::Rfc1459, "anna", "~a@home.test", current);
        hear(&mut people, ":anna!~a@home.test PRIVMSG gate :hi");
        assert!(!same(&people, "anna@user/anna"), "nobody said so");

        hear(&mut people, ":anna!~a@home.test CHGHOST anna user/anna");

        assert!(same(&people, "anna@user/anna") && !same(&people, "bert@user/bert"));
        hear(&mut people, ":anna!anna@user/anna PRIVMSG gate :and now");
        assert!(
            same(&people, "anna@user/anna"),
            "what was asked before is still hers"
        );
        hear(&mut people, ":anna!anna@user/anna QUIT :bye");
        assert!(!same(&people, "anna@user/anna"));
    }
}
