//! Plans against `prost-reflect`'s dynamic messages, which read the same descriptors in another way; and against noise.

use std::{collections::HashMap, sync::LazyLock};

use gatehouse_contract::{Ignore, Map, MessagePlan, Refuse};
use proptest::prelude::*;
use proptest::test_runner::contextualize_config;
use prost::Message as _;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage as _,
    Value,
};
use serde_json::Value as Json;

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(gatehouse_proto::DESCRIPTORS).expect("the gateway's descriptors")
});

/// Every message of the gateway but the options and the entries of maps.
static MESSAGES: LazyLock<Vec<MessageDescriptor>> = LazyLock::new(|| {
    let ours = |m: &MessageDescriptor| m.package_name().starts_with("gatehouse.") && !m.is_map_entry();
    POOL.all_messages()
        .filter(|m| ours(m) && m.package_name() != "gatehouse.options.v1")
        .collect()
});

fn plan(descriptor: &MessageDescriptor) -> &'static MessagePlan {
    Map::core()
        .message(descriptor.full_name())
        .expect("a plan for every message")
}

fn render(descriptor: &MessageDescriptor, wire: &[u8]) -> Result<String, String> {
    let mut out = Vec::new();
    plan(descriptor)
        .render(wire, &mut out)
        .map_err(|error| error.to_string())?;
    Ok(String::from_utf8(out).expect("JSON is text"))
}

/// Read, written and read again: a default that is on the wire or an empty list equals one that is not there only then.
fn normal(descriptor: &MessageDescriptor, wire: &[u8]) -> DynamicMessage {
    let read = DynamicMessage::decode(descriptor.clone(), wire).expect("a message");
    DynamicMessage::decode(descriptor.clone(), &*read.encode_to_vec()).expect("a message")
}

/// A stream of choices, the same for the same seed.
struct Choices(u64);

impl Choices {
    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn one_of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        let index = self.next() % u64::try_from(list.len()).expect("short");
        list.get(usize::try_from(index).expect("short")).expect("within")
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    fn integer(&mut self) -> i64 {
        let odd = [0, 1, -1, 127, 128, i64::MAX, i64::MIN, 9_007_199_254_740_993];
        if self.chance(50) {
            *self.one_of(&odd)
        } else {
            self.next().cast_signed()
        }
    }

    fn text(&mut self) -> String {
        let pieces = [
            "",
            "a",
            "\"",
            "\\",
            "\n",
            "\u{0}",
            "é",
            "😀",
            "\u{2028}",
            "/",
            "null",
            "</script>",
            "\u{7f}",
        ];
        (0..self.next() % 5).map(|_| *self.one_of(&pieces)).collect()
    }

    fn raw(&mut self) -> &'static str {
        let texts: [&'static str; 7] = [
            "1",
            "null",
            "{\"b\":1.0,\"a\":[9007199254740993]}",
            "\"x\\u00e9\"",
            "[]",
            "true",
            "-1e3",
        ];
        let text: &&'static str = self.one_of(&texts);
        text
    }

    fn message(&mut self, descriptor: &MessageDescriptor, depth: usize) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor.clone());
        for field in descriptor.fields() {
            let required = !field.is_list() && !field.is_map() && !field.supports_presence();
            let inner = matches!(field.kind(), Kind::Message(_)) && is_required(&field);
            // JSON text that is null when unset reads as the text null: set it always.
            let needed = inner || (is_raw(&field) && declares(&field, "emit_null"));
            // What stands for the whole message is written alone, and is no request.
            if field.name() == "null_fields"
                || declares(&field, "whole")
                || !(required || needed || (depth < 5 && self.chance(50)))
            {
                continue;
            }
            if field.is_list() {
                let values = (0..self.next() % 4).map(|_| self.value(&field, depth)).collect();
                message.set_field(&field, Value::List(values));
            } else if field.is_map() {
                let Kind::Message(entry) = field.kind() else {
                    unreachable!("maps have entries")
                };
                let value = entry.map_entry_value_field();
                let entries =
                    (0..self.next() % 4).map(|_| (MapKey::String(self.text()), self.value(&value, depth)));
                message.set_field(&field, Value::Map(entries.collect()));
            } else {
                let value = self.value(&field, depth);
                message.set_field(&field, value);
            }
        }
        message
    }

    fn value(&mut self, field: &FieldDescriptor, depth: usize) -> Value {
        match field.kind() {
            Kind::Bool => Value::Bool(self.chance(50)),
            // Where nothing is written as null, a null is nothing.
            Kind::String if is_raw(field) => match self.raw() {
                "null" if declares(field, "emit_null") => Value::String("1".to_owned()),
                text => Value::String(text.to_owned()),
            },
            Kind::String => Value::String(self.text()),
            Kind::Bytes => Value::Bytes(self.text().into_bytes().into()),
            Kind::Int64 => Value::I64(self.integer()),
            Kind::Uint64 => Value::U64(self.integer().cast_unsigned()),
            Kind::Uint32 => Value::U32(u32::try_from(self.next() >> 32).expect("32 bits")),
            Kind::Int32 => Value::I32(i32::try_from(self.next() >> 33).expect("31 bits")),
            // Never whole, which has two spellings.
            Kind::Double => Value::F64(f64::from(u32::try_from(self.next() >> 32).expect("32 bits")) + 0.5),
            Kind::Enum(words) => {
                let numbers: Vec<_> = words
                    .values()
                    .map(|value| value.number())
                    .filter(|n| *n != 0)
                    .collect();
                Value::EnumNumber(*self.one_of(&numbers))
            }
            Kind::Message(inner) => Value::Message(self.message(&inner, depth + 1)),
            other => unreachable!("no message of the gateway has a {other:?}; teach this test about it"),
        }
    }
}

