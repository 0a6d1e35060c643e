//! A line that somebody said, as a message. What no person said to us now is none: services, notices, requests, history.

use gatehouse_core::{Clock, Content};
use uuid::Uuid;

use super::{
    isupport::{Isupport, Place},
    line::{Line, Source},
    people, text,
};
use crate::{
    adapter::{ChatKind, InboundMessage, Origin},
    id::{Address, ChatId, IdError, MessageId, SenderId},
};

/// What a server marks the words of programs with: IRCv3's tag, the same while it was a draft, and InspIRCd's own. A client cannot set them.
const BOT_TAGS: [&str; 3] = ["bot", "draft/bot", "inspircd.org/bot"];

/// What a line is read with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ear<'a> {
    pub(super) server: &'a Isupport,
    pub(super) nick: &'a str,
    /// The service that we log in with.
    pub(super) service: Option<&'a str>,
    pub(super) clock: &'a Clock,
}

impl Ear<'_> {
    /// What a PRIVMSG says. `configured`: the name under which the operator knows the room.
    pub(super) fn hear(&self, line: &Line, configured: Option<&str>) -> Option<InboundMessage> {
        let source = line
            .source
            .as_ref()
            .filter(|source| !source.user.is_empty() && !source.host.is_empty())
            .filter(|source| !people::is_service(source, self.service))?;
        let text = match line.arg(1).strip_prefix('\u{1}') {
            // `\x01ACTION waves\x01`: the one CTCP request that is something said.
            Some(request) => {
                format!(
                    "* {} {}",
                    source.nick,
                    request.strip_prefix("ACTION ")?.trim_end_matches('\u{1}')
                )
            }
            None => line.arg(1).to_owned(),
        };
        let text = text::plain(&text);
        let target = line.arg(0);
        let place = self.server.place(target);
        if text.trim().is_empty() || (place.is_none() && !self.server.case.same(target, self.nick)) {
            return None;
        }
        let message = self.message(line, source, text, place, configured);
        message
            .inspect_err(|problem| tracing::warn!(%problem, "a message was left out"))
            .ok()
    }

    fn message(
        &self,
        line: &Line,
        source: &Source,
        text: String,
        place: Option<Place<'_>>,
        configured: Option<&str>,
    ) -> Result<InboundMessage, IdError> {
        let case = self.server.case;
        let mask = self.mask(source);
        let account = line
            .tag("account")
            .map(|account| format!("account:{}", account.to_ascii_lowercase()));
        let (sender_id, sender_aliases) = match account {
            Some(account) => (account, vec![SenderId::try_from(mask)?]),
            None => (mask, Vec::new()),
        };
        // Without a msgid every line is a message of its own: IRC delivers once.
        let message_id = line
            .tag("msgid")
            .map_or_else(|| Uuid::now_v7().to_string(), str::to_owned);
        let (chat_kind, chat_id, reply_to, mut chat_aliases) = match place {
            // Whoever was spoken to hears the answer: what is for the operators of a room stays among them.
            Some(Place { status, room }) => (
                ChatKind::Channel,
                self.server.room_id(configured.unwrap_or(room)),
                format!("{status}{room}"),
                vec![self.server.room_id(room), case.fold(room)],
            ),
            None => (
                ChatKind::Direct,
                sender_id.clone(),
                format!("{}!{}@{}", source.nick, source.user, source.host),
                Vec::new(),
            ),
        };
        chat_aliases.retain(|alias| *alias != chat_id);
        chat_aliases.dedup();
        Ok(InboundMessage {
            message_id: MessageId::try_from(message_id)?,
            chat_kind,
            chat_id: ChatId::try_from(chat_id)?,
            chat_aliases: chat_aliases
                .into_iter()
                .map(ChatId::try_from)
                .collect::<Result<_, _>>()?,
            case,
            origin: Origin::default(),
            reply_to: Address::try_from(reply_to)?,
            thread_id: None,
            sender_id: SenderId::try_from(sender_id)?,
            sender_aliases,
            sender_name: Some(source.nick.clone()),
            mentioned: place.is_none() || text::mentions(case, &text, self.nick),
            from_bot: BOT_TAGS.iter().any(|tag| line.has_tag(tag)),
            content: Content::text(text),
            sent_at: self.clock.now(),
        })
    }

    /// `nick!user@host`, written in one way.
    fn mask(&self, source: &Source) -> String {
        format!(
            "{}!{}@{}",
            self.server.case.fold(&source.nick),
            source.user,
            source.host.to_ascii_lowercase()
        )
    }
}
