//! What the published protocol has for each method that is served under its name. Facts of `@openclaw/gateway-protocol`, and of
//! what its clients send beyond it; kept as a list, so that a field of it that nobody thought of is refused and not dropped.

use std::collections::HashMap;

use prost_reflect::{DescriptorPool, Kind, MessageDescriptor};

use crate::{ContractError, options::Options};

/// A line for each object that a method takes: the method, with the way to what lies in its parameters behind slashes
/// (`sessions.patchMany/patch`), and the names that the protocol has there. `tests/conformance` holds it against the published schema.
const PARAMETERS: &str = include_str!("../published/parameters.txt");

/// What the published protocol has for a method: the way to an object, empty for the parameters themselves, and its names. None when
/// it has no such method, or one without parameters.
fn parameters(method: &str) -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    PARAMETERS.lines().filter_map(move |line| {
        let (place, names) = line.split_once(' ')?;
        let way = place.strip_prefix(method)?;
        let way = if way.is_empty() {
            way
        } else {
            way.strip_prefix('/')?
        };
        Some((way, names.split(' ').collect()))
    })
}

/// The message to which a way leads. `None` where what lies there is no message here: a field that is not there, or is JSON as it is.
fn at(message: MessageDescriptor, way: &str) -> Option<MessageDescriptor> {
    way.split('/')
        .filter(|name| !name.is_empty())
        .try_fold(message, |message, name| {
            let field = message.get_field_by_json_name(name)?;
            match field.kind() {
                Kind::Message(below) if !field.is_map() => Some(below),
                _ => None,
            }
        })
}

/// The names, by the message that takes them here. One that several methods take has those of each of them.
pub(crate) fn of_requests(
    pool: &DescriptorPool,
    options: &Options<'_>,
) -> Result<HashMap<String, Vec<&'static str>>, ContractError> {
    let mut published: HashMap<String, Vec<&'static str>> = HashMap::new();
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
        for (way, names) in parameters(&declared.name) {
            if let Some(message) = at(method.input(), way) {
                let known = published.entry(message.full_name().to_owned()).or_default();
                known.extend(names);
            }
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
        let mut objects = 0;
        for method in Map::core().methods() {
            for (way, message) in method.request.objects() {
                for name in parameters(&method.name)
                    .filter(|(published, _)| *published == way)
                    .flat_map(|(_, names)| names)
                {
                    objects += usize::from(!way.is_empty());
                    assert!(
                        message.by_name(name, 0).is_some() || message.unserved(name).is_some(),
                        "{} {way}: {name}",
                        method.name
                    );
                }
            }
        }
        let known = |method: &&std::sync::Arc<crate::Method>| parameters(&method.name).next().is_some();
        assert!(
            Map::core().methods().filter(known).count() > 15,
            "most methods are those of the published protocol"
        );
        assert!(objects > 20, "and what lies in their parameters is looked into");
    }

    #[test]
    fn what_would_do_nothing_within_an_object_is_refused_with_its_path() {
        let patch = |field: &str| {
            let params = format!(r#"{{"targets":[{{"key":"main"}}],"patch":{{{field}}}}}"#);
            sent("sessions.patchMany", &params)
        };

        let refused = patch(r#""execSecurity":"deny""#).unwrap_err();

        assert_eq!(refused.path, "/patch/execSecurity");
        assert_eq!(patch(r#""label":"x","execSecurity":null"#), Ok(()));
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
