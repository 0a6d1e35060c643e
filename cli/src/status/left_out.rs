//! Entries of the document that cannot be used: they stand in it as they are written, and do not act.

use serde::Deserialize;

/// Their keys.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct LeftOut(Vec<String>);

impl LeftOut {
    /// The entry that a key stands in, if it does not act.
    pub(crate) fn around(&self, key: &str) -> Option<&str> {
        let holds = |entry: &&String| match key.strip_prefix(entry.as_str()) {
            Some(rest) => rest.is_empty() || rest.starts_with(['.', '[']),
            None => false,
        };
        self.0.iter().find(holds).map(String::as_str)
    }

    /// How many items of a list do not act.
    pub(crate) fn items_of(&self, list: &str) -> usize {
        let is_item = |entry: &&String| match entry.strip_prefix(list) {
            Some(rest) => rest.starts_with('[') && rest.ends_with(']'),
            None => false,
        };
        self.0.iter().filter(is_item).count()
    }
}

impl FromIterator<String> for LeftOut {
    fn from_iter<I: IntoIterator<Item = String>>(keys: I) -> Self {
        Self(keys.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_an_entry_that_is_left_out_does_not_act_and_its_neighbours_do() {
        let left_out = LeftOut(
            ["hooks.mappings[1]", "hooks.mappings[3]", "gateway.http"]
                .map(str::to_owned)
                .into(),
        );

        assert_eq!(left_out.around("gateway.http.endpoints"), Some("gateway.http"));
        assert_eq!(
            left_out.around("hooks.mappings[1].agentId"),
            Some("hooks.mappings[1]")
        );
        for acts in ["hooks", "gateway", "gateway.https", "hooks.mappings[10]"] {
            assert_eq!(left_out.around(acts), None, "{acts}");
        }
        assert_eq!(left_out.items_of("hooks.mappings"), 2);
        assert_eq!(left_out.items_of("hooks"), 0);
    }
}
