//! What a plugin says, read into what the bridge knows. Nothing of it is believed beyond its bounds.

use std::time::Duration;

use gatehouse_core::{
    Case, Clock, Content, Timestamp,
    content::{Block, MediaSource},
};
use gatehouse_proto::channel::v1::{
    ChatKind as WireKind, Inbound, InboundChat, InboundSender, NameCase, NoticeTopic, PartAnswered,
    PartRetry, PreviewAnswered, Remarked, Room as WireRoom, RoomState as WireState, part_answered,
    preview_answered, remarked,
};
use tokio::time::Instant;

use super::said;
use crate::{
    account::{
        progress::Topic,
        room::{Room, RoomState},
    },
    adapter::{
        ChatKind, InboundMessage, Origin, ParentChat, PreviewError, Receipt, Remark, SendError, Shown,
    },
    id::{Address, ChatId, GuildId, IdError, RoleId, SenderId, TeamId},
};

/// Names of one chat or sender. The contract has the same bound.
const ALIASES_MAX: usize = 16;
/// The longest name of a sender, in characters: it is for people to read.
const NAME_CHARS_MAX: usize = 200;
/// Rooms that are shown. The contract has the same bound.
const ROOMS_MAX: usize = 200;
/// The longest that a plugin may ask for silence: a day.
const AFTER_MAX: Duration = Duration::from_secs(24 * 3_600);
/// How long a chat is left alone when its plugin asks for silence and says no time.
const CHAT_PAUSE: Duration = Duration::from_secs(1);
/// The longest id that is taken of a message, in bytes.
const ID_BYTES_MAX: usize = 512;

/// What happened in a chat beside words.
pub(super) struct Happened {
    pub(super) chat: String,
    /// Who did it, by their ids.
    pub(super) by: Vec<String>,
    pub(super) remark: Remark,
}

/// `None`: nothing that is known here, or in no chat.
pub(super) fn remark(wire: Remarked) -> Option<Happened> {
    let Remarked {
        chat,
        remark,
        sender_id,
        sender_aliases,
    } = wire;
    let remark = match remark? {
        remarked::Remark::Reacted(reaction) => Remark::Reacted(reaction),
        remarked::Remark::NotReacted(reaction) => Remark::NotReacted(reaction),
        remarked::Remark::TakenBack(true) => Remark::TakenBack,
        remarked::Remark::TakenBack(false) => return None,
    };
    let by = std::iter::once(sender_id).chain(sender_aliases);
    let happened = Happened {
        by: by.filter(|id| !id.is_empty()).collect(),
        remark,
        chat,
    };
    (!happened.chat.is_empty() && happened.chat.len() <= ID_BYTES_MAX).then_some(happened)
}

