//! What the bridge wants said, and what became of it.

mod outcome;
mod preview;
mod target;

use std::{sync::atomic::Ordering, time::Duration};

use gatehouse_plugin_sdk::{PartOutcome, sent};
use gatehouse_proto::channel::v1::{
    Notice, NoticeTopic, SendPart, ShowTyping, run_account_response::Message,
};
use serde_json::{Value, json};

use self::outcome::part;
pub(crate) use self::{
    preview::{show, withdraw},
    target::Target,
};
use crate::{
    account::Account,
    card,
    connector::{ConnectorError, Posted},
    hear::teams_id,
    render, stream,
};

/// How a preview is named that is a stream of Teams' own.
const STREAM: &str = "stream:";

/// Says one part of an answer.
pub(crate) async fn send(account: &Account, request: SendPart) -> PartOutcome {
    match said(account, &request).await {
        Ok(platform_id) => {
            trusted(account).await;
            sent(platform_id)
        }
        Err(outcome) => outcome,
    }
}

async fn said(account: &Account, request: &SendPart) -> Result<String, PartOutcome> {
    let target = match Target::find(account, &request.to, request.thread_id.as_deref()).await {
        Ok(target) => target,
        Err(error) => return Err(failed(account, error, false).await),
    };
    let mut message = message(&target, &request.text);
    if let Some(answered) = &request.reply_to_id {
        message["replyToId"] = json!(teams_id(answered));
    }
    if let Some(buttons) = card::choices(&request.choices) {
        message["attachments"] = json!([buttons]);
    }
    match request.replaces.as_deref() {
        None => match post(account, &target, &message).await {
            Ok(posted) => Ok(posted.id),
            Err(error) => Err(failed(account, error, false).await),
        },
        Some(replaced) => match replaced.strip_prefix(STREAM) {
            Some(stream) => end(account, &target, stream, message).await,
            None => match account
                .connector
                .update(&target.service, &target.conversation, replaced, &message)
                .await
            {
                Ok(_) => Ok(replaced.to_owned()),
                Err(error) if error.is_gone() => Err(PartOutcome::PreviewGone(error.to_string())),
                Err(error) => Err(failed(account, error, true).await),
            },
        },
    }
}

/// Ends a stream with the message that stays.
async fn end(account: &Account, target: &Target, id: &str, message: Value) -> Result<String, PartOutcome> {
    let outcome = post(account, target, &stream::last(id, message)).await;
    match outcome {
        Ok(posted) => {
            account.streams.ended(id);
            Ok(if posted.id.is_empty() {
                id.to_owned()
            } else {
                posted.id
            })
        }
        // An attempt before this one had reached Teams.
        Err(error) if error.has_ended_already() => {
            account.streams.ended(id);
            Ok(id.to_owned())
        }
        Err(error) if error.stopped_by_person() => {
            account.streams.ended(id);
            Err(PartOutcome::Failed(
                "the person pressed Stop while it was written".into(),
            ))
        }
        Err(error) if error.ends_a_stream() || error.is_gone() => {
            account.streams.ended(id);
            // What was shown so far is taken away, or stays as it is: the whole answer comes as a message of its own.
            let _ = account
                .connector
                .delete(&target.service, &target.conversation, id)
                .await;
            Err(PartOutcome::PreviewGone(error.to_string()))
        }
        Err(error) => Err(failed(account, error, true).await),
    }
}

async fn post(account: &Account, target: &Target, activity: &Value) -> Result<Posted, ConnectorError> {
    account
        .connector
        .post(&target.service, &target.conversation, activity)
        .await
}

/// A message as Teams takes it.
fn message(target: &Target, text: &str) -> Value {
    let mut message = json!({
        "type": "message", "text": render::markdown(text), "textFormat": "markdown",
        "conversation": { "id": target.conversation },
    });
    if let Some(bot) = &target.bot {
        message["from"] = json!({ "id": bot });
    }
    message
}

/// Shows that somebody is being answered. Nothing depends on it.
pub(crate) async fn typing(account: &Account, request: ShowTyping) {
    let Ok(target) = Target::known(account, &request.to, request.thread_id.as_deref()).await else {
        return;
    };
    if let Err(error) = post(account, &target, &json!({ "type": "typing" })).await {
        tracing::debug!(error = %error, "typing was not shown");
    }
}

/// What to tell the bridge of a failure, and people where they have to act.
async fn failed(account: &Account, error: ConnectorError, repeatable: bool) -> PartOutcome {
    doubted(account, &error).await;
    part(error, repeatable)
}

/// Says once that Teams does not believe the bot.
pub(crate) async fn doubted(account: &Account, error: &ConnectorError) {
    if let ConnectorError::Credential(reason) = error
        && !account.doubted.swap(true, Ordering::Relaxed)
    {
        notice(account, Some(reason.clone())).await;
    }
}

/// Takes that back.
pub(crate) async fn trusted(account: &Account) {
    if account.doubted.swap(false, Ordering::Relaxed) {
        notice(account, None).await;
    }
}

async fn notice(account: &Account, text: Option<String>) {
    let notice = Notice {
        topic: NoticeTopic::Login.into(),
        text,
    };
    account.link.say(Message::Notice(notice)).await;
}

/// How long the bridge is told to wait where Teams says nothing of it.
const LATER: Duration = Duration::from_secs(60);
