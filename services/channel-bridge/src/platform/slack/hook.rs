//! The Events API: requests that Slack makes and signs. The head first, then the signature, then the body, then the commit, then 200.

use gatehouse_core::{Clock, Secret};
use serde_json::{Value, json};

use super::{
    buttons::Press,
    event::{Callback, Command},
    inbound::Ear,
};
use crate::{
    adapter::{HttpAnswer, HttpHead, HttpRequest, InboundSink},
    platform::web::{
        hook::{BODY_BYTES_MAX, answer, commit, is_signed, refuse},
        nulls,
    },
};

const SIGNATURE: &str = "x-slack-signature";
const TIMESTAMP: &str = "x-slack-request-timestamp";
/// How old a request may be, in seconds: what was recorded must not be played again ("Verifying requests from Slack").
const AGE_SECONDS_MAX: i64 = 300;

/// What a genuine request says.
pub(super) enum Request {
    Event(Box<Callback>),
    Command(Command, i64),
    Press(Box<Press>, i64),
    /// Nothing that is answered with more than that it came.
    Other,
}

/// Where requests are looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hook<'a> {
    secret: &'a Secret,
    clock: &'a Clock,
}

impl<'a> Hook<'a> {
    pub(super) fn new(secret: &'a Secret, clock: &'a Clock) -> Self {
        Self { secret, clock }
    }

    /// How long the body may be, or what is wrong already.
    pub(super) fn inspect(self, head: &HttpHead) -> Result<usize, HttpAnswer> {
        if head.method != "POST" {
            return Err(refuse(405, "METHOD_NOT_ALLOWED", "only POST is understood"));
        }
        self.stamp(head).map(|_| BODY_BYTES_MAX)
    }

    /// When the request was made, as it says, if that is now, and its signature.
    fn stamp(self, head: &HttpHead) -> Result<(&str, &str), HttpAnswer> {
        let wrong = |words: &str| refuse(401, "SIGNATURE", words);
        let (Some(shown), Some(stamp)) = (head.header(SIGNATURE), head.header(TIMESTAMP)) else {
            return Err(wrong("the request is not signed"));
        };
        let now = self.clock.now_ms().div_euclid(1000);
        let made: Option<i64> = stamp.parse().ok();
        if made.is_none_or(|made| now.saturating_sub(made).saturating_abs() > AGE_SECONDS_MAX) {
            return Err(wrong(
                "the request is older than five minutes, or the clocks differ",
            ));
        }
        match shown.strip_prefix("v0=") {
            Some(digits) => Ok((stamp, digits)),
            None => Err(wrong("only signatures of the version v0 are known")),
        }
    }

    /// Reads a request, or answers it at once.
    pub(super) fn read(self, request: &HttpRequest) -> Result<Request, HttpAnswer> {
        let HttpRequest { head, body } = request;
        self.inspect(head)?;
        let (stamp, digits) = self.stamp(head)?;
        if !is_signed(self.secret, &[b"v0:", stamp.as_bytes(), b":", body], digits) {
            return Err(refuse(
                401,
                "SIGNATURE",
                "the signature is wrong: is signingSecret that of this app?",
            ));
        }
        let kind = head.header("content-type").unwrap_or_default();
        if kind.starts_with("application/x-www-form-urlencoded") {
            return Ok(form(body, self.clock.now_ms()));
        }
        let value: Value = serde_json::from_slice(body)
            .map_err(|error| refuse(400, "INVALID", &format!("the body is not JSON: {error}")))?;
        match value["type"].as_str() {
            Some("url_verification") => {
                let word = value["challenge"].as_str().unwrap_or_default();
                // Whether we are who it was told: it wants its word back.
                Err(answer(200, &json!({"challenge": word})))
            }
            Some("event_callback") => match nulls::read::<Callback>(&value) {
                Ok(callback) => Ok(Request::Event(Box::new(callback))),
                Err(error) => {
                    // Said again it would be no better.
                    tracing::warn!(%error, "an event of Slack is not understood and left out");
                    Ok(Request::Other)
                }
            },
            Some("app_rate_limited") => {
                tracing::warn!("Slack holds events back: there were more than 30,000 in an hour");
                Ok(Request::Other)
            }
            Some(_) | None => Ok(Request::Other),
        }
    }
}

/// What somebody typed behind a slash, or a button that somebody pressed.
fn form(body: &[u8], now: i64) -> Request {
    let mut command = Command::default();
    for (key, value) in url::form_urlencoded::parse(body) {
        let field = match key.as_ref() {
            "payload" => {
                let press: Value = serde_json::from_str(&value).unwrap_or_default();
                return Request::Press(Box::new(nulls::read(&press).unwrap_or_default()), now);
            }
            "command" => &mut command.command,
            "text" => &mut command.text,
            "user_id" => &mut command.user_id,
            "user_name" => &mut command.user_name,
            "channel_id" => &mut command.channel_id,
            "channel_name" => &mut command.channel_name,
            "team_id" => &mut command.team_id,
            "trigger_id" => &mut command.trigger_id,
            _ => continue,
        };
        *field = value.into_owned();
    }
    if command.command.is_empty() {
        Request::Other
    } else {
        Request::Command(command, now)
    }
}

/// Commits what a request says, and answers it.
pub(super) async fn take(request: Request, ear: Ear<'_>, inbound: &InboundSink) -> HttpAnswer {
    inbound.progress().heard();
    let said = match request {
        Request::Event(callback) => {
            if let Some((chat, remark)) = ear.remark(&callback) {
                let by: Vec<&str> = callback.event.user.as_deref().into_iter().collect();
                inbound.remark(&chat, &by, remark);
            }
            ear.hear(&callback).await
        }
        Request::Command(command, now) => ear.command(&command, now).await,
        Request::Press(press, now) => ear.press(&press, now).await,
        Request::Other => None,
    };
    commit(inbound, said.into_iter().collect()).await
}
