//! `message.action`: what a program wants done with a message, by the name of the action. Sending is the only one; what is asked beside
//! it that no platform here does is refused by its name, and never dropped.

use gatehouse_proto::channel::v1::{ActOnMessageRequest, SendMessageRequest, SentFile};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::presentation;
use crate::error::Error;

const SEND: &str = "send";

/// Params that say something of the program that asks, and nothing of the message. Those of its own begin with two underscores.
const OF_THE_PROGRAM: [&str; 5] = ["action", "channel", "json", "verbose", "bestEffort"];

/// The message that is to be sent.
///
/// # Errors
/// When it is another action, or something is asked that is not done.
pub(crate) fn read(request: ActOnMessageRequest) -> Result<SendMessageRequest, Error> {
    let ActOnMessageRequest {
        channel,
        action,
        params,
        idempotency_key,
        account_id,
    } = request;
    if action != SEND {
        return Err(Error::Invalid(
            "/action",
            format!("channel {channel} does not support the action {action:?}: there is only {SEND:?}"),
        ));
    }
    let object = serde_json::from_str::<Map<String, Value>>(&params);
    let mut params = Params(object.map_err(|_| Error::Invalid("/params", "is not an object".to_owned()))?);
    let account = params.text(&["accountId"])?;
    let account_id = match (account_id.filter(|id| !id.is_empty()), account) {
        (Some(one), Some(other)) if one != other => {
            let problem = "is another account than params.accountId".to_owned();
            return Err(Error::Invalid("/accountId", problem));
        }
        (one, other) => one.or(other),
    };
    // What somebody wrote, and what the program made of it: the chat behind the name of its channel.
    let target = params.text(&["target"])?;
    let to = params.text(&["to"])?.map(|to| bare(&to, &channel).to_owned());
    let to = to.or(target);
    let presented = presentation::read(params.0.remove("presentation"), params.0.remove("buttons"))?;
    let words = params.text(&["message", "text"])?;
    let words: Vec<String> = words.into_iter().chain(presented.paragraphs).collect();
    let message = SendMessageRequest {
        to: to.ok_or_else(|| Error::Invalid("/params", "target or to is missing".to_owned()))?,
        message: words.join("\n\n"),
        idempotency_key,
        account_id,
        thread_id: params.text(&["threadId"])?,
        reply_to_id: params.text(&["replyTo", "replyToId"])?,
        channel: Some(channel),
        attachments: params.files()?,
        buffer: params.text(&["buffer"])?,
        filename: params.text(&["filename"])?,
        content_type: params.text(&["contentType"])?,
        media_url: params.text(&["media", "mediaUrl"])?,
        media_urls: params.texts("mediaUrls")?,
        choices: presented.choices,
    };
    params.end()?;
    let files = [&message.buffer, &message.media_url];
    let sends_more = files.iter().any(|file| file.is_some())
        || !(message.attachments.is_empty() && message.media_urls.is_empty() && message.choices.is_empty());
    if message.message.is_empty() && !sends_more {
        let problem = "message or text is missing".to_owned();
        return Err(Error::Invalid("/params", problem));
    }
    Ok(message)
}

/// An address without its channel: `telegram:123` is the chat `123`.
fn bare<'a>(to: &'a str, channel: &str) -> &'a str {
    let rest = to.strip_prefix(channel).and_then(|rest| rest.strip_prefix(':'));
    rest.filter(|rest| !rest.is_empty()).unwrap_or(to)
}

struct Params(Map<String, Value>);

/// A file as clients attach it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attached {
    mime_type: Option<String>,
    file_name: Option<String>,
    content: String,
}

impl Params {
    /// A text under one of these names. Empty counts as unset; several that differ are refused.
    fn text(&mut self, names: &[&str]) -> Result<Option<String>, Error> {
        let mut found: Option<String> = None;
        for name in names {
            let text = match self.0.remove(*name) {
                None | Some(Value::Null) => continue,
                Some(Value::String(text)) => text,
                Some(Value::Number(number)) => number.to_string(), // ids of some platforms
                Some(_) => return Err(Error::Invalid("/params", format!("{name} is not text"))),
            };
            match &found {
                _ if text.trim().is_empty() => {}
                Some(other) if *other != text => {
                    let problem = format!("{} say different things: give one of them", names.join(" and "));
                    return Err(Error::Invalid("/params", problem));
                }
                Some(_) | None => found = Some(text),
            }
        }
        Ok(found)
    }

    /// A list of texts.
    fn texts(&mut self, name: &str) -> Result<Vec<String>, Error> {
        let list = self.0.remove(name).unwrap_or_default();
        let list = Option::<Vec<String>>::deserialize(list);
        let list = list.map_err(|_| Error::Invalid("/params", format!("{name} is not a list of texts")))?;
        Ok(list.unwrap_or_default())
    }

