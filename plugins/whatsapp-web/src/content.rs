//! What a message of WhatsApp says: words and files, a reaction, or that something was taken back.

use gatehouse_proto::common::v1::{MediaBlock, TextBlock, block::Kind as Block};
use whatsapp_rust::{
    prelude::wa::{self, MessageKey, message::protocol_message::Type as ProtocolType},
    proto_helpers::MessageExt,
    wacore::download::Downloadable,
};

use crate::media::{Kind, Stored};

/// The longest name and media type that the gateway takes, in bytes.
const NAME_BYTES_MAX: usize = 1_024;
const MIME_BYTES_MAX: usize = 255;

/// What somebody said.
#[derive(Debug, PartialEq)]
pub(crate) enum Said {
    /// Words and files, one at least.
    Words(Vec<Block>),
    /// A reaction to a message. Empty: it is taken back.
    Reaction { to: MessageKey, emoji: String },
    /// A message was taken back.
    TakenBack,
    /// Nothing that anybody has to answer: why.
    Nothing(&'static str),
}

/// Reads a message.
pub(crate) fn read(message: &wa::Message) -> Said {
    let message = message.get_base_message();
    if let Some(reaction) = message.reaction_message.as_option() {
        let to = reaction.key.as_option().cloned().unwrap_or_default();
        let emoji = reaction.text.clone().unwrap_or_default();
        return Said::Reaction { to, emoji };
    }
    if let Some(protocol) = message.protocol_message.as_option() {
        return match protocol.r#type {
            Some(ProtocolType::REVOKE) => Said::TakenBack,
            Some(ProtocolType::MESSAGE_EDIT) => Said::Nothing("a change of what was said"),
            _ => Said::Nothing("a word between devices"),
        };
    }
    let mut blocks = Vec::new();
    if let Some(file) = file(message) {
        blocks.push(file);
    }
    let words = message
        .text_content()
        .or_else(|| message.get_caption())
        .map(str::to_owned)
        .or_else(|| place(message))
        .or_else(|| contact(message));
    if let Some(text) = words.filter(|words| !words.trim().is_empty()) {
        blocks.push(Block::Text(TextBlock { text, notice: false }));
    }
    if blocks.is_empty() {
        Said::Nothing("of a kind that is not known here")
    } else {
        Said::Words(blocks)
    }
}

/// Who is mentioned, and whose message is answered.
pub(crate) fn context(message: &wa::Message) -> Option<&wa::ContextInfo> {
    let message = message.get_base_message();
    let context = match () {
        () if message.extended_text_message.is_set() => {
            &message.extended_text_message.as_option()?.context_info
        }
        () if message.image_message.is_set() => &message.image_message.as_option()?.context_info,
        () if message.video_message.is_set() => &message.video_message.as_option()?.context_info,
        () if message.audio_message.is_set() => &message.audio_message.as_option()?.context_info,
        () if message.document_message.is_set() => &message.document_message.as_option()?.context_info,
        () => return None,
    };
    context.as_option()
}

fn file(message: &wa::Message) -> Option<Block> {
    if let Some(image) = message.image_message.as_option() {
        return block(Kind::Image, image, image.mimetype.as_deref(), None);
    }
    if let Some(video) = message.video_message.as_option() {
        return block(Kind::Video, video, video.mimetype.as_deref(), None);
    }
    if let Some(audio) = message.audio_message.as_option() {
        return block(Kind::Audio, audio, audio.mimetype.as_deref(), None);
    }
    if let Some(document) = message.document_message.as_option() {
        let name = document.file_name.as_deref().or(document.title.as_deref());
        return block(Kind::Document, document, document.mimetype.as_deref(), name);
    }
    if let Some(sticker) = message.sticker_message.as_option() {
        return block(Kind::Sticker, sticker, sticker.mimetype.as_deref(), None);
    }
    None
}

fn block(kind: Kind, sent: &dyn Downloadable, mime_type: Option<&str>, name: Option<&str>) -> Option<Block> {
    // `audio/ogg; codecs=opus`
    let mime_type = mime_type.and_then(|mime| mime.split(';').next()).map(str::trim);
    let mime_type = mime_type.filter(|mime| !mime.is_empty() && mime.len() <= MIME_BYTES_MAX);
    let stored = Stored::of(kind, sent, mime_type)?;
    Some(Block::Media(MediaBlock {
        id: None,
        url: Some(stored.address()?),
        mime_type: mime_type.map(str::to_owned),
        name: name
            .filter(|name| !name.is_empty() && name.len() <= NAME_BYTES_MAX)
            .map(str::to_owned),
        size_bytes: i64::try_from(stored.size).ok().filter(|size| *size > 0),
    }))
}

fn place(message: &wa::Message) -> Option<String> {
    let place = message.location_message.as_option()?;
    let (latitude, longitude) = (place.degrees_latitude?, place.degrees_longitude?);
    let mut words = format!("Location: {latitude:.6}, {longitude:.6}");
    for part in [&place.name, &place.address].into_iter().flatten() {
        words.push_str(", ");
        words.push_str(part);
    }
    Some(words)
}

