//! What a message shows that its text does not say: blocks, and messages of elsewhere that it hands on.

use serde_json::Value;

use super::event::{Event, Share};
use crate::platform::web::words as told;

/// Messages that one hands on: Slack's own programs share one.
const SHARES_MAX: usize = 5;

/// The message with a text where it has only blocks, or only what another program attached.
pub(super) fn filled(event: &Event) -> Event {
    let mut event = event.clone();
    if event.text.trim().is_empty() {
        event.text = lines(&event.blocks);
    }
    if event.text.trim().is_empty() {
        let attached = event.attachments.iter().filter(|part| !part.is_share);
        let attached = attached.map(Share::text).filter(|text| !text.is_empty());
        event.text = attached.collect::<Vec<_>>().join("\n");
    }
    event
}

/// What was said elsewhere and is handed on, as `read` reads Slack's own form.
pub(super) fn shares(event: &Event, read: impl Fn(&str) -> String) -> Vec<String> {
    let shares = handed_on(event).take(SHARES_MAX);
    let share = |share: &Share| {
        let by = share.author_id.as_ref().map(|id| format!("<@{id}>"));
        let by = share.author_name.clone().or(by.map(|by| read(&by)));
        told::forwarded(&read(share.text()), by.as_deref())
    };
    shares.map(share).collect()
}

/// The messages that it hands on.
pub(super) fn handed_on(event: &Event) -> impl Iterator<Item = &Share> {
    event.attachments.iter().filter(|part| part.is_share)
}

fn lines(parts: &[Value]) -> String {
    let lines: Vec<String> = parts.iter().map(said).filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}

/// A block or a part of one, in the form that Slack writes texts in.
fn said(part: &Value) -> String {
    let word = |field: &str| part[field].as_str().unwrap_or_default();
    let elements = || part["elements"].as_array().map(Vec::as_slice).unwrap_or_default();
    match word("type") {
        "text" => escaped(word("text")),
        "link" if word("text").is_empty() => format!("<{}>", word("url")),
        "link" => format!("<{}|{}>", word("url"), escaped(word("text"))),
        "user" => format!("<@{}>", word("user_id")),
        "channel" => format!("<#{}>", word("channel_id")),
        "usergroup" => format!("<!subteam^{}>", word("usergroup_id")),
        "broadcast" => format!("<!{}>", word("range")),
        "emoji" => format!(":{}:", word("name")),
        "rich_text" | "rich_text_list" => lines(elements()),
        "rich_text_section" | "rich_text_quote" | "rich_text_preformatted" => {
            elements().iter().map(said).collect()
        }
        "section" | "header" => match (part["text"]["type"].as_str(), part["text"]["text"].as_str()) {
            (Some("plain_text"), Some(text)) => escaped(text),
            (_, text) => text.unwrap_or_default().to_owned(),
        },
        _ => String::new(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn blocks_are_read_where_there_is_no_text() {
        let rich = json!({"type": "rich_text", "elements": [
            {"type": "rich_text_section", "elements": [
                {"type": "user", "user_id": "U1"}, {"type": "text", "text": " is 1 < 2? "},
                {"type": "emoji", "name": "tada"}, {"type": "link", "url": "https://a.b", "text": "there"},
            ]},
            {"type": "rich_text_list", "elements": [
                {"type": "rich_text_section", "elements": [{"type": "text", "text": "one"}]},
                {"type": "rich_text_section", "elements": [{"type": "text", "text": "two"}]},
            ]},
        ]});
        let event = |more: Value| serde_json::from_value::<Event>(more).unwrap();
        let text = |more: Value| filled(&event(more)).text;

        assert_eq!(
            text(json!({"text": "", "blocks": [rich]})),
            "<@U1> is 1 &lt; 2? :tada:<https://a.b|there>\none\ntwo"
        );
        assert_eq!(
            text(json!({"text": "a text", "blocks": [{"type": "divider"}]})),
            "a text"
        );
        let section = json!({"type": "section", "text": {"type": "mrkdwn", "text": "*deployed*"}});
        assert_eq!(
            text(json!({"blocks": [section, {"type": "image"}]})),
            "*deployed*"
        );
        assert_eq!(
            text(json!({"attachments": [{"fallback": "it failed"}]})),
            "it failed"
        );

        let shared = json!({"attachments": [{"is_share": true, "text": "their words", "author_id": "U2"}]});
        assert_eq!(text(shared.clone()), "");
        let shares = shares(&event(shared), |text| text.replace("<@U2>", "Bert"));
        assert_eq!(shares, ["[forwarded, from Bert]\n> their words"]);
    }
}
