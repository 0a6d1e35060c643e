//! Keys that are read when this process starts: what says something else since is told with the process's health, because a change
//! that waits for a start looks like one that does not work.

use std::sync::OnceLock;

use gatehouse_document::{Document, gateway::Bind};
use gatehouse_proto::broadcast::v1::Component;

/// The name of the part in the health report.
const NAME: &str = "configuration";

/// What counted when the process started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AtStart {
    port: u16,
    bind: Bind,
    custom_bind_host: Option<String>,
}

impl AtStart {
    fn read(document: &Document) -> Self {
        let gateway = &document.gateway;
        Self {
            port: gateway.port,
            bind: gateway.bind.clone(),
            custom_bind_host: gateway.custom_bind_host.clone(),
        }
    }

    /// The keys that say something else now.
    fn changed(&self, now: &Self) -> Vec<&'static str> {
        let keys = [
            ("gateway.port", self.port != now.port),
            ("gateway.bind", self.bind != now.bind),
            (
                "gateway.customBindHost",
                self.custom_bind_host != now.custom_bind_host,
            ),
        ];
        keys.into_iter()
            .filter_map(|(key, is_changed)| is_changed.then_some(key))
            .collect()
    }
}

/// What waits for the next start. `begun` keeps what the first revision said that this process saw.
pub(crate) fn components(begun: &OnceLock<AtStart>, document: Option<&Document>) -> Vec<Component> {
    let Some(now) = document.map(AtStart::read) else {
        return Vec::new();
    };
    let changed = begun.get_or_init(|| now.clone()).changed(&now);
    if changed.is_empty() {
        return Vec::new();
    }
    vec![Component {
        name: NAME.to_owned(),
        ok: true, // it serves as it did
        detail: Some(format!(
            "a change of {} waits: restart the gateway for it to act",
            changed.join(", ")
        )),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(gateway: &str) -> Document {
        serde_json::from_str(&format!(r#"{{"gateway":{gateway}}}"#)).unwrap()
    }

    #[test]
    fn what_waits_for_a_start_is_told_until_it_is_taken_back() {
        let begun = OnceLock::new();
        let told = |gateway: &str| {
            let parts = components(&begun, Some(&document(gateway)));
            parts
                .into_iter()
                .filter_map(|part| part.detail)
                .collect::<String>()
        };

        assert!(components(&begun, None).is_empty());
        assert_eq!(told(r#"{"port":2000}"#), "");
        assert_eq!(told(r#"{"port":2000,"drainSeconds":5}"#), "");
        assert_eq!(
            told(r#"{"port":2001,"bind":"lan"}"#),
            "a change of gateway.port, gateway.bind waits: restart the gateway for it to act"
        );
        assert_eq!(told(r#"{"port":2000}"#), "");
    }
}
