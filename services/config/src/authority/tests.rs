mod destination;
mod files;
mod reference;

use std::{collections::HashMap, path::PathBuf};

use serde_json::{Value, json};

use super::{Change, check};
use crate::{MARKER, redact, secrets::Sources, text};

fn sources() -> Sources {
    let variables: HashMap<&str, &str> = HashMap::new();
    Sources {
        env: Box::new(move |name| variables.get(name).map(ToString::to_string)),
        folder: PathBuf::from("/home/x"),
        secrets: PathBuf::from("/home/x/secrets"),
    }
}

/// What a patch of one document is refused for.
fn refused(before: &Value, patch: &Value) -> Vec<String> {
    let (mut change, mut after) = (patch.clone(), before.clone());
    redact::restore(&mut change, before).expect("every mark has its secret");
    text::merge(&mut after, &change);
    let issues = check(&Change {
        before,
        after: &after,
        sent: patch,
        sources: &sources(),
    });
    issues.iter().map(ToString::to_string).collect()
}

fn provider(key: &Value) -> Value {
    json!({"models": {"providers": {"p": {"baseUrl": "https://a.example/v1", "apiKey": key}}}})
}
