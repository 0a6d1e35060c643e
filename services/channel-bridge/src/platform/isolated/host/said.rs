//! What the adapter says and is told, written in the contract's words and read from them. Whoever is at the other end is our own bridge of
//! the same version.

use std::time::Duration;

use gatehouse_core::{
    Case, Timestamp,
    content::{Choice, Media, MediaSource},
};
use gatehouse_proto::{
    channel::v1::{
        ChatKind as WireKind, HttpAnswered, Inbound, InboundChat, InboundSender, NameCase, Notice,
        NoticeTopic, ParentChat as WireParent, PartAnswered, PartRetry, PartSent, PreviewAnswered, Remarked,
        ReportState, Reported, Room as WireRoom, RoomState as WireState, SendPart as WirePart, SentMedia,
        ShowPreview, TakeHttp, part_answered, preview_answered, remarked,
        run_account_response::Message as Said,
    },
    common::v1::Choice as WireChoice,
};
use tokio::time::Instant;

use crate::{
    account::{
        progress::Topic,
        room::{Room, RoomState},
    },
    adapter::{
        ChatKind, HttpAnswer, HttpHead, HttpRequest, InboundMessage, Preview, PreviewError, Receipt, Remark,
        Report, SendError, SendPart, Shown,
    },
    id::{Address, DeliveryKey, MessageId},
};

/// Something that somebody said.
pub(super) fn inbound(seq: u64, message: InboundMessage) -> Inbound {
    let InboundMessage {
        message_id,
        chat_kind,
        chat_id,
        chat_aliases,
        case,
        origin,
        reply_to,
        thread_id,
        sender_id,
        sender_aliases,
        sender_name,
        content,
        mentioned,
        from_bot,
        sent_at,
    } = message;
    let (text, content) = content.into_parts();
    Inbound {
        seq,
        message_id: message_id.into(),
        chat: Some(InboundChat {
            kind: kind(chat_kind).into(),
            id: chat_id.into(),
            aliases: chat_aliases.into_iter().map(Into::into).collect(),
            parent: origin.parent.map(|parent| WireParent {
                kind: kind(parent.kind).into(),
                id: parent.id.into(),
            }),
            guild_id: origin.guild_id.map(Into::into),
            team_id: origin.team_id.map(Into::into),
        }),
        sender: Some(InboundSender {
            id: sender_id.into(),
            aliases: sender_aliases.into_iter().map(Into::into).collect(),
            name: sender_name.unwrap_or_default(),
            bot: from_bot,
            roles: origin.roles.into_iter().map(Into::into).collect(),
        }),
        text,
        content,
        mentioned,
        sent_at: sent_at.as_ms(),
        reply_to: reply_to.into(),
        thread_id,
        name_case: match case {
            Case::Ascii => NameCase::Ascii,
            Case::Unicode => NameCase::Unicode,
            Case::Rfc1459 => NameCase::Rfc1459,
            Case::Rfc1459Strict => NameCase::Rfc1459Strict,
        }
        .into(),
    }
}

const fn kind(kind: ChatKind) -> WireKind {
    match kind {
        ChatKind::Direct => WireKind::Direct,
        ChatKind::Group => WireKind::Group,
        ChatKind::Channel => WireKind::Channel,
    }
}

pub(super) fn remark(chat: String, by: Vec<String>, remark: Remark) -> Said {
    let remark = match remark {
        Remark::Reacted(reaction) => remarked::Remark::Reacted(reaction),
        Remark::NotReacted(reaction) => remarked::Remark::NotReacted(reaction),
        Remark::TakenBack => remarked::Remark::TakenBack(true),
    };
    let mut by = by.into_iter();
    Said::Remarked(Remarked {
        chat,
        sender_id: by.next().unwrap_or_default(),
        sender_aliases: by.collect(),
        remark: Some(remark),
    })
}

pub(super) fn report(seq: u64, message_id: String, report: Report) -> Said {
    let state = match report {
        Report::NotDelivered => ReportState::NotDelivered,
        Report::Delivered => ReportState::Delivered,
        Report::Read => ReportState::Read,
    };
    Said::Reported(Reported {
        seq,
        message_id,
        state: state.into(),
    })
}

/// A notice. Without a topic it is a warning, which holds for longer than a connection.
pub(super) fn notice(topic: Option<Topic>, text: Option<String>) -> Said {
    let topic = match topic {
        None => NoticeTopic::Unspecified,
        Some(Topic::Name) => NoticeTopic::Name,
        Some(Topic::Login) => NoticeTopic::Login,
        Some(Topic::Bouncer) => NoticeTopic::Relay,
        Some(Topic::Delivery) => NoticeTopic::Delivery,
    };
    Said::Notice(Notice {
        topic: topic.into(),
        text,
    })
}

