//! Under which name a provider is written: one that nobody chose never takes the place of another server, and one that somebody chose
//! does so with a word.

use serde_json::{Map, Value};

use super::find::Candidate;

/// Names that this command gives: another server, and one that was looked at.
pub(super) const GIVEN: [&str; 2] = ["custom", "local"];

/// Where a provider is written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) id: String,
    /// The address of what stood there, when it was another server.
    pub(super) instead_of: Option<String>,
}

/// The place for a provider in the document that there is. `is_chosen`: a person gave it its name.
pub(super) fn of(candidate: &Candidate, is_chosen: bool, document: &Value) -> Place {
    let none = Map::new();
    let providers = document.pointer("/models/providers").and_then(Value::as_object);
    let providers = providers.unwrap_or(&none);
    let address = |id: &str| providers.get(id)?.get("baseUrl")?.as_str();
    let is_same = |url: &str| url.trim_end_matches('/') == candidate.base_url.trim_end_matches('/');
    if is_chosen || !GIVEN.contains(&candidate.id.as_str()) {
        return Place {
            id: candidate.id.clone(),
            instead_of: address(&candidate.id)
                .filter(|url| !is_same(url))
                .map(str::to_owned),
        };
    }
    let known = providers.keys().find(|id| address(id).is_some_and(is_same));
    let numbered = (2..).map(|number| format!("{}-{number}", candidate.id));
    let free = || {
        std::iter::once(candidate.id.clone())
            .chain(numbered)
            .find(|id| !providers.contains_key(id))
    };
    Place {
        id: known
            .cloned()
            .or_else(free)
            .unwrap_or_else(|| candidate.id.clone()),
        instead_of: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn candidate(id: &str, base_url: &str) -> Candidate {
        Candidate {
            id: id.to_owned(),
            label: id.to_owned(),
            base_url: base_url.to_owned(),
            wants_key: false,
            key: None,
            models: Vec::new(),
            usual: "",
            unlisted: "",
        }
    }

    fn document() -> Value {
        json!({"models": {"providers": {
            "custom": {"baseUrl": "http://one/v1"}, "custom-2": {"baseUrl": "http://two/v1"}, "nas": {"baseUrl": "http://nas/v1/"},
        }}})
    }

    fn id(candidate: &Candidate, document: &Value) -> String {
        of(candidate, false, document).id
    }

    #[test]
    fn a_server_that_nobody_named_gets_a_name_that_is_free() {
        assert_eq!(
            id(&candidate("custom", "http://three/v1"), &document()),
            "custom-3"
        );
        assert_eq!(id(&candidate("local", "http://three/v1"), &document()), "local");
        assert_eq!(id(&candidate("custom", "http://one/v1"), &Value::Null), "custom");
    }

    #[test]
    fn a_server_that_is_there_already_keeps_its_name() {
        assert_eq!(
            id(&candidate("custom", "http://two/v1/"), &document()),
            "custom-2"
        );
        assert_eq!(id(&candidate("custom", "http://nas/v1"), &document()), "nas");
    }

    #[test]
    fn a_name_that_somebody_chose_takes_a_place_and_says_whose() {
        let chosen = of(&candidate("custom", "http://new/v1"), true, &document());
        assert_eq!(chosen.id, "custom");
        assert_eq!(chosen.instead_of.as_deref(), Some("http://one/v1"));

        let known = of(&candidate("nas", "http://nas/v1"), false, &document());
        assert_eq!((known.id.as_str(), known.instead_of), ("nas", None));
    }
}
