//! The released contracts as a person reads them in a diff: a line for every method, message, field and word, with what it declares.
//! It is made from the encoded descriptors, and a test keeps the two equal.

use std::fmt::Write as _;

use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MethodDescriptor, Value};

use super::form;
use crate::planner::is_foreign;

const TEXT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/released/contracts.txt");

#[test]
fn the_released_contracts_can_be_read_beside_their_encoded_form() {
    let written = outline(&std::fs::read(super::tests::SNAPSHOT).unwrap());
    if std::env::var_os("GATEHOUSE_RELEASE_CONTRACTS").is_some() {
        std::fs::write(TEXT, &written).unwrap();
    }

    let committed = std::fs::read_to_string(TEXT).unwrap_or_default();

    assert!(
        committed == written,
        "released/contracts.txt does not say what released/descriptors.bin holds: `make release-contracts` writes both"
    );
}

#[test]
fn every_element_has_a_line_with_its_number_and_what_it_declares() {
    let text = outline(&gatehouse_test_contract::descriptors(
        "service S { rpc Do(A) returns (stream B) {
             option (gatehouse.options.v1.method) = { name: \"do\" access: ACCESS_OPERATOR_WRITE }; } }
         message A { optional int64 count = 2 [(gatehouse.options.v1.field) = { maximum: 5 }]; }
         message B { map<string, Word> words = 4; }
         enum Word { WORD_UNSPECIFIED = 0; WORD_A = 1; }",
    ));

    let lines: Vec<_> = text.lines().filter(|line| line.contains(" t.v1.")).collect();
    assert_eq!(
        lines,
        [
            "message t.v1.A",
            "field t.v1.A.count = 2, optional int64 {maximum: 5}",
            "message t.v1.B",
            "field t.v1.B.words = 4, map<string, t.v1.Word>",
            "rpc t.v1.S.Do (t.v1.A) returns (stream t.v1.B) {name: \"do\", access: ACCESS_OPERATOR_WRITE}",
            "word t.v1.Word.WORD_A = 1",
            "word t.v1.Word.WORD_UNSPECIFIED = 0",
        ]
    );
}

fn outline(descriptors: &[u8]) -> String {
    let pool = DescriptorPool::decode(descriptors).unwrap();
    let mut lines = Vec::new();
    for service in pool
        .services()
        .filter(|service| !is_foreign(service.package_name()))
    {
        lines.extend(service.methods().map(|method| rpc(&method)));
    }
    for message in pool.all_messages() {
        if is_foreign(message.package_name()) || message.is_map_entry() {
            continue;
        }
        lines.push(format!(
            "message {}{}",
            message.full_name(),
            declared(&message.options())
        ));
        lines.extend(message.fields().map(|found| field(&found)));
    }
    for words in pool.all_enums().filter(|words| !is_foreign(words.package_name())) {
        lines.extend(words.values().map(|word| {
            let options = declared(&word.options());
            format!(
                "word {}.{} = {}{options}",
                words.full_name(),
                word.name(),
                word.number()
            )
        }));
    }
    lines.sort_by_cached_key(|line| line.split([' ', ',']).nth(1).map(str::to_owned)); // a message stands before its fields
    lines.join("\n") + "\n"
}

fn rpc(method: &MethodDescriptor) -> String {
    let (input, output) = (method.input(), method.output());
    let stream = |streams: bool| if streams { "stream " } else { "" };
    format!(
        "rpc {} ({}{}) returns ({}{}){}",
        method.full_name(),
        stream(method.is_client_streaming()),
        input.full_name(),
        stream(method.is_server_streaming()),
        output.full_name(),
        declared(&method.options()),
    )
}

fn field(field: &FieldDescriptor) -> String {
    let kind = match (field.is_map(), field.kind()) {
        (true, Kind::Message(entry)) => format!(
            "map<{}, {}>",
            name(&entry.map_entry_key_field().kind()),
            name(&entry.map_entry_value_field().kind())
        ),
        (_, kind) => match form(field) {
            "singular" => name(&kind),
            other => format!("{other} {}", name(&kind)),
        },
    };
    let one = field.containing_oneof().filter(|one| !one.is_synthetic());
    let one = one.map_or_else(String::new, |one| format!(", one of {}", one.name()));
    let options = declared(&field.options());
    format!(
        "field {} = {}, {kind}{one}{options}",
        field.full_name(),
        field.number()
    )
}

fn name(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(words) => words.full_name().to_owned(),
        scalar => format!("{scalar:?}").to_lowercase(),
    }
}

/// The options of ours that an element has.
fn declared(options: &DynamicMessage) -> String {
    let ours = options
        .extensions()
        .filter(|(extension, _)| !is_foreign(extension.package_name()));
    ours.fold(String::new(), |mut text, (extension, value)| {
        let _ = write!(text, " {}", shown(&extension.kind(), value)); // a String takes everything
        text
    })
}

fn shown(kind: &Kind, value: &Value) -> String {
    match (value, kind) {
        (Value::Message(message), _) => {
            let inside = message
                .fields()
                .map(|(field, value)| format!("{}: {}", field.name(), shown(&field.kind(), value)));
            format!("{{{}}}", inside.collect::<Vec<_>>().join(", "))
        }
        (Value::List(list), _) => {
            let items = list.iter().map(|item| shown(kind, item));
            format!("[{}]", items.collect::<Vec<_>>().join(", "))
        }
        (Value::EnumNumber(number), Kind::Enum(words)) => {
            let word = words.get_value(*number);
            word.map_or_else(|| number.to_string(), |word| word.name().to_owned())
        }
        (Value::String(text), _) => format!("{text:?}"),
        (Value::Bool(value), _) => value.to_string(),
        (Value::I32(value), _) => value.to_string(),
        (Value::I64(value), _) => value.to_string(),
        (Value::U32(value), _) => value.to_string(),
        (Value::U64(value), _) => value.to_string(),
        (Value::F64(value), _) => value.to_string(),
        (other, _) => format!("{other:?}"),
    }
}