pub(super) fn room(room: Room) -> WireRoom {
    let Room {
        name,
        state,
        reason,
        next_step,
        retry,
    } = room;
    WireRoom {
        name,
        state: match state {
            RoomState::Joining => WireState::Joining,
            RoomState::Joined => WireState::Joined,
            RoomState::Refused => WireState::Refused,
            RoomState::Left => WireState::Left,
        }
        .into(),
        reason,
        next_step,
        retry_ms: retry.map(|at| millis(at.saturating_duration_since(Instant::now()))),
    }
}

fn millis(duration: Duration) -> u32 {
    duration.as_millis().try_into().unwrap_or(u32::MAX)
}

/// A part to be sent, with the files that came before it. `None`: the bridge never says such a thing.
pub(super) fn part(wire: WirePart) -> Option<SendPart> {
    let WirePart {
        id: _,
        key,
        to,
        thread_id,
        reply_to_id,
        text,
        media,
        replaces,
        created_at,
        choices,
    } = wire;
    // The outbox makes the key of both.
    let (delivery, index) = key.rsplit_once('/')?;
    let (delivery, index) = (DeliveryKey::stored(delivery.to_owned()), index.parse().ok()?);
    let medium = |sent: SentMedia| Media {
        source: MediaSource::Id(sent.handle),
        mime_type: Some(sent.mime_type).filter(|kind| !kind.is_empty()),
        name: Some(sent.name).filter(|name| !name.is_empty()),
        size_bytes: Some(sent.size_bytes),
    };
    let choice = |WireChoice { label, value }| Choice { label, value }; // the bridge has read them
    Some(SendPart {
        delivery,
        index,
        key,
        to: Address::stored(to),
        thread_id,
        reply_to_id: reply_to_id.map(MessageId::stored),
        text,
        replaces,
        media: media.into_iter().map(medium).collect(),
        choices: choices.into_iter().map(choice).collect(),
        created_at: Timestamp::from_ms(created_at),
    })
}

/// What became of a part.
pub(super) fn answered(id: u64, result: Result<Receipt, SendError>) -> Said {
    use part_answered::Outcome;
    let outcome = match result {
        Ok(Receipt {
            platform_id,
            unconfirmed,
            plain,
        }) => Outcome::Sent(PartSent {
            platform_id: platform_id.unwrap_or_default(),
            unconfirmed,
            plain,
        }),
        Err(SendError::Retry { after, reason }) => Outcome::Retry(PartRetry {
            reason,
            after_ms: after.map_or(0, millis),
        }),
        Err(SendError::ChatBusy { after, reason }) => Outcome::ChatBusy(PartRetry {
            reason,
            after_ms: millis(after),
        }),
        Err(SendError::Permanent { reason }) => Outcome::Failed(reason),
        Err(SendError::PreviewGone { reason }) => Outcome::PreviewGone(reason),
        Err(SendError::Unknown { reason }) => Outcome::Unknown(reason),
    };
    Said::Part(PartAnswered {
        id,
        outcome: Some(outcome),
    })
}

pub(super) fn preview(wire: ShowPreview) -> Preview {
    let ShowPreview {
        id: _,
        run,
        to,
        thread_id,
        reply_to_id,
        shown,
        text,
        may_last,
    } = wire;
    Preview {
        run,
        to: Address::stored(to),
        thread_id,
        reply_to_id: reply_to_id.map(MessageId::stored),
        shown,
        text,
        may_last,
    }
}

/// What became of a preview.
pub(super) fn shown(id: u64, result: Result<Shown, PreviewError>) -> Said {
    use preview_answered::Outcome;
    let outcome = match result {
        Ok(Shown { id }) => Outcome::Shown(id.unwrap_or_default()),
        Err(PreviewError::Busy { after, reason }) => Outcome::Busy(PartRetry {
            reason,
            after_ms: millis(after),
        }),
        Err(PreviewError::MustLast) => Outcome::MustLast(true),
        Err(PreviewError::Never(reason)) => Outcome::Never(reason),
        Err(PreviewError::Unknown(reason)) => Outcome::Unknown(reason),
    };
    Said::Preview(PreviewAnswered {
        id,
        outcome: Some(outcome),
    })
}

pub(super) fn request(wire: TakeHttp) -> HttpRequest {
    let TakeHttp {
        id: _,
        method,
        target,
        headers,
        body,
        peer_address,
    } = wire;
    HttpRequest {
        head: HttpHead {
            method,
            target,
            headers: headers
                .into_iter()
                .map(|header| (header.name, header.value))
                .collect(),
            peer: peer_address,
        },
        body,
    }
}

/// What to answer to a request; 404 where the platform does not call us.
pub(super) fn http(id: u64, answer: Option<HttpAnswer>) -> Said {
    let HttpAnswer {
        status,
        retry_after,
        body,
    } = answer.unwrap_or(HttpAnswer {
        status: 404,
        retry_after: None,
        body: String::new(),
    });
    Said::Http(HttpAnswered {
        id,
        status: status.into(),
        body,
        retry_after_seconds: retry_after.map(|seconds| seconds.try_into().unwrap_or(u32::MAX)),
    })
}