fn is_raw(field: &FieldDescriptor) -> bool {
    declares(field, "raw_json")
}

/// Whether a field declares one of the options that are true or not.
fn declares(field: &FieldDescriptor, name: &str) -> bool {
    let option = POOL
        .get_extension_by_name("gatehouse.options.v1.field")
        .expect("the options");
    field
        .options()
        .get_extension(&option)
        .as_message()
        .is_some_and(|option| {
            option
                .get_field_by_name(name)
                .is_some_and(|value| value.as_bool() == Some(true))
        })
}

fn is_required(field: &FieldDescriptor) -> bool {
    !field.is_list() && !field.is_map() && field.containing_oneof().is_none()
}

/// Whether JSON says what the message says, decided without the plan.
fn agrees(message: &DynamicMessage, json: &Json) -> bool {
    let Some(object) = json.as_object() else {
        return false;
    };
    message.descriptor().fields().all(|field| {
        let value = message.get_field(&field);
        match object.get(field.json_name()) {
            None | Some(Json::Null) if field.supports_presence() && !message.has_field(&field) => true,
            None => {
                field.name() == "null_fields"
                    || value.as_list().is_some_and(<[Value]>::is_empty)
                    || value.as_map().is_some_and(HashMap::is_empty)
                    || (declares(&field, "omit_default") && value.is_default_for_field(&field))
            }
            Some(found) => match &*value {
                Value::List(list) => found.as_array().is_some_and(|array| {
                    array.len() == list.len()
                        && list
                            .iter()
                            .zip(array)
                            .all(|(value, json)| same(&field, value, json))
                }),
                Value::Map(map) => found.as_object().is_some_and(|object| {
                    let Kind::Message(entry) = field.kind() else {
                        return false;
                    };
                    let inner = entry.map_entry_value_field();
                    let entry = |(key, value): (&MapKey, &Value)| {
                        object
                            .get(key.as_str().expect("a string"))
                            .is_some_and(|json| same(&inner, value, json))
                    };
                    object.len() == map.len() && map.iter().all(entry)
                }),
                value => same(&field, value, found),
            },
        }
    })
}

fn same(field: &FieldDescriptor, value: &Value, json: &Json) -> bool {
    match value {
        Value::Bool(value) => json.as_bool() == Some(*value),
        Value::I64(value) => json.as_i64() == Some(*value),
        Value::U64(value) => json.as_u64() == Some(*value),
        Value::U32(value) => json.as_u64() == Some(u64::from(*value)),
        Value::String(text) if is_raw(field) => {
            serde_json::from_str::<Json>(text).ok().as_ref() == Some(json)
        }
        Value::String(text) => json.as_str() == Some(text),
        Value::Bytes(bytes) => {
            use base64::Engine as _;
            json.as_str() == Some(&*base64::engine::general_purpose::STANDARD.encode(bytes))
        }
        Value::EnumNumber(number) => {
            let Kind::Enum(words) = field.kind() else {
                return false;
            };
            let name = words
                .get_value(*number)
                .map(|value| value.name().to_lowercase())
                .unwrap_or_default();
            json.as_str()
                .is_some_and(|word| name.ends_with(&word.replace('-', "_")))
        }
        Value::Message(message) => agrees(message, json),
        Value::I32(number) => json.as_i64() == Some(i64::from(*number)),
        Value::F64(number) => json
            .as_f64()
            .is_some_and(|said| (said - number).abs() < f64::EPSILON),
        _ => false,
    }
}

