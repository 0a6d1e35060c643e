use super::*;
use crate::path;

fn place(text: &str) -> Place {
    path::parse(text)
        .iter()
        .fold(Place::root(), |place, step| place.step(step))
}

#[test]
fn every_key_of_the_document_is_described() {
    fn walk(node: &Value, at: &str) {
        if let Some(properties) = node.get("properties").and_then(Value::as_object) {
            for (key, child) in properties {
                assert!(
                    child.get("description").is_some(),
                    "{at}.{key} has no description: {child}"
                );
                walk(child, &format!("{at}.{key}"));
            }
        }
        for word in ["items", "additionalProperties"] {
            if let Some(child) = node.get(word) {
                walk(child, at);
            }
        }
        for word in ["anyOf", "oneOf"] {
            node.get(word)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .for_each(|child| walk(child, at));
        }
    }
    walk(schema(), "");
}

/// A key that sounds like one for a file must be of the type that keeps it within bounds, or say here why not.
#[test]
fn no_key_that_names_a_file_is_forgotten() {
    fn walk(node: &Value, at: &str, found: &mut usize) {
        for (key, child) in node
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let words = key.to_ascii_lowercase();
            let sounds = [
                "file", "path", "dir", "dirs", "folder", "cert", "certfile", "keyfile", "socket",
            ]
            .iter()
            .any(|word| words.ends_with(word));
            // A path of the gateway's address: nothing is opened by it.
            let is_of_address = key == "basePath" || (key == "path" && at.starts_with(".hooks"));
            let sounds = sounds && !words.ends_with("profile");
            if sounds && !is_of_address {
                let text = child.to_string();
                assert!(
                    text.contains("x-path"),
                    "{at}.{key} names a file: give it the type PathInput"
                );
                *found += 1;
            }
            walk(child, &format!("{at}.{key}"), found);
        }
        for word in ["items", "additionalProperties"] {
            node.get(word)
                .into_iter()
                .for_each(|child| walk(child, at, found));
        }
        for word in ["anyOf", "oneOf"] {
            let forms = node.get(word).and_then(Value::as_array).into_iter().flatten();
            forms.for_each(|child| walk(child, at, found));
        }
    }
    let mut found = 0;
    walk(schema(), "", &mut found);
    assert!(
        found >= 4,
        "{found}: secrets.dirs, a provider's path, a reference's path, tlsCaFile"
    );
}

#[test]
fn marks_of_the_types_are_found_at_their_places() {
    assert!(place("channels.irc.tlsCaFile").names_file());
    assert!(place("channels.irc.accounts.a.tlsCaFile").names_file());
    assert!(place("secrets.providers.a.path").names_file());
    assert!(place("secrets.dirs").is_by_hand() && place("env.allow").is_by_hand());
    assert!(!place("secrets.providers").is_by_hand());
    assert!(place("models.providers.a.baseUrl").is_address());
    assert!(place("channels.webhook.accounts.a.callbackUrl").is_address());
    assert!(!place("agents.entries.a.name").is_address());
}

#[test]
fn secrets_are_where_the_types_say() {
    for secret in [
        "gateway.auth.token",
        "models.providers.openai.apiKey",
        "models.providers.openai.headers.X-Key",
        "channels.irc.password",
        "channels.irc.accounts.home.sasl.password",
        "channels.webhook.accounts.shop.callbackSecret",
    ] {
        assert!(place(secret).is_secret(), "{secret}");
    }
    assert!(!place("gateway.port").is_secret());
    assert!(!place("channels.irc.sasl.account").is_secret());
    assert!(place("channels.irc.host").forms().len() == place("channels.irc.server").forms().len());
    assert!(place("channels.carrierpigeon").is_unknown());
}