fn contact(message: &wa::Message) -> Option<String> {
    let contact = message.contact_message.as_option()?;
    let name = contact.display_name.as_deref().unwrap_or_default();
    let card = contact.vcard.as_deref().unwrap_or_default();
    let numbers: Vec<&str> = card
        .lines()
        .filter(|line| line.starts_with("TEL") || line.contains(".TEL"))
        .filter_map(|line| line.rsplit(':').next())
        .map(str::trim)
        .collect();
    Some(
        format!("Contact: {name} {}", numbers.join(", "))
            .trim_end()
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use whatsapp_rust::buffa::MessageField;

    use super::*;

    fn text(blocks: &[Block]) -> Option<&str> {
        blocks.iter().find_map(|block| match block {
            Block::Text(text) => Some(text.text.as_str()),
            _ => None,
        })
    }

    #[test]
    fn a_picture_comes_with_its_words_and_a_voice_note_without() {
        let image = wa::message::ImageMessage {
            caption: Some("the cat".to_owned()),
            mimetype: Some("image/jpeg".to_owned()),
            direct_path: Some("/v/1".to_owned()),
            media_key: Some(vec![1; 32]),
            file_sha256: Some(vec![2; 32]),
            file_enc_sha256: Some(vec![3; 32]),
            file_length: Some(70_000),
            ..Default::default()
        };
        let said = read(&wa::Message {
            image_message: MessageField::some(image),
            ..Default::default()
        });
        let Said::Words(blocks) = said else {
            unreachable!("{said:?}")
        };
        assert_eq!(text(&blocks), Some("the cat"));
        assert!(
            matches!(&blocks[0], Block::Media(media) if media.size_bytes == Some(70_000) && media.mime_type.as_deref() == Some("image/jpeg")),
            "{blocks:?}"
        );

        let audio = wa::message::AudioMessage {
            mimetype: Some("audio/ogg; codecs=opus".to_owned()),
            direct_path: Some("/v/2".to_owned()),
            media_key: Some(vec![1; 32]),
            file_sha256: Some(vec![2; 32]),
            file_enc_sha256: Some(vec![3; 32]),
            ptt: Some(true),
            ..Default::default()
        };
        let said = read(&wa::Message {
            audio_message: MessageField::some(audio),
            ..Default::default()
        });
        let Said::Words(blocks) = said else {
            unreachable!("{said:?}")
        };
        assert!(
            matches!(&blocks[..], [Block::Media(media)] if media.mime_type.as_deref() == Some("audio/ogg")),
            "{blocks:?}"
        );
    }

    #[test]
    fn a_place_and_a_contact_are_said_in_words() {
        let place = wa::message::LocationMessage {
            degrees_latitude: Some(48.137_154),
            degrees_longitude: Some(11.576_124),
            name: Some("Marienplatz".to_owned()),
            ..Default::default()
        };
        let said = read(&wa::Message {
            location_message: MessageField::some(place),
            ..Default::default()
        });
        let Said::Words(blocks) = said else {
            unreachable!("{said:?}")
        };
        assert_eq!(text(&blocks), Some("Location: 48.137154, 11.576124, Marienplatz"));

        let contact = wa::message::ContactMessage {
            display_name: Some("Anna".to_owned()),
            vcard: Some("BEGIN:VCARD\nFN:Anna\nitem1.TEL;waid=1:+1 555 0001\nEND:VCARD".to_owned()),
            ..Default::default()
        };
        let said = read(&wa::Message {
            contact_message: MessageField::some(contact),
            ..Default::default()
        });
        let Said::Words(blocks) = said else {
            unreachable!("{said:?}")
        };
        assert_eq!(text(&blocks), Some("Contact: Anna +1 555 0001"));
    }

    #[test]
    fn a_reaction_a_change_and_what_is_taken_back_are_told_apart() {
        let reaction = wa::message::ReactionMessage {
            text: Some("👍".to_owned()),
            ..Default::default()
        };
        let said = read(&wa::Message {
            reaction_message: MessageField::some(reaction),
            ..Default::default()
        });
        assert!(matches!(said, Said::Reaction { emoji, .. } if emoji == "👍"));

        let protocol = |kind: ProtocolType| {
            let protocol = wa::message::ProtocolMessage {
                r#type: Some(kind),
                ..Default::default()
            };
            read(&wa::Message {
                protocol_message: MessageField::some(protocol),
                ..Default::default()
            })
        };
        assert_eq!(protocol(ProtocolType::REVOKE), Said::TakenBack);
        assert!(matches!(protocol(ProtocolType::MESSAGE_EDIT), Said::Nothing(_)));
        assert!(matches!(read(&wa::Message::default()), Said::Nothing(_)));
    }
}
