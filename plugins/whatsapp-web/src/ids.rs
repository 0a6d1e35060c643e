//! Who and what is meant: WhatsApp's ids as the gateway knows them. A person has two, a number that may change hands and a hidden id that
//! does not; the second is the one that approvals are bound to, where WhatsApp tells it.

use sha2::{Digest, Sha256};
use whatsapp_rust::{Jid, waproto::whatsapp::MessageKey};

/// A message, as the gateway names it: WhatsApp's id holds within a chat and for one sender only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MessageId {
    pub(crate) id: String,
    pub(crate) chat: Jid,
    pub(crate) sender: Jid,
}

impl MessageId {
    /// As one text.
    pub(crate) fn text(&self) -> String {
        let Self { id, chat, sender } = self;
        format!("{id}|{chat}|{sender}")
    }

    /// Reads it again. `None`: it is no message's.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('|');
        let (id, chat, sender) = (parts.next()?, parts.next()?, parts.next()?);
        if id.is_empty() || parts.next().is_some() {
            return None;
        }
        Some(Self {
            id: id.to_owned(),
            chat: chat.parse().ok()?,
            sender: sender.parse().ok()?,
        })
    }

    /// How WhatsApp names a message of somebody else: in a group with who said it.
    pub(crate) fn key(&self) -> MessageKey {
        MessageKey {
            remote_jid: Some(self.chat.to_string()),
            from_me: Some(false),
            id: Some(self.id.clone()),
            participant: is_group(&self.chat).then(|| self.sender.to_string()),
        }
    }
}

pub(crate) fn is_group(jid: &Jid) -> bool {
    jid.server == whatsapp_rust::Server::Group
}

/// A person: the id that approvals are bound to, and further ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) aliases: Vec<String>,
}

impl Person {
    /// Somebody by the one or two ids that WhatsApp tells.
    pub(crate) fn of(jid: &Jid, other: Option<&Jid>) -> Self {
        let (jid, other) = (jid.to_non_ad(), other.map(Jid::to_non_ad));
        let (first, second) = match other {
            Some(other) if other.is_lid() && !jid.is_lid() => (other, Some(jid)),
            other => (jid, other),
        };
        let mut aliases = Vec::new();
        for known in [Some(&first), second.as_ref()].into_iter().flatten() {
            if known.is_pn() {
                let number = known.user_base();
                aliases.extend([format!("+{number}"), number.to_owned()]);
            }
        }
        aliases.extend(second.map(|second| second.to_string()));
        Self {
            id: first.to_string(),
            aliases,
        }
    }
}

/// Where something is to be said: an id of WhatsApp, or a number as people write it. `None`: it is neither.
pub(crate) fn address(to: &str) -> Option<Jid> {
    if to.contains('@') {
        let jid: Jid = to.parse().ok()?;
        let is_place = jid.is_pn() || jid.is_lid() || is_group(&jid);
        return (is_place && !jid.user.is_empty()).then(|| jid.to_non_ad());
    }
    let is_number = |c: char| c.is_ascii_digit() || matches!(c, '+' | ' ' | '-' | '(' | ')');
    let digits: String = to.chars().filter(char::is_ascii_digit).collect();
    let is_whole = (7..=15).contains(&digits.len()) && !digits.starts_with('0');
    (is_whole && to.chars().all(is_number)).then(|| Jid::pn(digits))
}

/// The id of a message that we send: WhatsApp's own look like this. The same for every attempt at it.
pub(crate) fn sent(key: &str, number: usize) -> String {
    let digest = Sha256::digest(format!("{number}|{key}"));
    let hex: String = digest.iter().take(9).map(|byte| format!("{byte:02X}")).collect();
    format!("3EB0{hex}")
}

/// Whether a message may be one that was sent here, by the shape of its id. Those that the phone sends have another; those of a browser, and
/// our reactions, have the same, and mean nothing to the bridge.
pub(crate) fn may_be_ours(id: &str) -> bool {
    let is_hex = |c: u8| c.is_ascii_digit() || (b'A'..=b'F').contains(&c);
    id.len() == 22 && id.starts_with("3EB0") && id.bytes().all(is_hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jid(text: &str) -> Jid {
        text.parse().expect("an id")
    }

    #[test]
    fn a_person_is_the_hidden_id_and_a_rule_for_the_number_holds_too() {
        let known = Person::of(&jid("15550001:7@s.whatsapp.net"), Some(&jid("998877@lid")));
        assert_eq!(known.id, "998877@lid");
        assert_eq!(
            known.aliases,
            ["+15550001", "15550001", "15550001@s.whatsapp.net"]
        );

        let other_way = Person::of(&jid("998877:3@lid"), Some(&jid("15550001@s.whatsapp.net")));
        assert_eq!(other_way, known);
        let numbered = Person::of(&jid("15550001@s.whatsapp.net"), None);
        assert_eq!(numbered.id, "15550001@s.whatsapp.net");
        assert_eq!(numbered.aliases, ["+15550001", "15550001"]);
        assert_eq!(Person::of(&jid("998877@lid"), None).aliases, [""; 0]);
    }

    #[test]
    fn a_message_is_found_again_by_its_id() {
        let said = MessageId {
            id: "3EB0AA".to_owned(),
            chat: jid("120363000000000001@g.us"),
            sender: jid("998877@lid"),
        };
        assert_eq!(MessageId::read(&said.text()), Some(said.clone()));
        assert_eq!(said.key().participant.as_deref(), Some("998877@lid"));
        for none in ["", "3EB0AA", "|a@g.us|b@lid", "3EB0AA|a@g.us|b@lid|c"] {
            assert_eq!(MessageId::read(none), None, "{none}");
        }
    }

    #[test]
    fn an_address_is_an_id_or_a_number_and_nothing_else() {
        for (written, meant) in [
            ("+1 (555) 000-1234", "15550001234@s.whatsapp.net"),
            ("15550001234", "15550001234@s.whatsapp.net"),
            ("15550001234:9@s.whatsapp.net", "15550001234@s.whatsapp.net"),
            ("998877@lid", "998877@lid"),
            ("120363000000000001@g.us", "120363000000000001@g.us"),
        ] {
            assert_eq!(
                address(written).map(|jid| jid.to_string()).as_deref(),
                Some(meant)
            );
        }
        for none in [
            "anna",
            "0171 2345678",
            "status@broadcast",
            "1@newsletter",
            "@lid",
            "12",
        ] {
            assert_eq!(address(none), None, "{none}");
        }
    }

    #[test]
    fn every_attempt_at_a_part_has_the_same_id_and_no_other_part_has() {
        assert_eq!(sent("run/1", 0), sent("run/1", 0));
        assert_ne!(sent("run/1", 0), sent("run/1", 1));
        assert_ne!(sent("run/1", 0), sent("run/2", 0));
        assert_eq!(sent("run/1", 0).len(), 22);
    }

    #[test]
    fn a_message_of_ours_is_known_by_its_id_and_one_of_the_phone_is_not() {
        assert!(may_be_ours(&sent("run/1", 0)));
        for other in [
            "",
            "3A5C0D3F9E6B7A812345",
            "AC00112233445566778899AABBCCDDEE",
            "3EB0aabbccddeeff001122",
            "3EB0ÄABBCCDDEEFF00112",
        ] {
            assert!(!may_be_ours(other), "{other}");
        }
    }
}
