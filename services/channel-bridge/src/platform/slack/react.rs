//! Reactions to messages. Slack knows them by name, and people by what they look like.

use serde_json::{Value, json};

use super::{
    api::ApiError,
    chats::Place,
    say::{Mouth, message_ts},
};
use crate::id::{Address, MessageId};

/// A line for each emoji: itself, then its names. 170 KiB that are read through once for a reaction; as a table of references they would
/// be relocated, and so be memory of each process for itself, in all processes of the gateway.
const EMOJI_NAMES: &str = include_str!(concat!(env!("OUT_DIR"), "/emoji-names.txt"));

impl Mouth {
    pub(super) async fn react(&self, to: &Address, message: &MessageId, emoji: &str) -> Result<(), String> {
        let place = Place::read(to.as_str(), None)?;
        let ts = message_ts(message, &place).ok_or("it is no message of this chat")?;
        for name in names(emoji) {
            let reaction = json!({"channel": place.channel, "timestamp": ts, "name": name});
            match self.api.call::<Value>("reactions.add", &reaction).await {
                Ok(_) => return Ok(()),
                Err(ApiError::Refused(refused)) if refused.word == "already_reacted" => return Ok(()),
                Err(ApiError::Refused(refused)) if refused.word == "invalid_name" => {}
                Err(error) => return Err(format!("Slack refused: {error}")),
            }
        }
        Err(format!(
            "Slack has no reaction {emoji:?}: write its name, for example \"eyes\""
        ))
    }
}

/// The names that a reaction may have, the likeliest first: most are called as on GitHub, and some as in Unicode.
fn names(emoji: &str) -> Vec<String> {
    let written = emoji.trim().trim_matches(':');
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-+'".contains(c);
    if !written.is_empty() && written.chars().all(is_name) {
        return vec![written.to_owned()];
    }
    let of_it = EMOJI_NAMES.lines().find_map(|line| {
        let (emoji, names) = line.split_once(' ')?;
        (emoji == written).then_some(names)
    });
    let names = of_it.into_iter().flat_map(|names| names.split(' '));
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn a_reaction_is_known_by_its_look_and_by_its_name() {
        assert_eq!(names("👀")[0], "eyes");
        assert_eq!(names("✅")[0], "white_check_mark");
        assert_eq!(names("👍")[0], "+1");
        assert!(names("🤔").contains(&"thinking_face".to_owned()));
        assert_eq!(names(":party_parrot:"), ["party_parrot"]);
        assert!(names("").is_empty() && names("no emoji").is_empty());
    }
}
