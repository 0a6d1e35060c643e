//! An event as something that somebody said. What no person said to us now is none: joins, our own words, previews of links.

use gatehouse_core::{Content, Timestamp, content::Block};
use gatehouse_document::telegram::ReplyToMode;

use super::{
    api::Api,
    asked::{Asked, Asker},
    event::{Callback, Command, Event, Me},
    files,
    kinds::Kinds,
    people::People,
    said, shown,
};
use crate::{
    adapter::{Case, ChatKind, InboundMessage, Origin},
    id::{Address, ChatId, IdError, MessageId, SenderId, TeamId},
};

/// A change that comes later mends an old message, and asks nothing.
const EDITED_WITHIN_MS: i64 = 600_000;
/// People whose names are looked up for one message.
const NAMED_MAX: usize = 5;

/// What an event is read with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ear<'a> {
    pub(super) me: &'a Me,
    pub(super) api: &'a Api,
    pub(super) people: &'a People,
    pub(super) kinds: &'a Kinds,
    pub(super) asked: &'a Asked,
    pub(super) reply_to: ReplyToMode,
}

/// A message, or a message as it reads now.
struct Heard<'a> {
    event: &'a Event,
    /// The chat; a changed message does not name it.
    channel: &'a str,
    kind: ChatKind,
    edited: bool,
}

impl Ear<'_> {
    /// What an event says.
    pub(super) async fn hear(&self, callback: &Callback) -> Option<InboundMessage> {
        let outer = &callback.event;
        // Also one that is heard already, as a mention that did not say it.
        let told = outer.channel_type.as_deref();
        let told = told.and_then(|kind| self.kinds.told(&outer.channel, kind));
        let (event, edited) = match (outer.kind.as_str(), outer.subtype.as_deref()) {
            ("message", Some("message_changed")) => {
                let event = outer.message.as_deref()?;
                let before = outer.previous_message.as_deref();
                // A preview that Slack adds is a change as well.
                let news = before.is_none_or(|before| before.text != event.text);
                let edited_at = event.edited.as_ref().map(|edited| milliseconds(&edited.ts))?;
                let late = edited_at.saturating_sub(milliseconds(&event.ts)) > EDITED_WITHIN_MS;
                if !news || late {
                    return None;
                }
                (event, true)
            }
            ("message" | "app_mention", None)
            | ("message", Some("file_share" | "thread_broadcast" | "me_message" | "bot_message")) => {
                (outer, false)
            }
            _ => return None,
        };
        if self.is_ours(event) {
            return None;
        }
        let kind = match told {
            Some(kind) => kind,
            None => self.kinds.of(self.api, &outer.channel, "").await?,
        };
        let heard = Heard {
            event: &shown::filled(event),
            channel: &outer.channel,
            kind,
            edited,
        };
        for person in said::people(&heard.event.text).iter().take(NAMED_MAX) {
            self.people.name(self.api, person).await;
        }
        let name = match (&heard.event.user, &heard.event.username) {
            (Some(user), _) => self.people.name(self.api, user).await,
            (None, name) => name.clone(),
        };
        let team = heard.event.team.as_ref().or(callback.team_id.as_ref());
        let message = self.message(&heard, name, team.map(String::as_str))?;
        message
            .inspect_err(|problem| tracing::warn!(%problem, "a message was left out"))
            .ok()
    }

    fn message(
        &self,
        heard: &Heard<'_>,
        name: Option<String>,
        team: Option<&str>,
    ) -> Option<Result<InboundMessage, IdError>> {
        let Heard {
            event,
            channel,
            kind,
            edited,
        } = *heard;
        let content = self.content(event, edited)?;
        let sender = event.user.as_deref().or(event.bot_id.as_deref())?;
        let mentioned = kind == ChatKind::Direct
            || said::names(&event.text, &self.me.user_id)
            || event.parent_user_id.as_deref() == Some(self.me.user_id.as_str());
        let message_id = match event.edited.as_ref().filter(|_| edited) {
            Some(edition) => format!("{channel}/{}/{}", event.ts, edition.ts),
            None => format!("{channel}/{}", event.ts),
        };
        if let (Some(user), Some(team)) = (&event.user, team) {
            let asker = Asker {
                user: user.clone(),
                team: team.to_owned(),
            };
            self.asked.learn(&message_id, asker);
        }
        let root = event.thread_ts.clone();
        // The question is promoted to a root, so that what is said below the answer meets the same conversation.
        let root = root.or_else(|| {
            (self.reply_to == ReplyToMode::All && kind != ChatKind::Direct).then(|| event.ts.clone())
        });
        Some(inbound(Said {
            message_id,
            channel,
            kind,
            thread: root,
            sender,
            name,
            content,
            mentioned,
            from_bot: event.bot_id.is_some(),
            team: team.or(Some(self.me.team_id.as_str())),
            sent_at: milliseconds(&event.ts),
        }))
    }

    /// What somebody typed behind a slash: `/gatehouse status` is `/status`, and a command of another name is itself.
    pub(super) async fn command(&self, command: &Command, now: i64) -> Option<InboundMessage> {
        let kind = self
            .kinds
            .of(self.api, &command.channel_id, &command.channel_name);
        let kind = kind.await?;
        let text = command.text.trim();
        let said = match (command.command.as_str(), text) {
            ("/gatehouse" | "/openclaw", text) => format!("/{}", text.trim_start_matches('/')),
            (command, "") => command.to_owned(),
            (command, text) => format!("{command} {text}"),
        };
        let message = inbound(Said {
            message_id: format!("{}/command/{}", command.channel_id, command.trigger_id),
            channel: &command.channel_id,
            kind,
            thread: None,
            sender: &command.user_id,
            name: Some(command.user_name.clone()).filter(|name| !name.is_empty()),
            content: Content::text(said),
            mentioned: true,
            from_bot: false,
            team: Some(command.team_id.as_str()),
            sent_at: now,
        });
        message
            .inspect_err(|problem| tracing::warn!(%problem, "a command was left out"))
            .ok()
    }

    pub(super) fn is_ours(&self, event: &Event) -> bool {
        let bot = event.bot_id.is_some() && event.bot_id == self.me.bot_id;
        bot || event.user.as_deref() == Some(self.me.user_id.as_str())
    }

    fn content(&self, event: &Event, edited: bool) -> Option<Content> {
        let text = said::without_name(&event.text, &self.me.user_id);
        let words = said::words(text, |id| self.people.known(id));
        let words = if edited && !words.starts_with('/') {
            format!("(edited) {words}")
        } else {
            words
        };
        let words = Some(words).filter(|words| !words.trim().is_empty());
        let shares = shown::shares(event, |text| said::words(text, |id| self.people.known(id)));
        let lines: Vec<String> = words.into_iter().chain(shares).collect();
        let words = Some(lines.join("\n")).filter(|words| !words.is_empty());
        // What is only said anew in other words was seen before.
        let files = if edited {
            Vec::new()
        } else {
            let shared = shown::handed_on(event).flat_map(|share| &share.files);
            files::of(event.files.iter().chain(shared))
        };
        let content: Content = words
            .map(Block::text)
            .into_iter()
            .chain(files.into_iter().map(Block::Media))
            .collect();
        (!content.blocks().is_empty()).then_some(content)
    }
}

