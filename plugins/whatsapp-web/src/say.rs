//! What the bridge wants said. A message has the same id however often it is tried, and a phone shows an id once: so a repeat is no double.

use std::{sync::Arc, time::Duration};

use gatehouse_plugin_sdk::{PartOutcome, retry, sent, words};
use gatehouse_proto::channel::v1::{SendPart, SentMedia};
use tokio::{sync::oneshot, time};
use whatsapp_rust::{
    Jid, SendError, SendOptions,
    buffa::MessageField,
    prelude::{ClientError, IqError, MessageExt, wa},
};

use crate::{
    hear::Memory,
    ids::{self, MessageId},
    media::{Kind, Stored},
    render,
    session::{Session, Word},
};

/// How long WhatsApp may take to say that it has a message.
const WORD_WITHIN: Duration = Duration::from_secs(20);
/// When something is tried again that WhatsApp was not there for.
const LATER: Duration = Duration::from_secs(5);

/// Says one part of an answer.
pub(crate) async fn send(session: &Session, memory: &Memory, part: SendPart) -> PartOutcome {
    let Some(to) = ids::address(&part.to) else {
        return PartOutcome::Failed(
            "that is no chat of WhatsApp: it is a number with its country code, or an id as a message names it".into(),
        );
    };
    let messages = match messages(&part, memory) {
        Ok(messages) => messages,
        Err(reason) => return PartOutcome::Failed(reason),
    };
    let mut first = None;
    for (number, message) in messages.into_iter().enumerate() {
        let id = ids::sent(&part.key, number);
        let first = first.get_or_insert_with(|| id.clone());
        let Some(word) = session.acks.wait(&id, first) else {
            return PartOutcome::ChatBusy(retry("too much is sent at the same time", Some(LATER)));
        };
        if let Err(outcome) = said(session, &to, id, message, word).await {
            return outcome;
        }
    }
    sent(first.unwrap_or_default())
}

/// The messages that a part is: its words, or its files, of which the first carries the words.
fn messages(part: &SendPart, memory: &Memory) -> Result<Vec<wa::Message>, String> {
    let mut text = Some(render::whatsapp(&part.text)).filter(|text| !text.is_empty());
    let mut messages = Vec::new();
    for medium in &part.media {
        let stored = Stored::read(&medium.handle).ok_or("the file is not known here any more")?;
        let caption = if stored.kind == Kind::Audio {
            None
        } else {
            text.take()
        };
        messages.push(file(&stored, medium, caption).ok_or("the file is not known here any more")?);
    }
    if let Some(text) = text {
        messages.push(wa::Message {
            extended_text_message: MessageField::some(wa::message::ExtendedTextMessage {
                text: Some(text),
                ..Default::default()
            }),
            ..Default::default()
        });
    }
    if let (Some(first), Some(quote)) = (messages.first_mut(), quote(part, memory)) {
        first.set_context_info(quote);
    }
    if messages.is_empty() {
        return Err("there is nothing to say".into());
    }
    Ok(messages)
}

/// The message that is answered, where its beginning is still known: a phone shows no quote without it.
fn quote(part: &SendPart, memory: &Memory) -> Option<wa::ContextInfo> {
    let answered = part.reply_to_id.as_deref()?;
    let beginning = memory.beginning(answered)?;
    let answered = MessageId::read(answered)?;
    Some(wa::ContextInfo {
        stanza_id: Some(answered.id),
        participant: Some(answered.sender.to_string()),
        quoted_message: MessageField::some(wa::Message {
            conversation: Some(beginning),
            ..Default::default()
        }),
        ..Default::default()
    })
}

fn file(stored: &Stored, medium: &SentMedia, caption: Option<String>) -> Option<wa::Message> {
    let (direct_path, mimetype) = (Some(stored.path().to_owned()), Some(medium.mime_type.clone()));
    let (media_key, file_sha256) = (Some(stored.key()?), Some(stored.hash()?));
    let (file_enc_sha256, file_length) = (Some(stored.encrypted_hash()?), Some(stored.size));
    let media_key_timestamp = Some(stored.made_at);
    let mut message = wa::Message::default();
    match stored.kind {
        Kind::Image | Kind::Sticker => {
            message.image_message = MessageField::some(wa::message::ImageMessage {
                direct_path,
                mimetype,
                media_key,
                file_sha256,
                file_enc_sha256,
                file_length,
                media_key_timestamp,
                caption,
                ..Default::default()
            });
        }
        Kind::Video => {
            message.video_message = MessageField::some(wa::message::VideoMessage {
                direct_path,
                mimetype,
                media_key,
                file_sha256,
                file_enc_sha256,
                file_length,
                media_key_timestamp,
                caption,
                ..Default::default()
            });
        }
        Kind::Audio => {
            // A voice note is Opus; anything else is a file with sound in it.
            let is_note = medium.mime_type == "audio/ogg";
            message.audio_message = MessageField::some(wa::message::AudioMessage {
                direct_path,
                mimetype: if is_note {
                    Some("audio/ogg; codecs=opus".to_owned())
                } else {
                    mimetype
                },
                media_key,
                file_sha256,
                file_enc_sha256,
                file_length,
                media_key_timestamp,
                ptt: Some(is_note),
                ..Default::default()
            });
        }
        Kind::Document => {
            let name = if medium.name.is_empty() {
                "file"
            } else {
                &medium.name
            };
            message.document_message = MessageField::some(wa::message::DocumentMessage {
                direct_path,
                mimetype,
                media_key,
                file_sha256,
                file_enc_sha256,
                file_length,
                media_key_timestamp,
                caption,
                file_name: Some(name.to_owned()),
                title: Some(name.to_owned()),
                ..Default::default()
            });
        }
    }
    Some(message)
}

