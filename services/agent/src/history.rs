//! What of a conversation one model is told: not what the echo made of it. Whoever tries Gatehouse out before a model is set up talks
//! to the echo, and its notes about itself are nobody's memory.

use crate::{
    config::ECHO,
    request::{Message, Role},
};

/// The conversation without the exchanges that the echo answered. The message to answer is always part of it.
pub(crate) fn without_echo(conversation: &[Message]) -> Vec<&Message> {
    let mut told: Vec<&Message> = Vec::with_capacity(conversation.len());
    for message in conversation {
        if message.role == Role::Assistant && message.provider.as_deref() == Some(ECHO) {
            // The question before it, too: without its answer it would look like one that waits for it.
            while told.last().is_some_and(|before| before.role == Role::User) {
                told.pop();
            }
        } else {
            told.push(message);
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use gatehouse_core::Content;

    use super::*;

    fn said(role: Role, words: &str, provider: Option<&str>) -> Message {
        Message {
            role,
            content: Content::text(words),
            provider: provider.map(str::to_owned),
        }
    }

    #[test]
    fn what_the_echo_answered_is_left_out_with_its_question() {
        let conversation = [
            said(Role::User, "hello?", None),
            said(Role::Assistant, "hello? (This is the echo agent)", Some("echo")),
            said(Role::User, "who are you?", None),
            said(Role::Assistant, "a model", Some("ollama")),
            said(Role::User, "again?", None),
            said(Role::User, "are you there?", None),
            said(
                Role::Assistant,
                "are you there? (This is the echo agent)",
                Some("echo"),
            ),
            said(Role::User, "good", None),
        ];

        let told: Vec<_> = without_echo(&conversation)
            .into_iter()
            .map(|message| message.content.words())
            .collect();

        assert_eq!(told, ["who are you?", "a model", "good"]);
    }
}
