//! What happens beside words: reactions to what the bot said, of which Teams tells the bot alone, and messages that were taken back.

use gatehouse_plugin_sdk::Link;
use gatehouse_proto::channel::v1::{Remarked, remarked::Remark, run_account_response::Message};

use crate::activity::{Place, Reaction, Sender};

/// Reactions of one activity that are told: as many as Teams has kinds of its own. People react with one.
const REACTIONS_MAX: usize = 6;
/// The longest name of a reaction, in characters: with four bytes each it is within the contract's 64, as is a name of theirs between colons.
const NAME_CHARS_MAX: usize = 15;

/// Tells what happened in a chat, and who did it.
pub(super) async fn tell(link: &Link, place: &Place, by: Option<&Sender>, remarks: Vec<Remark>) {
    for remark in remarks {
        let remarked = Remarked {
            chat: place.conversation.clone(),
            remark: Some(remark),
            sender_id: by.map(|by| by.id.clone()).unwrap_or_default(),
            sender_aliases: by.and_then(|by| by.alias.clone()).into_iter().collect(),
        };
        link.say(Message::Remarked(remarked)).await;
    }
}

pub(super) fn taken_back() -> Remark {
    Remark::TakenBack(true)
}

pub(super) fn reactions(reaction: &Reaction) -> Vec<Remark> {
    let added = reaction.added.iter().map(|kind| Remark::Reacted(shown(kind)));
    let removed = reaction
        .removed
        .iter()
        .map(|kind| Remark::NotReacted(shown(kind)));
    added.chain(removed).take(REACTIONS_MAX).collect()
}

/// Teams has words for the six reactions that it shows first; others come as they are, and a name stands between colons.
fn shown(kind: &str) -> String {
    let emoji = match kind {
        "like" => "👍",
        "heart" => "❤️",
        "laugh" => "😆",
        "surprised" => "😮",
        "sad" => "😢",
        "angry" => "😠",
        other => {
            let kind: String = other.chars().take(NAME_CHARS_MAX).collect();
            let is_name = kind.starts_with(|c: char| c.is_ascii_alphanumeric());
            return if is_name { format!(":{kind}:") } else { kind };
        }
    };
    emoji.to_owned()
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn a_reaction_is_told_as_people_see_it_and_within_the_bounds() {
        assert_eq!((shown("heart").as_str(), shown("🎉").as_str()), ("❤️", "🎉"));
        assert_eq!(shown("1f389_partypopper"), ":1f389_partypopp:");
        assert!(shown(&"👍".repeat(100)).len() <= 64);
    }
}