/// What every kind of message says.
pub(super) struct Said<'a> {
    pub(super) message_id: String,
    pub(super) channel: &'a str,
    pub(super) kind: ChatKind,
    pub(super) thread: Option<String>,
    pub(super) sender: &'a str,
    pub(super) name: Option<String>,
    pub(super) content: Content,
    pub(super) mentioned: bool,
    pub(super) from_bot: bool,
    pub(super) team: Option<&'a str>,
    pub(super) sent_at: i64,
}

pub(super) fn inbound(said: Said<'_>) -> Result<InboundMessage, IdError> {
    // A direct chat is the other person, however often Slack gives it another id.
    let chat = match said.kind {
        ChatKind::Direct => said.sender,
        ChatKind::Group | ChatKind::Channel => said.channel,
    };
    let aliases = [
        format!("slack:{}", said.channel),
        format!("channel:{}", said.channel),
    ];
    let team = said.team.filter(|team| !team.is_empty());
    Ok(InboundMessage {
        message_id: MessageId::try_from(said.message_id)?,
        chat_kind: said.kind,
        chat_id: ChatId::try_from(chat.to_owned())?,
        chat_aliases: aliases
            .into_iter()
            .map(ChatId::try_from)
            .collect::<Result<_, _>>()?,
        case: Case::Ascii,
        origin: Origin {
            team_id: team.map(|team| TeamId::try_from(team.to_owned())).transpose()?,
            ..Origin::default()
        },
        reply_to: Address::try_from(said.channel.to_owned())?,
        thread_id: said.thread,
        sender_id: SenderId::try_from(said.sender.to_owned())?,
        // As OpenClaw's lists may write it.
        sender_aliases: ["slack", "user"]
            .into_iter()
            .map(|prefix| SenderId::try_from(format!("{prefix}:{}", said.sender)))
            .collect::<Result<_, _>>()?,
        sender_name: said.name.filter(|name| !name.trim().is_empty()),
        content: said.content,
        mentioned: said.mentioned,
        from_bot: said.from_bot,
        sent_at: Timestamp::from_ms(said.sent_at),
    })
}

/// When a message was said, by its id.
fn milliseconds(ts: &str) -> i64 {
    let (seconds, rest) = ts.split_once('.').unwrap_or((ts, ""));
    let seconds: i64 = seconds.parse().unwrap_or_default();
    let rest: i64 = rest
        .get(..3)
        .and_then(|rest| rest.parse().ok())
        .unwrap_or_default();
    seconds.saturating_mul(1000).saturating_add(rest)
}

#[cfg(test)]
mod tests {
    use super::milliseconds;

    #[test]
    fn when_a_message_was_said_stands_in_its_id() {
        assert_eq!(milliseconds("1790000000.123456"), 1_790_000_000_123);
        assert_eq!(milliseconds("1790000000"), 1_790_000_000_000);
        assert_eq!(milliseconds("x.y"), 0);
    }
}
