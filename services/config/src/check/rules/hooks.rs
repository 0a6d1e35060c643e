//! Hooks: where they come in, what they show, and what each mapping needs.

mod mappings;

use gatehouse_document::{Document, SecretInput};
use serde_json::Value;

use crate::{issue::Issue, path::Path, strength::weakness};

pub(super) fn check(document: &Document, written: &Value, issues: &mut Vec<Issue>) {
    let hooks = &document.hooks;
    if let Err(problem) = hooks.base() {
        issues.push(Issue::error("hooks.path", problem));
    }
    let token = hooks.token.as_ref().map(SecretInput::text);
    let has_signature = hooks.mappings.iter().any(|mapping| mapping.signature.is_some());
    match token {
        None if hooks.enabled && !has_signature => issues.push(Issue::error(
            "hooks.token",
            "is required with `enabled: true`, unless a mapping has a signature: nobody could show anything",
        )),
        Some(Some(text)) if text.trim().is_empty() => issues.push(Issue::error(
            "hooks.token",
            "must not be empty: remove the key, or choose a token",
        )),
        // A reference is not followed here; the edge refuses the gateway's own token whatever stands in the document.
        Some(Some(text)) if is_gateways(document, text) => issues.push(Issue::error(
            "hooks.token",
            "is the gateway's own token: whoever may bring events could do everything then; choose another",
        )),
        Some(Some(text)) if !is_reference(text) => {
            if let Some(why) = weakness(text) {
                issues.push(Issue::warning(
                    "hooks.token",
                    format!("can be guessed: it {why}; use 16 random characters or more, for example of `openssl rand -hex 24`"),
                ));
            }
        }
        Some(_) | None => {}
    }
    for (index, mapping) in hooks.mappings.iter().enumerate() {
        let place = Path::of(["hooks", "mappings"]).index(index);
        for wrong in mapping.wrong() {
            let path = wrong.key.iter().fold(place.clone(), |path, key| path.key(key));
            issues.push(Issue::error(path, wrong.message));
        }
    }
    mappings::check(document, written, issues);
    mappings::default_session(document, written, issues);
    mappings::allowed(document, written, issues);
    let blank = |list: &Option<Vec<String>>| list.iter().flatten().any(|entry| entry.trim().is_empty());
    for (list, key) in [
        (&hooks.allowed_agent_ids, "allowedAgentIds"),
        (&hooks.allowed_session_key_prefixes, "allowedSessionKeyPrefixes"),
    ] {
        if blank(list) {
            let path = Path::of(["hooks", key]);
            issues.push(Issue::warning(path, "has an empty entry, which allows nothing"));
        }
    }
}

fn is_gateways(document: &Document, token: &str) -> bool {
    let own = document.gateway.auth.token.as_ref().and_then(SecretInput::text);
    own.is_some_and(|own| own.trim() == token.trim())
}

fn is_reference(text: &str) -> bool {
    text.contains("${")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn found(document: Value) -> Vec<String> {
        let mut issues = Vec::new();
        let read = serde_json::from_value(document.clone()).expect("a document");
        check(&read, &document, &mut issues);
        issues.into_iter().map(|issue| issue.path).collect()
    }

    #[test]
    fn hooks_show_a_token_of_their_own_or_a_signature() {
        let token = "hM4sT8vQ2wZ6xC9b";
        for good in [
            json!({}),
            json!({"hooks": {"enabled": true, "token": token}}),
            json!({"hooks": {"enabled": true, "token": "${HOOK_TOKEN}"}}),
            json!({"hooks": {"enabled": true, "mappings": [
                {"match": {"path": "forge"}, "signature": {"profile": "github", "secret": token}}]}}),
        ] {
            assert_eq!(found(good.clone()), [] as [&str; 0], "{good}");
        }
        for (bad, place) in [
            (json!({"hooks": {"enabled": true}}), "hooks.token"),
            (json!({"hooks": {"enabled": true, "token": " "}}), "hooks.token"),
            (json!({"hooks": {"token": "hook"}}), "hooks.token"),
            (
                json!({"gateway": {"auth": {"token": token}}, "hooks": {"token": token}}),
                "hooks.token",
            ),
            (json!({"hooks": {"path": "/"}}), "hooks.path"),
            (
                json!({"hooks": {"allowedAgentIds": [""]}}),
                "hooks.allowedAgentIds",
            ),
            (
                json!({"hooks": {"mappings": [{"match": {"path": "a"}, "sessionKey": "{{a}}"}]}}),
                "hooks.mappings[0].sessionKey",
            ),
        ] {
            assert_eq!(found(bad.clone()), [place], "{bad}");
        }
    }
}
