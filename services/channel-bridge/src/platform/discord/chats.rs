//! Which chat is meant: the number of a channel or thread, or of a person.

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    /// A channel, a thread, or a direct chat.
    Channel(String),
    /// The direct chat with a person, whatever its number.
    Person(String),
}

impl Place {
    /// Reads an address, and the thread beside it if there is one: a thread is a channel of its own.
    pub(super) fn read(address: &str, thread: Option<&str>) -> Result<Self, String> {
        let id = address.trim();
        let id = id.strip_prefix("discord:").unwrap_or(id);
        let (person, id) = match id.split_once(':') {
            Some(("user", id)) => (true, id),
            Some(("channel" | "thread", id)) => (false, id),
            Some(_) => (false, ""),
            None => (false, id),
        };
        let id = thread.filter(|thread| !thread.is_empty()).unwrap_or(id);
        if id.is_empty() || id.len() > 20 || !id.chars().all(|c| c.is_ascii_digit()) {
            return Err(format!(
                "{address:?} is not a chat of Discord: write the number of a channel or user:NUMBER of a person (Developer Mode, Copy ID)"
            ));
        }
        Ok(if person {
            Self::Person(id.to_owned())
        } else {
            Self::Channel(id.to_owned())
        })
    }

    /// The place as a key of what is remembered of it.
    pub(super) fn key(&self) -> &str {
        match self {
            Self::Channel(id) | Self::Person(id) => id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_chat_is_the_number_of_a_channel_or_of_a_person_and_a_thread_is_a_channel() {
        let place = |address: &str, thread: Option<&str>| Place::read(address, thread).ok();

        assert_eq!(place("7", None), Some(Place::Channel("7".into())));
        assert_eq!(
            place("discord:channel:7", Some("8")),
            Some(Place::Channel("8".into()))
        );
        assert_eq!(place("user:7", Some("")), Some(Place::Person("7".into())));
        for wrong in ["", "#general", "guild:7", "7/8", "123456789012345678901"] {
            assert_eq!(place(wrong, None), None, "{wrong}");
        }
    }
}
