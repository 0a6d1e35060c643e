//! What the bridge wants said, and what became of it.

use gatehouse_plugin_sdk::{PartOutcome, PreviewOutcome, sent};
use gatehouse_proto::channel::v1::{AddReaction, SendPart, ShowPreview, ShowTyping, WithdrawPreview};
use matrix_sdk::{
    Room, RoomState,
    ruma::{EventId, OwnedEventId, OwnedTransactionId, RoomAliasId, RoomId, UserId},
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    account::Account,
    content::{self, Place},
    inbound::event_of,
    media::Handle,
    outcome::Trouble,
    recent::Was,
    seal::{Seal, seal},
};

/// Says one part of an answer.
pub(crate) async fn send(account: &Account, part: SendPart) -> PartOutcome {
    match said(account, &part).await {
        Ok(event) => sent(event),
        Err(Failed::Gone(reason)) => PartOutcome::PreviewGone(reason.into()),
        Err(Failed::Trouble(trouble)) => trouble.part(),
    }
}

enum Failed {
    Gone(&'static str),
    Trouble(Trouble),
}

impl From<Trouble> for Failed {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

async fn said(account: &Account, part: &SendPart) -> Result<String, Failed> {
    let room = room(account, &part.to).await?;
    let event = match &part.replaces {
        Some(shown) => replaced(account, &room, part, shown).await?,
        None => new(account, &room, part).await?,
    };
    // Programs that show who writes would show it for some seconds more.
    let _ = room.typing_notice(false).await;
    Ok(event)
}

async fn new(account: &Account, room: &Room, part: &SendPart) -> Result<String, Trouble> {
    let place = place(account, part.thread_id.as_deref(), part.reply_to_id.as_deref());
    let mut first = None;
    if !part.text.is_empty() || part.media.is_empty() {
        let content = content::message(&part.text, &place)?;
        first = Some(
            post(
                account,
                room,
                "m.room.message",
                content,
                &format!("part {}", part.key),
            )
            .await?,
        );
    }
    for (number, medium) in part.media.iter().enumerate() {
        let handle = Handle::read(&medium.handle)?;
        handle.fits(seal(account, room).await?)?;
        let content = content::file(
            &medium.name,
            &medium.mime_type,
            medium.size_bytes,
            handle.source(),
            &place,
        );
        let key = format!("part {} {number}", part.key);
        let event = post(account, room, "m.room.message", content, &key).await?;
        first.get_or_insert(event);
    }
    first.ok_or_else(|| Trouble::Never("it says nothing".into()))
}

/// The message that a preview became. Each change is of the preview's own event, so a repeat changes nothing.
async fn replaced(account: &Account, room: &Room, part: &SendPart, shown: &str) -> Result<String, Failed> {
    let id = event_id(shown)?;
    // A server takes a change of an event that nobody sees any more.
    let event = room.event(&id, None).await.map_err(Trouble::from);
    match event {
        Ok(event) if is_taken_back(event.raw().json().get()) => {
            return Err(Failed::Gone("somebody took back what was shown of the answer"));
        }
        Err(Trouble::Never(_)) => {
            return Err(Failed::Gone("what was shown of the answer is not there any more"));
        }
        Err(trouble) => return Err(trouble.into()),
        Ok(_) => {}
    }
    let content = content::change(shown, &part.text).map_err(Trouble::from)?;
    post(
        account,
        room,
        "m.room.message",
        content,
        &format!("part {}", part.key),
    )
    .await?;
    Ok(shown.to_owned())
}

fn is_taken_back(event: &str) -> bool {
    let event: Value = serde_json::from_str(event).unwrap_or_default();
    event["unsigned"]["redacted_because"].is_object()
        || event["content"]
            .as_object()
            .is_some_and(serde_json::Map::is_empty)
}

/// Shows what was written so far, as a message that is changed.
pub(crate) async fn show(account: &Account, preview: ShowPreview) -> PreviewOutcome {
    if !preview.may_last {
        return PreviewOutcome::MustLast(true);
    }
    match shown(account, &preview).await {
        Ok(event) => PreviewOutcome::Shown(event),
        Err(trouble) => trouble.preview(),
    }
}

async fn shown(account: &Account, preview: &ShowPreview) -> Result<String, Trouble> {
    let room = room(account, &preview.to).await?;
    match &preview.shown {
        None => {
            let place = place(
                account,
                preview.thread_id.as_deref(),
                preview.reply_to_id.as_deref(),
            );
            let content = content::message(&preview.text, &place)?;
            post(
                account,
                &room,
                "m.room.message",
                content,
                &format!("preview {}", preview.run),
            )
            .await
        }
        Some(shown) => {
            let content = content::change(shown, &preview.text)?;
            let key = format!("preview {shown} {}", preview.text);
            post(account, &room, "m.room.message", content, &key).await?;
            Ok(shown.clone())
        }
    }
}

/// Takes back what no answer takes the place of.
pub(crate) async fn withdraw(account: &Account, preview: WithdrawPreview) -> PreviewOutcome {
    let withdrawn = async {
        let room = room(account, &preview.to).await?;
        let id = event_id(&preview.shown)?;
        let transaction = transaction(&format!("withdraw {}", preview.shown));
        room.redact(&id, None, Some(transaction))
            .await
            .map_err(Trouble::from)
    };
    match withdrawn.await {
        Ok(_) => PreviewOutcome::Shown(String::new()),
        Err(trouble) => trouble.preview(),
    }
}

/// Shows that somebody is being answered. Nothing depends on it.
pub(crate) async fn typing(account: &Account, typing: &ShowTyping) {
    let Ok(room) = room(account, &typing.to).await else {
        return;
    };
    if let Err(error) = room.typing_notice(true).await {
        tracing::debug!(error = %error, "typing was not shown");
    }
}

/// Reacts to a message. Reactions are not encrypted anywhere in Matrix, so there is nothing of ours in one but the emoji.
pub(crate) async fn react(account: &Account, reaction: &AddReaction) -> Result<(), String> {
    let reacted = async {
        let room = room(account, &reaction.to).await?;
        let event = event_of(&reaction.message_id);
        let content = content::reaction(event, &reaction.emoji);
        let key = format!("reaction {event} {}", reaction.emoji);
        post(account, &room, "m.reaction", content, &key).await
    };
    match reacted.await {
        Ok(_) => Ok(()),
        // It is there.
        Err(Trouble::Never(reason)) if reason.contains("M_DUPLICATE_ANNOTATION") => Ok(()),
        Err(trouble) => Err(trouble.to_string()),
    }
}

/// Sends an event, whose key is the same for every attempt: the server answers a repeat with the event that it has.
async fn post(
    account: &Account,
    room: &Room,
    kind: &str,
    content: Value,
    key: &str,
) -> Result<String, Trouble> {
    let seal = seal(account, room).await?;
    let transaction = transaction(key);
    let posted = room
        .send_raw(kind, content)
        .with_transaction_id(&transaction)
        .await?;
    // The client knows no more of the room than what was just looked at; a difference would be a fault of ours.
    if seal == Seal::Encrypted && kind != "m.reaction" && posted.encryption_info.is_none() {
        tracing::error!("an event went into an encrypted room in plain text");
    }
    let event = posted.response.event_id.to_string();
    account.recent.keep(&event, Was::Ours);
    Ok(event)
}

fn transaction(key: &str) -> OwnedTransactionId {
    let digest = Sha256::digest(key.as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    OwnedTransactionId::from(hex)
}

fn place(account: &Account, thread: Option<&str>, answers: Option<&str>) -> Place {
    let answers = answers.map(event_of);
    let to = answers.and_then(|event| match account.recent.was(event) {
        Some(Was::Said(person)) => Some(person),
        _ => None,
    });
    Place {
        thread: thread.map(str::to_owned),
        answers: answers.map(str::to_owned),
        to,
    }
}

/// The room that is meant: by its id, as what came in names it, by its alias, or by the person in a chat of two.
pub(crate) async fn room(account: &Account, to: &str) -> Result<Room, Trouble> {
    let away = || Trouble::Never(format!("the account is not in {to}"));
    let to = to.strip_prefix("user:").unwrap_or(to);
    if to.starts_with('@') {
        let person = UserId::parse(to).map_err(|_| away())?;
        if let Some(room) = account.client.get_dm_room(&person) {
            return account.room(room.room_id()).ok_or_else(away);
        }
        if !account.settings.encryption {
            return Err(Trouble::Never(
                "there is no chat of two with this person: they have to write first, as a new one would be encrypted and `encryption` is off".into(),
            ));
        }
        return Ok(account.client.create_dm(&person).await?);
    }
    if to.starts_with('#') {
        let alias = RoomAliasId::parse(to).map_err(|_| away())?;
        let found = account.client.resolve_room_alias(&alias).await?;
        return account.room(&found.room_id).ok_or_else(away);
    }
    let id = RoomId::parse(to).map_err(|_| away())?;
    account
        .room(&id)
        .ok_or_else(|| match account.client.get_room(&id) {
            Some(room) if room.state() == RoomState::Invited => {
                Trouble::Later("the account is invited into this room and has not joined it".into())
            }
            _ => away(),
        })
}

fn event_id(id: &str) -> Result<OwnedEventId, Trouble> {
    EventId::parse(id).map_err(|_| Trouble::Never("the message has no id that Matrix knows".into()))
}

#[cfg(test)]
mod tests {
    use super::{is_taken_back, transaction};

    #[test]
    fn the_same_part_has_the_same_transaction_and_no_other() {
        assert_eq!(transaction("part a"), transaction("part a"));
        assert_ne!(transaction("part a"), transaction("preview a"));
        assert_eq!(transaction("part a").as_str().len(), 64);
    }

    #[test]
    fn a_message_that_was_taken_back_is_seen_as_that() {
        assert!(is_taken_back(
            r#"{"content": {}, "unsigned": {"redacted_because": {}}}"#
        ));
        assert!(!is_taken_back(r#"{"content": {"body": "x"}, "unsigned": {}}"#));
    }
}
