//! Runs every nasty input in `corpus/` through every message of the gateway: `.json` files as JSON text, `.hex` files as
//! bytes on the wire. Whatever once broke something comes here.

use std::{fs, path::Path};

use gatehouse_contract::{Ignore, Map, Refuse};

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus");

fn files(ending: &str) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(CORPUS)
        .expect("the corpus")
        .map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect();
    files.sort();
    let read = |path: &Path| fs::read(path).expect("a readable file");
    files
        .iter()
        .map(|path| (path.display().to_string(), read(path)))
        .collect()
}

fn plans() -> Vec<&'static gatehouse_contract::MessagePlan> {
    let map = Map::core();
    let methods = map
        .methods()
        .flat_map(|method| [&*method.request, &*method.response]);
    methods.chain(map.events().map(|event| &*event.plan)).collect()
}

#[test]
fn every_text_is_refused_with_a_short_message_or_read() {
    let files = files("json");
    assert!(files.len() >= 20, "the corpus is missing");

    for (name, bytes) in files {
        // The edge has refused what is not UTF-8 before it comes here.
        let Ok(text) = String::from_utf8(bytes) else {
            continue;
        };
        for plan in plans() {
            if let Err(error) = plan.encode(&text, &mut Refuse) {
                assert!(error.to_string().len() < 1_000, "{name}: {error}");
            }
            if let Ok(wire) = plan.encode(&text, &mut Ignore) {
                assert_eq!(plan.check(&wire), Ok(()), "{name}");
                plan.render(&wire, &mut Vec::new()).expect(&name);
            }
        }
    }
}

#[test]
fn every_byte_string_is_refused_or_read() {
    let files = files("hex");
    assert!(files.len() >= 8, "the corpus is missing");

    for (name, hex) in files {
        let hex = String::from_utf8(hex).expect("hex is text");
        let wire: Vec<u8> = hex
            .split_whitespace()
            .map(|byte| u8::from_str_radix(byte, 16).expect(&name))
            .collect();
        for plan in plans() {
            let _ = plan.check(&wire);
            let mut out = Vec::new();
            if plan.render(&wire, &mut out).is_ok() {
                serde_json::from_slice::<serde_json::Value>(&out).expect(&name);
            }
        }
    }
}

#[test]
fn depth_ends_in_a_refusal_and_not_in_a_crash() {
    let depth = 100_000;
    for plan in plans() {
        for text in [
            "[".repeat(depth),
            "{\"a\":".repeat(depth),
            format!("{{\"x\":{}", "[{\"y\":".repeat(depth)),
        ] {
            assert!(plan.encode(&text, &mut Ignore).is_err());
        }
        assert!(plan.check(&[0x0b].repeat(depth)).is_err());
    }
}
