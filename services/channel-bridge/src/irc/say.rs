//! One message on its way out, and how the server's answer is known.
//!
//! IRC acknowledges nothing. So a PING goes out behind each message: the server works through our lines in order, hence
//! its PONG says that the message was taken, and a refusal comes before the PONG. And a nick is not a person: before a
//! reply goes to `nick!user@host`, the server is asked who holds the nick now, and a reply for somebody who left is not
//! told to whoever took the name.

use std::time::Duration;

use tokio::time::Instant;

use super::{line::Line, text};
use crate::adapter::{Receipt, SendError, SendRequest};

/// How long the server may take over one message.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

#[derive(Debug)]
enum Stage {
    /// Asked who holds the nick.
    Asking { nick: String, holder: String },
    /// Said; the PONG is awaited.
    Said { token: String },
}

/// A message on its way.
#[derive(Debug)]
pub(crate) struct Saying {
    request: SendRequest,
    stage: Stage,
    deadline: Instant,
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Still under way; write these.
    Pending(Saying, Vec<String>),
    /// Answered.
    Done(SendRequest, Result<Receipt, SendError>),
}

impl Saying {
    /// Begins.
    pub(crate) fn begin(request: SendRequest, now: Instant) -> Outcome {
        let to = request.part().to.clone();
        let (nick, holder) = match to.split_once('!') {
            Some((nick, holder)) if !text::is_room(&to) => (nick.to_owned(), Some(holder.to_owned())),
            _ => (to, None),
        };
        let odd = |c: char| matches!(c, ' ' | ',' | '\r' | '\n' | '\0' | '\u{7}');
        if nick.is_empty() || nick.contains(odd) || nick.starts_with(':') {
            return Outcome::Done(
                request,
                Err(SendError::permanent("not the name of a room or person")),
            );
        }
        let deadline = now + ANSWER_WITHIN;
        match holder {
            Some(holder) => {
                let lines = vec![format!("USERHOST {nick}")];
                Outcome::Pending(
                    Self {
                        request,
                        stage: Stage::Asking { nick, holder },
                        deadline,
                    },
                    lines,
                )
            }
            None => Self::say(request, &nick, deadline),
        }
    }

    /// What a line means for it.
    pub(crate) fn on(self, line: &Line) -> Outcome {
        match (&self.stage, line.verb.as_str(), line.numeric()) {
            (Stage::Asking { nick, holder }, _, Some(302)) => match holds(line.last(), nick) {
                None => {
                    let error = SendError::permanent(format!("{nick} is not on the server"));
                    Outcome::Done(self.request, Err(error))
                }
                Some(now) if now.eq_ignore_ascii_case(holder) => {
                    let nick = nick.clone();
                    Self::say(self.request, &nick, self.deadline)
                }
                Some(_) => {
                    let error = SendError::permanent(format!("the nick {nick} belongs to somebody else now"));
                    Outcome::Done(self.request, Err(error))
                }
            },
            (Stage::Said { token }, "PONG", _) if line.last() == token => {
                Outcome::Done(self.request, Ok(Receipt::default()))
            }
            (Stage::Said { .. }, _, Some(number)) => match refusal(number, line.last()) {
                Some(error) => Outcome::Done(self.request, Err(error)),
                None => Outcome::Pending(self, Vec::new()),
            },
            _ => Outcome::Pending(self, Vec::new()),
        }
    }

    /// Whether the server took too long.
    pub(crate) fn overdue(&self, now: Instant) -> bool {
        now >= self.deadline
    }

    /// Gives up. Before it was said it may be tried again, afterwards nobody knows: the request says which when dropped.
    pub(crate) fn give_up(self) {
        drop(self.request);
    }

    fn say(mut request: SendRequest, target: &str, deadline: Instant) -> Outcome {
        request.begin();
        let token = format!("gh-{}", uuid::Uuid::new_v4().simple());
        let lines = vec![
            format!("PRIVMSG {target} :{}", request.part().text),
            format!("PING :{token}"),
        ];
        Outcome::Pending(
            Self {
                request,
                stage: Stage::Said { token },
                deadline,
            },
            lines,
        )
    }
}

/// Who holds the nick, from `nick*=+user@host`; the star marks an operator, the sign tells whether away.
fn holds<'a>(reply: &'a str, nick: &str) -> Option<&'a str> {
    reply.split(' ').find_map(|entry| {
        let (name, holder) = entry.split_once('=')?;
        let same = text::Case::Ascii.same(name.trim_end_matches('*'), nick);
        same.then(|| holder.strip_prefix(['+', '-'])).flatten()
    })
}

