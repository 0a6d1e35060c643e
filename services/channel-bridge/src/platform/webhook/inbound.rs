//! A request from the platform: the head first, then the signature, then the body, then the commit, then 202.

use gatehouse_core::{Chain, Clock, Content, Timestamp};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::json;
use tokio::time::Instant;

use super::{
    WebhookConfig,
    signature::{Direction, SIGNATURE, Scope, Shown, SignatureError, Version},
    throttle::Throttle,
};
use crate::{
    adapter::{
        AccountKey, Case, ChatKind, HttpAnswer, HttpHead, HttpRequest, InboundMessage, InboundSink, Origin,
        ParentChat, ReceiveError, Received,
    },
    id::{Address, ChatId, GuildId, MessageId, RoleId, SenderId, TeamId},
};

/// The longest name of a sender, in characters: it is for people to read.
const SENDER_NAME_CHARS_MAX: usize = 200;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct Body {
    id: MessageId,
    from: From,
    chat: Chat,
    text: String,
    thread_id: Option<String>,
    #[serde(default)]
    mentioned: bool,
    #[serde(default, deserialize_with = "milliseconds")]
    sent_at: Option<i64>,
}

/// A time as programs write it: Python's `time.time() * 1000` has a fraction.
fn milliseconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    /// The last time that JavaScript knows, in either direction.
    const TIME_MAX: f64 = 8.64e15;
    let Some(time) = Option::<f64>::deserialize(deserializer)? else {
        return Ok(None);
    };
    if time.abs() > TIME_MAX {
        return Err(D::Error::custom(
            "sentAt is not a time in milliseconds since 1970",
        ));
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "within the bound; what is cut off is a fraction"
    )]
    Ok(Some(time as i64))
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct From {
    id: SenderId,
    name: Option<String>,
    #[serde(default)]
    roles: Vec<RoleId>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct Chat {
    id: ChatId,
    kind: ChatKind,
    parent: Option<ParentChat>,
    guild_id: Option<GuildId>,
    team_id: Option<TeamId>,
}

impl Body {
    fn message(self, now: i64) -> InboundMessage {
        let Self {
            id,
            from:
                From {
                    id: sender_id,
                    name,
                    roles,
                },
            chat:
                Chat {
                    id: chat_id,
                    kind: chat_kind,
                    parent,
                    guild_id,
                    team_id,
                },
            text,
            thread_id,
            mentioned,
            sent_at,
        } = self;
        InboundMessage {
            message_id: id,
            chat_kind,
            origin: Origin {
                parent,
                guild_id,
                team_id,
                roles,
            },
            reply_to: Address::from(chat_id.clone()),
            chat_id,
            chat_aliases: Vec::new(),
            case: Case::Ascii,
            thread_id,
            sender_id,
            sender_aliases: Vec::new(),
            sender_name: name.map(|name| name.chars().take(SENDER_NAME_CHARS_MAX).collect()),
            mentioned: mentioned || chat_kind == ChatKind::Direct,
            from_bot: false,
            content: Content::text(text),
            sent_at: Timestamp::from_ms(sent_at.unwrap_or(now)),
        }
    }
}

/// Where requests of one account are looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Endpoint<'a> {
    pub(crate) account: &'a AccountKey,
    pub(crate) config: &'a WebhookConfig,
    pub(crate) clock: &'a Clock,
    pub(crate) throttle: &'a Throttle,
}