    /// Files with their bytes, as clients attach them.
    fn files(&mut self) -> Result<Vec<SentFile>, Error> {
        let files = self.0.remove("attachments").unwrap_or_default();
        let files = Option::<Vec<Attached>>::deserialize(files).map_err(|_| {
            let problem = "attachments is not a list of {mimeType, fileName, content}, with the bytes as base64 in content";
            Error::Invalid("/params", problem.to_owned())
        })?;
        let sent = |file: Attached| SentFile {
            mime_type: file.mime_type,
            file_name: file.file_name,
            content: file.content,
        };
        Ok(files.unwrap_or_default().into_iter().map(sent).collect())
    }

    /// Nothing is left that would change something.
    fn end(self) -> Result<(), Error> {
        let asks = |value: &Value| match value {
            Value::Null | Value::Bool(false) => false,
            Value::String(text) => !text.is_empty(),
            Value::Array(items) => !items.is_empty(),
            Value::Object(fields) => !fields.is_empty(),
            Value::Bool(true) | Value::Number(_) => true,
        };
        let left = self.0.iter();
        let of_the_program = |name: &str| name.starts_with("__") || OF_THE_PROGRAM.contains(&name);
        let mut left = left.filter(|(name, value)| !of_the_program(name) && asks(value));
        match left.next() {
            Some((name, _)) => {
                let name: String = name.chars().filter(|c| !c.is_control()).take(80).collect();
                Err(Error::Invalid(
                    "/params",
                    format!("{name:?} is not supported: a message is text and files, to one chat or thread"),
                ))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(action: &str, params: &Value) -> Result<SendMessageRequest, String> {
        let request = ActOnMessageRequest {
            channel: "irc".to_owned(),
            action: action.to_owned(),
            params: params.to_string(),
            idempotency_key: "k".to_owned(),
            account_id: None,
        };
        read(request).map_err(|error| error.to_string())
    }

    #[test]
    fn what_the_command_line_sends_is_a_message() {
        // The shape of OpenClaw's `message send`.
        let params = json!({"pin": false, "gifPlayback": false, "forceDocument": false, "silent": false, "json": true, "dryRun": false,
            "verbose": false, "channel": "irc", "target": "Home", "to": "irc:#home", "message": "hi", "media": "", "buttons": [],
            "presentation": {"blocks": [{"type": "buttons", "buttons": [{"label": "Yes", "value": "cmd:yes"}]}]},
            "threadId": 7, "action": "send", "__sessionKey": "agent:main:main", "__agentId": "main"});

        let message = asked("send", &params).unwrap();

        assert_eq!((message.to.as_str(), message.message.as_str()), ("#home", "hi"));
        assert_eq!(message.choices[0].value, "cmd:yes");
        assert_eq!(
            (
                message.channel.as_deref(),
                message.thread_id.as_deref(),
                message.reply_to_id
            ),
            (Some("irc"), Some("7"), None)
        );
    }

    #[test]
    fn files_go_along_and_may_be_all_that_is_sent() {
        let params = json!({"to": "#home", "buffer": "aGk=", "filename": "cat.png", "contentType": "image/png",
            "media": "https://a.example/dog.png", "attachments": [{"type": "file", "fileName": "a.txt", "content": "aGk="}]});

        let message = asked("send", &params).unwrap();

        assert_eq!(
            (message.message.as_str(), message.buffer.as_deref()),
            ("", Some("aGk="))
        );
        assert_eq!(message.filename.as_deref(), Some("cat.png"));
        assert_eq!(message.media_url.as_deref(), Some("https://a.example/dog.png"));
        assert_eq!(message.attachments[0].file_name.as_deref(), Some("a.txt"));
    }

    #[test]
    fn what_is_not_done_is_refused_by_its_name() {
        let send = |more: Value| {
            let mut params = json!({"to": "#home", "message": "hi"});
            let fields = more.as_object().unwrap().clone();
            params.as_object_mut().unwrap().extend(fields);
            asked("send", &params).unwrap_err()
        };

        for (more, word) in [
            (json!({"attachments": [{"path": "cat.png"}]}), "base64 in content"),
            (json!({"mediaUrls": "one"}), "mediaUrls"),
            (json!({"dryRun": true}), "dryRun"),
            (json!({"poll": {"question": "?"}}), "poll"),
            (json!({"text": "ho"}), "message and text"),
            (json!({"threadId": ["a"]}), "threadId"),
        ] {
            let refused = send(more);
            assert!(refused.contains(word), "{refused}");
        }
        assert!(asked("poll", &json!({})).unwrap_err().contains("poll"));
        assert!(asked("send", &json!([])).unwrap_err().contains("not an object"));
        assert!(
            asked("send", &json!({"to": "#home"}))
                .unwrap_err()
                .contains("message or text")
        );
    }
}
