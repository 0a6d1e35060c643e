//! The beginning of an answer, while it is being written: a stream of Teams' own in a chat of two, elsewhere a message that is changed.

use gatehouse_plugin_sdk::PreviewOutcome as Outcome;
use gatehouse_proto::channel::v1::{ShowPreview, WithdrawPreview};

use super::{STREAM, doubted, message, outcome, post, target::Target};
use crate::{
    account::Account,
    activity::PlaceKind,
    connector::ConnectorError,
    render,
    stream::{self, Step, Streams},
};

/// What a stream shows before its first words.
const NOTHING_YET: &str = "…";

/// Shows what was written so far.
pub(crate) async fn show(account: &Account, request: ShowPreview) -> Outcome {
    match shown(account, &request).await {
        Ok(shown) => Outcome::Shown(shown),
        Err(outcome) => outcome,
    }
}

async fn shown(account: &Account, request: &ShowPreview) -> Result<String, Outcome> {
    let target = match Target::find(account, &request.to, request.thread_id.as_deref()).await {
        Ok(target) => target,
        Err(error) => return Err(failed(account, &error).await),
    };
    let is_stream = match &request.shown {
        Some(shown) => shown.starts_with(STREAM),
        None => target.kind == PlaceKind::Personal,
    };
    let shown = if is_stream {
        streamed(account, &target, request).await
    } else if request.may_last {
        lasting(account, &target, request).await
    } else {
        return Err(Outcome::MustLast(true));
    };
    match shown {
        Ok(shown) => Ok(shown),
        Err(error) if error.stopped_by_person() => Err(Outcome::Never("the person pressed Stop".into())),
        Err(error) => Err(failed(account, &error).await),
    }
}

/// A step of a stream.
async fn streamed(
    account: &Account,
    target: &Target,
    request: &ShowPreview,
) -> Result<String, ConnectorError> {
    let text = render::beginning(&request.text);
    let Some(shown) = &request.shown else {
        // The first words may be markup that is not closed yet: there is nothing to show, and a stream begins with something.
        let text = if text.is_empty() {
            NOTHING_YET.to_owned()
        } else {
            text
        };
        let posted = post(account, target, &Streams::first(&text)).await?;
        // What stands for nothing is no beginning of what comes.
        let begun = if text == NOTHING_YET { "" } else { &text };
        account.streams.opened(&posted.id, begun);
        return Ok(format!("{STREAM}{}", posted.id));
    };
    let id = shown.strip_prefix(STREAM).unwrap_or(shown);
    match account.streams.next(id, &text) {
        Step::Keep => {}
        Step::Send(step) => {
            if let Err(error) = post(account, target, &step).await {
                // Steps that Teams has seen in another order are made good by the next one, which has all the text.
                let passing = matches!(&error, ConnectorError::Refused { code, .. }
                    if code == "ContentStreamSequenceOrderPreConditionFailed");
                if !passing {
                    return Err(error);
                }
            }
        }
    }
    Ok(shown.clone())
}

/// A message that is changed.
async fn lasting(
    account: &Account,
    target: &Target,
    request: &ShowPreview,
) -> Result<String, ConnectorError> {
    let message = message(target, &request.text);
    match &request.shown {
        None => Ok(post(account, target, &message).await?.id),
        Some(shown) => {
            account
                .connector
                .update(&target.service, &target.conversation, shown, &message)
                .await?;
            Ok(shown.clone())
        }
    }
}

/// Takes back what no answer takes the place of.
pub(crate) async fn withdraw(account: &Account, request: WithdrawPreview) -> Outcome {
    let stream = request.shown.strip_prefix(STREAM);
    let shown = stream.unwrap_or(&request.shown);
    let text = account.streams.text(shown);
    let target = match Target::known(account, &request.to, request.thread_id.as_deref()).await {
        Ok(target) => target,
        Err(error) => return failed(account, &error).await,
    };
    let deleted = account
        .connector
        .delete(&target.service, &target.conversation, shown)
        .await;
    let withdrawn = match (deleted, stream, text) {
        (Err(error), ..) if error.is_gone() => Ok(()),
        // What cannot be taken back must not look for ever as if it went on: it ends as it is.
        (Err(ConnectorError::Refused { .. }), Some(id), Some(text)) => {
            ended(account, &target, id, &text).await
        }
        (deleted, ..) => deleted,
    };
    // Otherwise it is tried again.
    if matches!(&withdrawn, Ok(()) | Err(ConnectorError::Refused { .. })) {
        account.streams.ended(shown);
    }
    match withdrawn {
        Ok(()) => Outcome::Shown(String::new()),
        Err(error) => failed(account, &error).await,
    }
}

/// Ends a stream with what it shows.
async fn ended(account: &Account, target: &Target, id: &str, text: &str) -> Result<(), ConnectorError> {
    let text = if text.is_empty() { NOTHING_YET } else { text };
    let mut message = message(target, "");
    message["text"] = text.into(); // it was rendered when it was shown
    post(account, target, &stream::last(id, message)).await.map(drop)
}

async fn failed(account: &Account, error: &ConnectorError) -> Outcome {
    doubted(account, error).await;
    outcome::preview(error)
}