impl Endpoint<'_> {
    /// How long the body may be, or what is wrong already.
    pub(crate) fn inspect(self, head: &HttpHead) -> Result<usize, HttpAnswer> {
        self.check(head).map(|_| self.config.body_bytes_max)
    }

    /// Answers a request.
    pub(crate) async fn receive(self, request: HttpRequest, inbound: &InboundSink) -> HttpAnswer {
        let HttpRequest { head, body } = request;
        let shown = match self.check(&head) {
            Ok(shown) => shown,
            Err(answer) => return answer,
        };
        if body.len() > self.config.body_bytes_max {
            return refuse(
                413,
                "TOO_LARGE",
                "the body is longer than channels.webhook.maxBodyBytes",
            );
        }
        let scope = Scope {
            direction: Direction::Inbound,
            method: &head.method,
            target: &head.target,
            account: self.account,
        };
        if let Err(error) = shown.verify(&self.config.secret, scope, &body) {
            return self.unauthenticated(&head, error);
        }
        if shown.version == Version::First {
            self.warn_of_old(inbound);
        }
        take(self.clock.now_ms(), &body, inbound).await
    }

    /// What the head alone tells.
    fn check(self, head: &HttpHead) -> Result<Shown, HttpAnswer> {
        if head.method != "POST" {
            return Err(refuse(405, "METHOD_NOT_ALLOWED", "only POST is understood"));
        }
        let is_json = |kind: &str| {
            let kind = kind.split(';').next().unwrap_or_default().trim();
            kind.eq_ignore_ascii_case("application/json")
        };
        if head.has("content-type") && !head.header("content-type").is_some_and(is_json) {
            return Err(refuse(
                415,
                "UNSUPPORTED_TYPE",
                "the body must be application/json",
            ));
        }
        let now = self.clock.now_ms().div_euclid(1000);
        Shown::read(head, now, self.config.legacy_signature)
            .map_err(|error| self.unauthenticated(head, error))
    }

    /// A right signature is believed whoever else guessed from the same address, so only wrong ones are counted and slowed
    /// down.
    fn unauthenticated(self, head: &HttpHead, error: SignatureError) -> HttpAnswer {
        tracing::debug!(%error, "a webhook request was refused");
        let now = Instant::now();
        if let Some(wait) = self.throttle.wait(&head.peer, now) {
            let refused = refuse(429, "THROTTLED", "too many wrong signatures");
            return HttpAnswer {
                retry_after: Some(wait.as_secs().max(1)),
                ..refused
            };
        }
        self.throttle.count(&head.peer, now);
        refuse(401, "SIGNATURE", &error.to_string())
    }

    fn warn_of_old(self, inbound: &InboundSink) {
        let warning = format!(
            "requests bear the old signature, which is good for every account with the same secret; \
             send {SIGNATURE} instead (docs/getting-started.md) and set legacySignature: false. The next release takes no old ones"
        );
        if inbound.progress().warn(warning.clone()) {
            tracing::warn!(account.id = %self.account, "{warning}");
        }
    }
}

/// Reads a genuine body and commits its message.
async fn take(now: i64, body: &[u8], inbound: &InboundSink) -> HttpAnswer {
    let body: Body = match serde_json::from_slice(body) {
        Ok(body) => body,
        Err(error) => return refuse(400, "INVALID", &format!("the body is not a message: {error}")),
    };
    match inbound.receive(body.message(now)).await {
        Ok(received) => answer(
            202,
            json!({"accepted": true, "duplicate": received == Received::Duplicate}),
        ),
        Err(ReceiveError::Invalid(problem)) => refuse(400, "INVALID", problem),
        Err(ReceiveError::Full) => HttpAnswer {
            retry_after: Some(5),
            ..refuse(503, "BUSY", "too many messages wait; try again")
        },
        Err(error @ ReceiveError::Store(_)) => {
            tracing::error!(error = %Chain(&error), "a webhook request was not stored");
            HttpAnswer {
                retry_after: Some(5),
                ..refuse(503, "UNAVAILABLE", "the message could not be stored; try again")
            }
        }
    }
}

fn refuse(status: u16, code: &str, message: &str) -> HttpAnswer {
    answer(
        status,
        json!({"accepted": false, "error": {"code": code, "message": message}}),
    )
}

fn answer(status: u16, body: serde_json::Value) -> HttpAnswer {
    HttpAnswer {
        status,
        retry_after: None,
        body: body.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::Body;

    fn sent_at(number: &str) -> Result<Option<i64>, String> {
        let body = format!(
            r#"{{"id":"m","from":{{"id":"anna","age":1e400}},"chat":{{"id":"c","kind":"direct"}},"text":"hi"{number}}}"#
        );
        let body: Result<Body, _> = serde_json::from_str(&body);
        body.map(|body| body.sent_at).map_err(|error| error.to_string())
    }

    #[test]
    fn a_time_is_read_in_every_form_of_a_number_and_what_nobody_asked_for_is_passed_over() {
        assert_eq!(sent_at(""), Ok(None));
        assert_eq!(sent_at(r#","sentAt":null"#), Ok(None));
        for form in ["1800000000123", "1800000000123.4", "1.800000000123e12"] {
            let given = format!(r#","sentAt":{form},"more":1e400"#);
            assert_eq!(sent_at(&given), Ok(Some(1_800_000_000_123)), "{form}");
        }
        for none in ["1e16", "-1e300", "1e400", "\"now\"", "99999999999999999999"] {
            assert!(sent_at(&format!(r#","sentAt":{none}"#)).is_err(), "{none}");
        }
    }

    #[test]
    fn what_is_no_message_is_told_without_the_names_of_types() {
        for body in [
            "7",
            "\"x\"",
            r#"{"id":"m","from":"anna"}"#,
            r#"{"id":"m","from":{"id":"a"},"chat":7}"#,
        ] {
            let error = serde_json::from_str::<Body>(body)
                .err()
                .expect("no message")
                .to_string();
            assert!(
                error.contains("expected an object") && !error.contains("struct"),
                "{error}"
            );
        }
    }
}