/// The replies that refuse a message (RFC 2812, section 5.2; 439, 477, 486 and 531 are customs).
fn refusal(number: u16, reason: &str) -> Option<SendError> {
    match number {
        // Perhaps a room that will open, or too fast.
        263 | 404 | 407 | 439 | 477 | 486 => Some(SendError::retry(reason)),
        401..=403 | 411..=415 | 417 | 531 => Some(SendError::permanent(reason)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tokio::{sync::oneshot, time::Instant};

    use super::{Outcome, Saying};
    use crate::{
        adapter::{Receipt, SendError, SendPart, SendRequest},
        irc::line::Line,
    };

    type Answer = oneshot::Receiver<Result<Receipt, SendError>>;

    fn begin(to: &str) -> (Outcome, Answer) {
        let part = SendPart {
            key: "k".into(),
            delivery: "d".into(),
            index: 0,
            to: to.into(),
            thread_id: None,
            reply_to_id: None,
            text: "hi".into(),
            created_at: 0,
        };
        let (request, answer) = SendRequest::new(part);
        (Saying::begin(request, Instant::now()), answer)
    }

    fn pending(outcome: Outcome) -> (Saying, Vec<String>) {
        match outcome {
            Outcome::Pending(saying, lines) => (saying, lines),
            Outcome::Done(_, result) => panic!("{result:?}"),
        }
    }

    fn done(outcome: Outcome) -> Result<Receipt, SendError> {
        match outcome {
            Outcome::Pending(saying, _) => panic!("{saying:?}"),
            Outcome::Done(_, result) => result,
        }
    }

    #[tokio::test]
    async fn the_pong_behind_a_message_is_its_receipt() {
        let (outcome, _answer) = begin("#home");
        let (saying, lines) = pending(outcome);
        assert_eq!(lines[0], "PRIVMSG #home :hi");
        let token = lines[1].strip_prefix("PING :").unwrap();

        let (saying, _) = pending(saying.on(&Line::parse(":s PONG s :another")));
        assert!(done(saying.on(&Line::parse(&format!(":s PONG s :{token}")))).is_ok());
    }

    #[tokio::test]
    async fn a_refusal_comes_before_the_pong() {
        let (saying, _) = pending(begin("#home").0);
        let result = done(saying.on(&Line::parse(":s 404 gate #home :Cannot send to channel")));
        assert!(matches!(result, Err(SendError::Retry { .. })));

        let (saying, _) = pending(begin("bert").0);
        let result = done(saying.on(&Line::parse(":s 401 gate bert :No such nick")));
        assert!(matches!(result, Err(SendError::Permanent { .. })));
    }

    #[tokio::test]
    async fn a_private_reply_goes_only_to_who_asked() {
        let reply = |line: &str| {
            let (saying, lines) = pending(begin("anna!~a@home.test").0);
            assert_eq!(lines, ["USERHOST anna"]);
            saying.on(&Line::parse(line))
        };

        let (_, lines) = pending(reply(":s 302 gate :anna=+~a@home.test"));
        assert_eq!(lines[0], "PRIVMSG anna :hi");
        assert!(matches!(
            done(reply(":s 302 gate :anna=+~a@elsewhere.test")),
            Err(SendError::Permanent { .. })
        ));
        assert!(matches!(
            done(reply(":s 302 gate :")),
            Err(SendError::Permanent { .. })
        ));
        let (_, lines) = pending(reply(":s 302 gate :Anna*=-~a@home.test"));
        assert_eq!(lines[0], "PRIVMSG anna :hi");
    }

    #[tokio::test]
    async fn giving_up_tells_whether_it_may_have_been_heard() {
        let (outcome, answer) = begin("#home");
        pending(outcome).0.give_up();
        assert!(matches!(answer.await.unwrap(), Err(SendError::Unknown { .. })));

        let (outcome, answer) = begin("anna!a@b");
        pending(outcome).0.give_up();
        assert!(matches!(answer.await.unwrap(), Err(SendError::Retry { .. })));
    }

    #[tokio::test]
    async fn a_target_cannot_smuggle_anything() {
        for to in ["", "#a,#b", "a b", ":a", "a\r\nQUIT", "!x@y"] {
            if to == "!x@y" {
                continue; // a room of the kind `!`; the server answers 403
            }
            assert!(
                matches!(done(begin(to).0), Err(SendError::Permanent { .. })),
                "{to:?}"
            );
        }
    }
}
