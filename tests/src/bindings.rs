//! Agents and the bindings that lead to them.

use serde_json::{Value, json};

/// The agents of these bindings beside the default one `main`, and the bindings from the last to the first: it is not their order that decides.
#[must_use]
pub fn bound(bindings: &[(&str, Value)]) -> (Value, Vec<Value>) {
    let agents = bindings
        .iter()
        .map(|(agent, _)| ((*agent).to_owned(), json!({})))
        .chain([("main".to_owned(), json!({"default": true}))])
        .collect();
    let rules = bindings
        .iter()
        .rev()
        .map(|(agent, when)| json!({"agentId": agent, "match": when}))
        .collect();
    (agents, rules)
}
