//! What the published protocol has for each method that is served under its name. Facts of `@openclaw/gateway-protocol`, and of
//! what its clients send beyond it; kept as a list, so that a field of it that nobody thought of is refused and not dropped.

use std::collections::HashMap;

use prost_reflect::DescriptorPool;

use crate::{ContractError, options::Options};

/// A line for each method: its name, and the parameters that the protocol has for it.
const PARAMETERS: &str = include_str!("../published/parameters.txt");

/// The parameters of a method of the published protocol. `None` when it has no such method, or one without parameters.
fn parameters(method: &str) -> Option<Vec<&'static str>> {
    PARAMETERS.lines().find_map(|line| {
        let mut words = line.split(' ');
        (words.next() == Some(method)).then(|| words.collect())
    })
}

/// The same, by the message that the method takes here.
pub(crate) fn of_requests(
    pool: &DescriptorPool,
    options: &Options<'_>,
) -> Result<HashMap<String, Vec<&'static str>>, ContractError> {
    let mut published = HashMap::new();
    for method in pool
        .services()
        .flat_map(|service| service.methods().collect::<Vec<_>>())
    {
        let Some(declared) = options
            .method(&method)?
            .filter(|declared| !declared.name.is_empty())
        else {
            continue;
        };
        if let Some(parameters) = parameters(&declared.name) {
            published.insert(method.input().full_name().to_owned(), parameters);
        }
    }
    Ok(published)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FieldError, Map, UnknownFields};

    /// A v4 connection: what nobody knows passes.
    struct V4;

    impl UnknownFields for V4 {
        fn unknown(&mut self, _: &str) -> bool {
            false
        }

        fn passes_harmless(&self) -> bool {
            true
        }
    }

    fn sent(method: &str, params: &str) -> Result<(), FieldError> {
        let method = Map::core().method(method).expect("a method of the core");
        method.request.encode(params, &mut V4).map(drop)
    }

    #[test]
    fn every_parameter_of_the_published_protocol_is_known_ignored_for_a_reason_or_refused() {
        for method in Map::core().methods() {
            let message = method.request.message();
            for name in parameters(&method.name).into_iter().flatten() {
                assert!(
                    message.by_name(name, 0).is_some() || message.unserved(name).is_some(),
                    "{}: {name}",
                    method.name
                );
            }
        }
        assert!(
            Map::core()
                .methods()
                .filter(|method| parameters(&method.name).is_some())
                .count()
                > 15,
            "most methods are those of the published protocol"
        );
    }

    #[test]
    fn what_would_do_nothing_is_refused_with_its_path_and_what_changes_nothing_passes() {
        let refused = sent("sessions.patch", r#"{"key":"main","execHost":"node"}"#).unwrap_err();
        assert_eq!(refused.path, "/execHost");
        assert!(refused.problem.contains("not supported"), "{}", refused.problem);

        assert_eq!(
            sent("sessions.patch", r#"{"key":"main","execHost":null}"#),
            Ok(())
        );
        assert_eq!(sent("sessions.list", r#"{"ownerFirst":true}"#), Ok(()));
        assert_eq!(sent("sessions.list", r#"{"nobodyKnowsThis":1}"#), Ok(()));
    }

    #[test]
    fn a_field_that_is_harmless_with_some_values_is_refused_with_others() {
        assert_eq!(sent("sessions.create", r#"{"worktree":false}"#), Ok(()));

        let refused = sent("sessions.create", r#"{"worktree":true}"#).unwrap_err();
        assert_eq!(refused.path, "/worktree");
    }
}
