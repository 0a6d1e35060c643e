//! The two readers of this crate as a fuzzer calls them (`fuzz/`): whatever comes, they answer, and what they took holds together.
//! The corpus is an ordinary test as well.

use crate::{Ignore, Map, MessagePlan, Refuse};

fn plans() -> impl Iterator<Item = &'static MessagePlan> {
    let contract = Map::core();
    let methods = contract
        .methods()
        .flat_map(|method| [&*method.request, &*method.response]);
    methods.chain(contract.events().map(|event| &*event.plan))
}

/// A text as the parameters of every method: what is taken can be read back, and is JSON then. `is_json` judges that.
pub fn json(data: &[u8], is_json: impl Fn(&[u8]) -> bool) {
    let Ok(text) = std::str::from_utf8(data) else {
        return; // refused before it comes here
    };
    for plan in plans() {
        let strict = plan.encode(text, &mut Refuse);
        let Ok(wire) = plan.encode(text, &mut Ignore) else {
            assert!(strict.is_err(), "refused only when unknown fields are ignored");
            continue;
        };
        assert_eq!(plan.check(&wire), Ok(()), "what was encoded is within the bounds");
        rendered(plan, &wire, &is_json);
    }
}

/// Bytes as every message on the wire: what passes the check can be rendered, and is JSON then.
pub fn wire(data: &[u8], is_json: impl Fn(&[u8]) -> bool) {
    for plan in plans() {
        let mut out = Vec::new();
        let is_rendered = plan.render(data, &mut out).is_ok();
        assert!(!is_rendered || is_json(&out), "{}", String::from_utf8_lossy(&out));
        // What can be rendered may be out of bounds; what is broken is so for both.
        let _ = plan.check(data);
    }
}

fn rendered(plan: &MessagePlan, wire: &[u8], is_json: impl Fn(&[u8]) -> bool) {
    let mut out = Vec::new();
    let rendered = plan.render(wire, &mut out);
    assert!(rendered.is_ok(), "what was encoded is rendered: {rendered:?}");
    assert!(is_json(&out), "{}", String::from_utf8_lossy(&out));
}

#[cfg(test)]
mod tests {
    use std::fs;

    fn is_json(text: &[u8]) -> bool {
        serde_json::from_slice::<serde_json::Value>(text).is_ok()
    }

    #[test]
    fn what_the_fuzzer_begins_with_and_what_it_found_holds() {
        for (target, run) in [
            (
                "json",
                &(|data: &[u8]| super::json(data, is_json)) as &dyn Fn(&[u8]),
            ),
            ("wire", &|data| super::wire(data, is_json)),
        ] {
            let folder = format!("{}/../fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
            let files: Vec<_> = fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .collect();
            assert!(files.len() >= 5, "the corpus of {target} is missing");
            files.iter().for_each(|file| run(&fs::read(file).unwrap()));
        }
    }
}