/// Something that somebody said.
///
/// # Errors
/// Why it cannot be taken, for the plugin's author.
pub(super) fn inbound(wire: Inbound, clock: &Clock) -> Result<InboundMessage, &'static str> {
    let Inbound {
        seq: _,
        message_id,
        chat,
        sender,
        text,
        content,
        mentioned,
        sent_at,
        reply_to,
        thread_id,
        name_case,
    } = wire;
    let InboundChat {
        kind,
        id,
        aliases,
        parent,
        guild_id,
        team_id,
    } = chat.ok_or("`chat` is required")?;
    let kind = chat_kind(kind);
    let chat_id: ChatId = ided(id, "`chat.id` must have 1 to 512 bytes")?;
    let sender = match (sender, kind) {
        (Some(sender), _) => sender,
        (None, ChatKind::Direct) => InboundSender {
            id: chat_id.as_str().to_owned(),
            ..InboundSender::default()
        },
        (None, ChatKind::Group | ChatKind::Channel) => {
            return Err("`sender` is required where several people are");
        }
    };
    let reply_to: Address = if reply_to.is_empty() {
        Address::from(chat_id.clone())
    } else {
        ided(reply_to, "`replyTo` must have at most 512 bytes")?
    };
    let parent = parent.map(|parent| {
        let id = ided(parent.id, "`chat.parent.id` must have 1 to 512 bytes")?;
        Ok::<_, &'static str>(ParentChat {
            kind: chat_kind(parent.kind),
            id,
        })
    });
    let origin = Origin {
        parent: parent.transpose()?,
        guild_id: optional::<GuildId>(guild_id, "`chat.guildId` must have 1 to 512 bytes")?,
        team_id: optional::<TeamId>(team_id, "`chat.teamId` must have 1 to 512 bytes")?,
        roles: all::<RoleId>(
            sender.roles,
            usize::MAX,
            "`sender.roles` must have 1 to 512 bytes each",
        )?,
    };
    let name: String = sender.name.chars().take(NAME_CHARS_MAX).collect();
    Ok(InboundMessage {
        message_id: ided(message_id, "`messageId` must have 1 to 512 bytes")?,
        chat_kind: kind,
        chat_aliases: all(
            aliases,
            ALIASES_MAX,
            "`chat.aliases` must be at most 16, of 1 to 512 bytes each",
        )?,
        chat_id,
        case: case(name_case),
        origin,
        reply_to,
        thread_id: thread_id.filter(|id| !id.is_empty()),
        sender_id: ided(sender.id, "`sender.id` must have 1 to 512 bytes")?,
        sender_aliases: all::<SenderId>(
            sender.aliases,
            ALIASES_MAX,
            "`sender.aliases` must be at most 16, of 1 to 512 bytes each",
        )?,
        sender_name: Some(name).filter(|name| !name.trim().is_empty()),
        content: said_in(text, content)?,
        mentioned: mentioned || kind == ChatKind::Direct,
        from_bot: sender.bot,
        sent_at: if sent_at == 0 {
            clock.now()
        } else {
            Timestamp::from_ms(sent_at)
        },
    })
}

/// People say words and media, and a medium is where the plugin finds it: everything else is the gateway's own.
fn said_in(
    text: String,
    content: Option<gatehouse_proto::common::v1::Content>,
) -> Result<Content, &'static str> {
    let content = Content::from_parts(text, content).map_err(|error| error.problem())?;
    let is_a_persons = |block: &Block| match block {
        Block::Text(text) => !text.notice,
        Block::Media(media) => matches!(media.source, MediaSource::Url(_)),
        Block::ToolCall(_)
        | Block::ToolResult(_)
        | Block::Thinking(_)
        | Block::Choices(_)
        | Block::Opaque(_) => false,
    };
    if content.blocks().iter().all(is_a_persons) {
        Ok(content)
    } else {
        Err("`content` may have words and media, and media are named by `url`")
    }
}

fn chat_kind(kind: i32) -> ChatKind {
    match WireKind::try_from(kind) {
        Ok(WireKind::Group) => ChatKind::Group,
        // A kind of a newer version has several people for all that is known.
        Ok(WireKind::Channel) | Err(_) => ChatKind::Channel,
        Ok(WireKind::Direct | WireKind::Unspecified) => ChatKind::Direct,
    }
}

fn case(case: i32) -> Case {
    match NameCase::try_from(case) {
        Ok(NameCase::Unicode) => Case::Unicode,
        Ok(NameCase::Rfc1459) => Case::Rfc1459,
        Ok(NameCase::Rfc1459Strict) => Case::Rfc1459Strict,
        Ok(NameCase::Ascii | NameCase::Unspecified) | Err(_) => Case::Ascii,
    }
}

fn ided<T: TryFrom<String, Error = IdError>>(text: String, problem: &'static str) -> Result<T, &'static str> {
    T::try_from(text).map_err(|_| problem)
}

fn optional<T: TryFrom<String, Error = IdError>>(
    text: Option<String>,
    problem: &'static str,
) -> Result<Option<T>, &'static str> {
    text.map(|text| ided(text, problem)).transpose()
}

