//! Mentions in what people write: `<at>Name</at>`, and beside the text who is meant. The bot's own are left out of what was said; those of
//! others stay as their names.

use super::wire::Activity;

/// The text without mentions of the bot, and whether there were any.
pub(super) fn spoken(activity: &Activity) -> (String, bool) {
    let mut text = activity.text.clone().unwrap_or_default();
    let mut mentioned = false;
    for entity in activity.entities.iter().filter(|entity| entity.kind == "mention") {
        let is_bot = !entity.mentioned.id.is_empty() && entity.mentioned.id == activity.recipient.id;
        mentioned |= is_bot;
        if let Some(said) = entity.text.as_deref().filter(|said| said.starts_with("<at")) {
            let name = if is_bot {
                String::new()
            } else {
                format!("@{}", inner(said))
            };
            text = text.replacen(said, &name, 1);
        }
    }
    (tidy(&unmarked(&text)), mentioned)
}

/// What stands between the marks of one mention.
fn inner(said: &str) -> &str {
    let begun = said.split_once('>').map_or(said, |(_, rest)| rest);
    begun.split_once("</at>").map_or(begun, |(name, _)| name)
}

/// Marks that no entity explains are taken away, and what they hold stays.
fn unmarked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, mark)) = rest.split_once("<at") {
        let Some((attributes, behind)) = mark.split_once('>') else {
            break;
        };
        if !attributes.is_empty() && !attributes.starts_with(' ') {
            // Another word that begins with these letters.
            out.push_str(before);
            out.push_str("<at");
            rest = mark;
            continue;
        }
        out.push_str(before);
        out.push('@');
        rest = behind;
    }
    out.push_str(rest);
    out.replace("</at>", "")
}

/// Without the space that a mention leaves behind. Teams writes spaces that do not break.
fn tidy(text: &str) -> String {
    text.replace("&nbsp;", " ")
        .replace(['\u{a0}', '\u{200b}'], " ")
        .trim()
        .to_owned()
}
