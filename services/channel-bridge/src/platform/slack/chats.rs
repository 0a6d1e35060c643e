//! Which chat is meant: the id of a channel, of a direct chat, or of a person, and the thread beside it.

/// Prefixes that an address may have, as OpenClaw's have them.
const PREFIXES: [&str; 4] = ["slack:", "channel:", "user:", "group:"];

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    /// `C…`, `G…`, `D…`, or `U…`: then Slack finds the direct chat.
    pub(super) channel: String,
    /// The `ts` of the thread's root.
    pub(super) thread: Option<String>,
}

impl Place {
    /// Reads an address, and the thread beside it if there is one.
    pub(super) fn read(address: &str, thread: Option<&str>) -> Result<Self, String> {
        let mut id = address.trim();
        while let Some(rest) = PREFIXES.iter().find_map(|prefix| id.strip_prefix(prefix)) {
            id = rest;
        }
        let begins = id
            .chars()
            .next()
            .is_some_and(|c| matches!(c, 'C' | 'G' | 'D' | 'U' | 'W'));
        if !begins || id.len() < 2 || !id.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()) {
            return Err(format!(
                "{address:?} is not a chat of Slack: write the id of a channel (C…) or of a person (U…), which Slack shows at the end of its details"
            ));
        }
        let thread = thread.filter(|thread| !thread.is_empty());
        if let Some(thread) = thread.filter(|thread| !is_ts(thread)) {
            return Err(format!(
                "{thread:?} is not a thread: threads are numbers with a dot"
            ));
        }
        Ok(Self {
            channel: id.to_owned(),
            thread: thread.map(str::to_owned),
        })
    }
}

/// Whether it has the form of a message's id within its channel: `1790000000.000100`.
pub(super) fn is_ts(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    text.split_once('.')
        .is_some_and(|(seconds, rest)| digits(seconds) && digits(rest))
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_chat_is_the_id_of_a_channel_or_person_and_a_thread_stands_beside_it() {
        let place = |address: &str, thread: Option<&str>| Place::read(address, thread).ok();
        let found = |channel: &str, thread: Option<&str>| {
            Some(Place {
                channel: channel.into(),
                thread: thread.map(Into::into),
            })
        };

        assert_eq!(place("C1", None), found("C1", None));
        assert_eq!(place("slack:channel:C1", Some("1.2")), found("C1", Some("1.2")));
        assert_eq!(place("user:U7", Some("")), found("U7", None));
        for (address, thread) in [
            ("", None),
            ("general", None),
            ("#general", None),
            ("C", None),
            ("C1", Some("x")),
        ] {
            assert_eq!(place(address, thread), None, "{address} {thread:?}");
        }
    }
}