fn all<T: TryFrom<String, Error = IdError>>(
    texts: Vec<String>,
    most: usize,
    problem: &'static str,
) -> Result<Vec<T>, &'static str> {
    if texts.len() > most {
        return Err(problem);
    }
    texts.into_iter().map(|text| ided(text, problem)).collect()
}

/// What became of a part.
pub(super) fn part(wire: PartAnswered) -> Result<Receipt, SendError> {
    use part_answered::Outcome;
    match wire.outcome {
        Some(Outcome::Sent(sent)) => Ok(Receipt {
            platform_id: Some(sent.platform_id).filter(|id| !id.is_empty() && id.len() <= ID_BYTES_MAX),
            unconfirmed: sent.unconfirmed,
            plain: sent.plain,
        }),
        Some(Outcome::Retry(retry)) => Err(SendError::Retry {
            after: after(&retry),
            reason: because(&retry.reason),
        }),
        Some(Outcome::ChatBusy(busy)) => Err(SendError::ChatBusy {
            after: after(&busy).unwrap_or(CHAT_PAUSE),
            reason: because(&busy.reason),
        }),
        Some(Outcome::Failed(reason)) => Err(SendError::permanent(because(&reason))),
        Some(Outcome::PreviewGone(reason)) => Err(SendError::PreviewGone {
            reason: because(&reason),
        }),
        Some(Outcome::Unknown(reason)) => Err(SendError::unknown(because(&reason))),
        None => Err(SendError::unknown("the plugin did not say what became of it")),
    }
}

/// What became of a preview.
pub(super) fn preview(wire: PreviewAnswered) -> Result<Shown, PreviewError> {
    use preview_answered::Outcome;
    match wire.outcome {
        Some(Outcome::Shown(id)) => Ok(Shown {
            id: Some(id).filter(|id| !id.is_empty() && id.len() <= ID_BYTES_MAX),
        }),
        Some(Outcome::Busy(busy)) => Err(PreviewError::Busy {
            after: after(&busy).unwrap_or(CHAT_PAUSE),
            reason: because(&busy.reason),
        }),
        Some(Outcome::MustLast(_)) => Err(PreviewError::MustLast),
        Some(Outcome::Never(reason)) => Err(PreviewError::Never(because(&reason))),
        Some(Outcome::Unknown(reason)) => Err(PreviewError::Unknown(because(&reason))),
        None => Err(PreviewError::Unknown(
            "the plugin did not say what became of it".into(),
        )),
    }
}

fn after(retry: &PartRetry) -> Option<Duration> {
    let after = Duration::from_millis(u64::from(retry.after_ms)).min(AFTER_MAX);
    Some(after).filter(|after| !after.is_zero())
}

/// A reason, also where none is given.
pub(super) fn because(reason: &str) -> String {
    let reason = said(reason);
    if reason.is_empty() {
        "the plugin gave no reason".to_owned()
    } else {
        reason
    }
}

pub(super) fn topic(topic: i32) -> Topic {
    match NoticeTopic::try_from(topic) {
        Ok(NoticeTopic::Name) => Topic::Name,
        Ok(NoticeTopic::Relay) => Topic::Bouncer,
        Ok(NoticeTopic::Delivery) => Topic::Delivery,
        Ok(NoticeTopic::Login | NoticeTopic::Unspecified) | Err(_) => Topic::Login,
    }
}

pub(super) fn rooms(wire: Vec<WireRoom>) -> Vec<Room> {
    let now = Instant::now();
    let room = |room: WireRoom| Room {
        state: match room.state() {
            WireState::Unspecified | WireState::Joining => RoomState::Joining,
            WireState::Joined => RoomState::Joined,
            WireState::Refused => RoomState::Refused,
            WireState::Left => RoomState::Left,
        },
        name: said(&room.name),
        reason: room.reason.as_deref().map(said),
        next_step: room.next_step.as_deref().map(said),
        retry: room
            .retry_ms
            .map(|ms| now + Duration::from_millis(u64::from(ms)).min(AFTER_MAX)),
    };
    wire.into_iter().take(ROOMS_MAX).map(room).collect()
}
