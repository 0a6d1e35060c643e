//! What the key of a session says by itself, for those who only pass keys on: `agent:<id>:<the rest>`.

/// Whether a session with this key belongs to nobody in particular: an agent's main session, what is everybody's, or a chat of a channel. A
/// session with any other key may be a named user's own. What is no whole key is not shared.
#[must_use]
pub fn is_shared(key: &str) -> bool {
    let mut parts = key.trim().splitn(3, ':');
    let (Some(head), Some(_agent), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    head.eq_ignore_ascii_case("agent")
        && (matches!(rest, "main" | "global" | "unknown")
            || rest
                .split(':')
                .any(|part| matches!(part, "direct" | "group" | "channel")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn main_sessions_and_chats_of_channels_are_shared_and_whatever_else_somebody_names_is_not() {
        for shared in [
            "agent:main:main",
            "agent:main:global",
            "agent:ops:irc:group:#home",
            "agent:main:irc:home:direct:bert",
        ] {
            assert!(is_shared(shared), "{shared}");
        }
        for own in [
            "agent:main:diary",
            "agent:main:tui-1",
            "main",
            "agent:main",
            "",
            "agent:group",
        ] {
            assert!(!is_shared(own), "{own}");
        }
    }
}