/// Sends a message, and waits for WhatsApp's word.
async fn said(
    session: &Session,
    to: &Jid,
    id: String,
    message: wa::Message,
    word: oneshot::Receiver<Word>,
) -> Result<(), PartOutcome> {
    if !session.client.is_logged_in() {
        return Err(PartOutcome::Retry(retry(
            "WhatsApp is not there just now",
            Some(LATER),
        )));
    }
    let options = SendOptions::default().with_message_id(id);
    let client = Arc::clone(&session.client);
    if let Err(error) = client
        .send_message_with_options(to.clone(), message, options)
        .await
    {
        return Err(not_sent(&error));
    }
    match time::timeout(WORD_WITHIN, word).await {
        Ok(Ok(None)) => Ok(()),
        Ok(Ok(Some(code))) => Err(PartOutcome::Failed(format!(
            "WhatsApp refuses the message ({code})"
        ))),
        Ok(Err(_)) | Err(_) => Err(PartOutcome::Unknown(
            "WhatsApp has not said that it has the message".into(),
        )),
    }
}

fn not_sent(error: &SendError) -> PartOutcome {
    match error {
        SendError::NotLoggedIn | SendError::Client(ClientError::NotConnected | ClientError::NotLoggedIn) => {
            PartOutcome::Retry(retry("WhatsApp is not there just now", Some(LATER)))
        }
        SendError::InvalidRequest(reason) => PartOutcome::Failed(words(reason)),
        // Not a member, no such group, no such person.
        SendError::Iq(IqError::ServerError { code, text, .. }) if matches!(code, 401 | 403 | 404 | 406) => {
            PartOutcome::Failed(words(&format!("WhatsApp refuses the chat ({code} {text})")))
        }
        SendError::Iq(IqError::ServerError { code, backoff, .. }) => {
            let after = backoff.map(|seconds| Duration::from_secs(seconds.into()));
            PartOutcome::Retry(retry(
                &format!("WhatsApp does not take it now ({code})"),
                after.or(Some(LATER)),
            ))
        }
        error => PartOutcome::Unknown(words(&error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(text: &str) -> SendPart {
        SendPart {
            key: "run/1".to_owned(),
            text: text.to_owned(),
            ..SendPart::default()
        }
    }

    #[test]
    fn words_go_with_the_first_file_that_can_carry_them() {
        let stored = |kind: &str| {
            format!(
                r#"{{"kind": "{kind}", "path": "/v/1", "key": "AQ", "hash": "AQ", "encrypted_hash": "AQ", "size": 7}}"#
            )
        };
        let with = |kind: &str, mime_type: &str| SendPart {
            media: vec![SentMedia {
                handle: stored(kind),
                mime_type: mime_type.to_owned(),
                name: "tea.pdf".to_owned(),
                size_bytes: 7,
            }],
            ..part("**look**")
        };
        let memory = Memory::default();

        let picture = messages(&with("image", "image/png"), &memory).expect("a message");
        assert_eq!(picture.len(), 1);
        let image = picture[0].image_message.as_option().expect("a picture");
        assert_eq!(
            (image.caption.as_deref(), image.file_length),
            (Some("*look*"), Some(7))
        );
        let note = messages(&with("audio", "audio/ogg"), &memory).expect("messages");
        assert_eq!(note.len(), 2, "a voice note carries no words");
        assert_eq!(note[0].audio_message.as_option().expect("a note").ptt, Some(true));
        let paper = messages(&with("document", "application/pdf"), &memory).expect("a message");
        let document = paper[0].document_message.as_option().expect("a document");
        assert_eq!(document.file_name.as_deref(), Some("tea.pdf"));
    }

    #[test]
    fn nothing_and_what_is_not_known_any_more_is_not_sent() {
        let memory = Memory::default();
        assert!(messages(&part(" "), &memory).is_err());
        let mut gone = part("x");
        gone.media.push(SentMedia::default());
        assert!(messages(&gone, &memory).is_err());
    }
}
