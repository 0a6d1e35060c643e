//! Messages that Telegram brings to an address of ours, instead of being asked for them. It shows a secret in a header, which is looked
//! at before the body is read; it is answered when what it brought is committed, and comes again otherwise.

use std::time::Duration;

use gatehouse_core::{Chain, Clock, Secret};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time;

use super::{
    albums::{Albums, Turn},
    api::{Api, ApiError, CALL_WITHIN},
    config::Hook,
    ended,
    inbound::Ear,
    keyboard,
    poll::UPDATES,
    say::Speaker,
    told::Update,
    update::User,
};
use crate::{
    account::progress::{Progress, Topic},
    adapter::{Ended, HttpAnswer, HttpHead, HttpRequest, InboundMessage, InboundSink, ReceiveError},
    platform::web::wording::Wordings,
};

/// The header that Telegram shows the secret in.
const HEADER: &str = "x-telegram-bot-api-secret-token";
/// The longest body: one update.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Requests of Telegram at the same time.
const CONNECTIONS_MAX: u32 = 8;
/// How often it is looked whether Telegram still knows the address, and how it fares with it.
const LOOK: Duration = Duration::from_secs(60);
/// When Telegram could not be asked that often in a row, it is away.
const FAILURES_MAX: u32 = 3;
/// After what could not be committed, in seconds.
const AGAIN_SECONDS: u64 = 2;

#[derive(Deserialize)]
struct Info {
    #[serde(default)]
    url: String,
    #[serde(default)]
    pending_update_count: u64,
    last_error_message: Option<String>,
}

impl Hook {
    /// Looks at a head: whether it is Telegram.
    pub(super) fn inspect(&self, head: &HttpHead) -> Result<usize, HttpAnswer> {
        if head.method != "POST" {
            return Err(answer(405, "only POST is understood"));
        }
        match head.header(HEADER) {
            Some(shown) if Secret::new(shown) == self.secret => Ok(BODY_BYTES_MAX),
            _ => {
                tracing::debug!("a request without the secret of the webhook was refused");
                Err(answer(401, "the secret is missing or wrong"))
            }
        }
    }

    /// Keeps the address known to Telegram for as long as the connection lasts.
    pub(super) async fn run(&self, api: &Api, progress: &Progress) -> Ended {
        let set = json!({
            "url": self.url.as_str(), "secret_token": self.secret.expose(), "allowed_updates": UPDATES,
            "max_connections": CONNECTIONS_MAX,
        });
        if let Err(error) = api.call::<Value>("setWebhook", &set, CALL_WITHIN).await {
            return ended(&error);
        }
        progress.heard();
        progress.connected();
        let mut failures = 0;
        loop {
            time::sleep(LOOK).await;
            match api.ask::<Info>("getWebhookInfo").await {
                Ok(info) if info.url != self.url.as_str() => {
                    return Ended::Retry(
                        "another program changed the webhook of this bot: give Gatehouse a bot of its own"
                            .into(),
                    );
                }
                Ok(info) => {
                    failures = 0;
                    progress.heard();
                    progress.notice(Topic::Bouncer, trouble(&info, api));
                }
                Err(error @ ApiError::Refused(_)) => return ended(&error),
                Err(error) => {
                    failures += 1;
                    if failures >= FAILURES_MAX {
                        return ended(&error);
                    }
                }
            }
        }
    }
}

/// What keeps Telegram from bringing messages.
fn trouble(info: &Info, api: &Api) -> Option<String> {
    let waiting = info.pending_update_count;
    let said = info.last_error_message.as_deref().filter(|_| waiting > 0)?;
    Some(format!(
        "{waiting} messages wait at Telegram, which cannot bring them: {}; check webhookUrl and what stands in front of the gateway",
        api.clean(said)
    ))
}

/// Takes what Telegram brings.
pub(super) async fn take(
    request: &HttpRequest,
    me: &User,
    speaker: &Speaker,
    (albums, wordings): (&Albums, &Wordings),
    clock: &Clock,
    inbound: &InboundSink,
) -> HttpAnswer {
    let moves = speaker.moves();
    let Ok(update) = serde_json::from_slice::<Value>(&request.body) else {
        return answer(400, "the body is no update");
    };
    inbound.progress().heard();
    // What is not understood is taken, so that it is not brought again and again.
    let Some(update) = Update::read(&update) else {
        return answer(200, "");
    };
    update.remark(inbound, &speaker.own);
    let ear = Ear { me, moves, wordings };
    let heard = if let Some(press) = &update.press {
        ear.press(press, clock.now())
    } else if let Some(message) = &update.message {
        if let Err(error) = moves.heed(message).await {
            tracing::error!(error = %Chain(&error), "the new number of a group cannot be kept yet");
            return later();
        }
        if let Some((chat, album)) = update.album() {
            return gathered(albums.join(chat, album, message), &ear, inbound).await;
        }
        ear.hear(message, update.edited)
    } else {
        None
    };
    if !is_taken(heard, inbound).await {
        return later();
    }
    if let Some(message) = &update.message {
        ear.learn(message);
    }
    if let Some(press) = &update.press {
        keyboard::answer(&speaker.api, press).await;
    }
    answer(200, "")
}

/// One picture of an album.
async fn gathered(turn: Turn, ear: &Ear<'_>, inbound: &InboundSink) -> HttpAnswer {
    let taken = match turn {
        Turn::First(gathering) => {
            let messages = gathering.messages().await;
            let taken = is_taken(ear.hear_album(&messages), inbound).await;
            if taken {
                messages.iter().for_each(|message| ear.learn(message));
            }
            gathering.tell(taken);
            taken
        }
        Turn::Other(waiting) => waiting.taken().await,
    };
    if taken { answer(200, "") } else { later() }
}

/// Whether what was said is committed, or never can be.
async fn is_taken(heard: Option<InboundMessage>, inbound: &InboundSink) -> bool {
    let Some(heard) = heard else { return true };
    match inbound.receive(heard).await {
        Ok(_) => true,
        Err(ReceiveError::Invalid(problem)) => {
            tracing::warn!(problem, "a message was left out");
            true
        }
        Err(problem) => {
            tracing::warn!(problem = %Chain(&problem), "a message cannot be taken yet; Telegram brings it again");
            false
        }
    }
}

fn later() -> HttpAnswer {
    HttpAnswer {
        retry_after: Some(AGAIN_SECONDS),
        ..answer(503, "try again")
    }
}

pub(super) fn answer(status: u16, problem: &str) -> HttpAnswer {
    let body = if problem.is_empty() {
        json!({"ok": true})
    } else {
        json!({"ok": false, "error": problem})
    };
    HttpAnswer {
        status,
        retry_after: None,
        body: body.to_string(),
    }
}
