//! Where the parts of a turn stood in the request: what the service says about a part of the turn is told to the program by the place
//! that it knows.

use super::super::fields::param;
use crate::error::Refusal;

/// Where a message stood.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// What it says.
    pub(super) content: String,
    /// Where a tool's message names the call.
    pub(super) call: Option<String>,
    pub(super) attachments: Vec<String>,
}

/// Where everything stood.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    /// All messages.
    pub(super) conversation: String,
    /// What is said now.
    pub(super) message: Option<Place>,
    pub(super) history: Vec<Place>,
    pub(super) tool_results: Vec<Place>,
}

impl Place {
    fn of(&self, rest: &[&str]) -> String {
        match rest {
            ["attachments", index, ..] => {
                let at = index
                    .parse()
                    .ok()
                    .and_then(|index: usize| self.attachments.get(index));
                at.unwrap_or(&self.content).clone()
            }
            ["callId", ..] => self.call.as_ref().unwrap_or(&self.content).clone(),
            _ => self.content.clone(),
        }
    }
}

impl Places {
    /// Where a part of the turn stood. `None`: the program knows it by the same name, or not at all.
    fn of(&self, path: &str) -> Option<String> {
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let nth = |places: &[Place], index: &str, rest: &[&str]| {
            let place = index
                .parse()
                .ok()
                .and_then(|index: usize| places.get(index).map(|place| place.of(rest)));
            place.unwrap_or_else(|| self.conversation.clone())
        };
        Some(match parts.as_slice() {
            rest @ ["message" | "attachments", ..] => self.message.as_ref()?.of(rest),
            ["history", index, rest @ ..] => nth(&self.history, index, rest),
            ["toolResults", index, rest @ ..] => nth(&self.tool_results, index, rest),
            ["history" | "toolResults"] => self.conversation.clone(),
            ["instructions"] if self.conversation == "/messages" => self.conversation.clone(),
            ["agentId"] => "/model".to_owned(),
            ["continues"] => "/previous_response_id".to_owned(),
            ["sessionKey"] => "/x-openclaw-session-key".to_owned(),
            ["model"] => "/x-openclaw-model".to_owned(),
            _ => return None,
        })
    }

    /// A refusal of the turn, in the program's own names.
    pub(super) fn told(&self, mut refusal: Refusal) -> Refusal {
        let Some(path) = refusal.details.get("path").and_then(|path| path.as_str()) else {
            return refusal;
        };
        let place = self.of(path).unwrap_or_else(|| path.to_owned());
        // The contract and the service name the place in their words, in front of what is wrong there.
        let named = format!("at {path}: ");
        if let Some((_, problem)) = refusal.message.split_once(&named) {
            refusal.message = format!("`{}` {problem}", param(&place)).into();
        }
        refusal.detail("path", place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_part_of_a_turn_is_told_of_the_request() {
        let place = |index: usize| Place {
            content: format!("/input/{index}/content"),
            call: Some(format!("/input/{index}/call_id")),
            attachments: vec![format!("/input/{index}/content/1/image_url")],
        };
        let places = Places {
            conversation: "/input".to_owned(),
            message: Some(place(2)),
            history: vec![place(0), place(1)],
            tool_results: vec![place(3)],
        };

        for (path, told) in [
            ("/message", "/input/2/content"),
            ("/attachments/0", "/input/2/content/1/image_url"),
            ("/attachments/0/content", "/input/2/content/1/image_url"),
            ("/attachments", "/input/2/content"),
            ("/history/1/text", "/input/1/content"),
            ("/history/0/attachments/0", "/input/0/content/1/image_url"),
            ("/history", "/input"),
            ("/toolResults/0/callId", "/input/3/call_id"),
            ("/toolResults/0/text", "/input/3/content"),
            ("/sessionKey", "/x-openclaw-session-key"),
            ("/instructions", "/instructions"),
            ("/thinking", "/thinking"),
        ] {
            let refusal = Refusal::invalid(format!("invalid chat.stream params: at {path}: must be shorter"));
            let refusal = places.told(refusal.detail("path", path));
            assert_eq!(refusal.details["path"], told);
            assert_eq!(*refusal.message, format!("`{}` must be shorter", param(told)));
        }
    }
}