/// Whether a text is JSON. A number may be larger than a double holds (RFC 8259, section 6): whoever reads it says what becomes of it.
fn is_json(text: &str) -> bool {
    match serde_json::from_str::<Json>(text) {
        Ok(_) => true,
        Err(error) => {
            error.to_string().starts_with("number out of range")
                && serde_json::from_str::<Box<serde_json::value::RawValue>>(text).is_ok()
        }
    }
}

proptest! {
    #![proptest_config(contextualize_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() }))]

    #[test]
    fn json_says_what_the_message_says_and_back(seed: u64, index: prop::sample::Index) {
        let descriptor = index.get(&MESSAGES);
        let message = normal(descriptor, &Choices(seed).message(descriptor, 0).encode_to_vec());

        let json = render(descriptor, &message.encode_to_vec()).unwrap();
        let value: Json = serde_json::from_str(&json).unwrap();
        prop_assert!(agrees(&message, &value), "{json}\n{message:?}");

        // Bounds may refuse what a random message holds; nothing else may.
        match plan(descriptor).encode(&json, &mut Refuse) {
            Ok(wire) => {
                prop_assert_eq!(normal(descriptor, &wire), message);
                prop_assert_eq!(plan(descriptor).check(&wire), Ok(()));
            }
            Err(error) => prop_assert!(error.problem.starts_with("must "), "{}", error),
        }
    }

    #[test]
    fn what_is_joined_on_the_wire_means_what_it_means_to_services(seeds: [u64; 3], index: prop::sample::Index) {
        let descriptor = index.get(&MESSAGES);
        let parts = seeds.map(|seed| Choices(seed).message(descriptor, 2).encode_to_vec());
        let wire = parts.concat();
        let normal = normal(descriptor, &wire).encode_to_vec();

        prop_assert_eq!(render(descriptor, &wire), render(descriptor, &normal));
        prop_assert_eq!(plan(descriptor).check(&wire), plan(descriptor).check(&normal));
    }

    #[test]
    fn noise_on_the_wire_is_refused_or_understood_and_never_worse(
        seed: u64,
        index: prop::sample::Index,
        noise in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut: prop::sample::Index,
    ) {
        let descriptor = index.get(&MESSAGES);
        let mut wire = Choices(seed).message(descriptor, 2).encode_to_vec();
        for (place, byte) in noise {
            let at = place.index(wire.len().max(1));
            if let Some(hit) = wire.get_mut(at) {
                *hit = byte;
            }
        }
        wire.truncate(cut.index(wire.len() + 1).max(wire.len() / 2));

        if plan(descriptor).check(&wire).is_ok() {
            let read = DynamicMessage::decode(descriptor.clone(), &*wire);
            prop_assert!(read.is_ok(), "a service could not read what passed the check: {read:?}");
        }
        if let Ok(json) = render(descriptor, &wire) {
            prop_assert!(is_json(&json), "{json}");
        }
    }

    #[test]
    fn random_bytes_never_panic(index: prop::sample::Index, wire in prop::collection::vec(any::<u8>(), 0..200)) {
        let descriptor = index.get(&MESSAGES);
        let _ = plan(descriptor).check(&wire);
        let _ = plan(descriptor).strings(&wire, "key");
        if let Ok(json) = render(descriptor, &wire) {
            prop_assert!(is_json(&json), "{json}");
        }
    }

    #[test]
    fn noise_in_text_is_refused_or_understood_and_never_worse(
        seed: u64,
        index: prop::sample::Index,
        noise in prop::collection::vec((any::<prop::sample::Index>(), "[\\[\\]{}:,\"\\\\0-9a-z\\.\\- u]"), 0..4),
    ) {
        let descriptor = index.get(&MESSAGES);
        let message = Choices(seed).message(descriptor, 2);
        let mut text: Vec<char> = render(descriptor, &message.encode_to_vec()).unwrap().chars().collect();
        for (place, letter) in noise {
            let at = place.index(text.len());
            text.splice(at..at, letter.chars());
        }
        let text: String = text.into_iter().collect();

        if let Ok(wire) = plan(descriptor).encode(&text, &mut Ignore) {
            prop_assert!(is_json(&text), "not JSON, but taken: {text}");
            prop_assert_eq!(plan(descriptor).check(&wire), Ok(()), "{}", text);
            prop_assert!(render(descriptor, &wire).is_ok());
        }
    }

    #[test]
    fn random_text_never_panics(index: prop::sample::Index, text in "[\\[\\]{}:,\"\\\\/0-9a-zé\\.\\- \\n]{0,60}") {
        let descriptor = index.get(&MESSAGES);
        let _ = plan(descriptor).encode(&text, &mut Refuse);
        let taken = plan(descriptor).encode(&format!("{{\"foo\":{text}}}"), &mut Ignore);
        if taken.is_ok() {
            prop_assert!(is_json(&text) || text.contains('"'), "{text}");
        }
    }
}
