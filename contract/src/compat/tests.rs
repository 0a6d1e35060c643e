use gatehouse_test_contract::descriptors;

use super::*;

const RELEASED: &str = "
    service S { rpc Do(A) returns (B) {
        option (gatehouse.options.v1.method) = { name: \"do\" access: ACCESS_OPERATOR_WRITE }; } }
    message A { string key = 1; optional int64 count = 2; oneof c { string d = 3; } repeated Word words = 4; }
    message B { option (gatehouse.options.v1.event) = { name: \"b\" access: ACCESS_OPERATOR_READ }; }
    enum Word { WORD_UNSPECIFIED = 0; WORD_A = 1; }";

fn breaks_when(from: &str, to: &str) -> Vec<String> {
    assert!(RELEASED.contains(from), "{from}");
    breaks(&descriptors(RELEASED), &descriptors(&RELEASED.replace(from, to))).unwrap()
}

/// Where the released contracts are kept. A release writes them anew: `make release-contracts`.
pub(super) const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/released/descriptors.bin");

#[test]
fn the_contracts_break_nothing_that_was_released() {
    if std::env::var_os("GATEHOUSE_RELEASE_CONTRACTS").is_some() {
        std::fs::write(SNAPSHOT, without_comments(gatehouse_proto::DESCRIPTORS)).unwrap();
    }
    let released = std::fs::read(SNAPSHOT).unwrap();

    assert_eq!(
        breaks(&released, gatehouse_proto::DESCRIPTORS).unwrap(),
        Vec::<String>::new()
    );
}

/// Comments are half of the bytes and change without breaking anybody.
fn without_comments(descriptors: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    let mut reader = crate::wire::Reader::new(descriptors);
    while let Some((_, crate::wire::Raw::Bytes(file))) = reader.next().unwrap() {
        // `FileDescriptorProto.source_code_info` is field 9. The rest is copied as bytes, custom options included.
        let mut kept = Vec::new();
        let mut fields = crate::wire::Reader::new(file);
        while let Some((number, value)) = fields.next().unwrap() {
            let crate::wire::Raw::Bytes(bytes) = value else {
                continue;
            };
            if number != 9 {
                record(number, bytes, &mut kept);
            }
        }
        record(1, &kept, &mut wire);
    }
    wire
}

fn record(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    crate::wire::write_varint(u64::from(number) << 3 | 2, out);
    crate::wire::write_varint(u64::try_from(bytes.len()).unwrap(), out);
    out.extend_from_slice(bytes);
}

#[test]
fn what_is_added_breaks_nobody() {
    assert_eq!(breaks_when("", ""), Vec::<String>::new());
    assert_eq!(
        breaks_when("WORD_A = 1;", "WORD_A = 1; WORD_B = 2;"),
        Vec::<String>::new()
    );
    assert_eq!(
        breaks_when("string key = 1;", "string key = 1; optional bool new = 9;"),
        Vec::<String>::new()
    );
    assert_eq!(
        breaks_when("message B {", "message C {} message B { optional C c = 1;"),
        Vec::<String>::new()
    );
    assert_eq!(
        breaks_when("ACCESS_OPERATOR_WRITE", "ACCESS_OPERATOR_ADMIN"),
        Vec::<String>::new()
    );
}

#[test]
fn what_is_removed_is_named() {
    assert_eq!(breaks_when("string key = 1;", ""), ["t.v1.A.key: was removed"]);
    assert_eq!(breaks_when(" WORD_A = 1;", ""), ["t.v1.Word.WORD_A: was removed"]);
    assert_eq!(breaks_when("rpc Do(", "rpc Undo("), ["t.v1.S.Do: was removed"]);
    assert_eq!(
        breaks_when("enum Word {", "enum Other { OTHER_UNSPECIFIED = 0; } enum Word {"),
        Vec::<String>::new()
    );
}

#[test]
fn what_is_renumbered_or_retyped_is_named() {
    assert_eq!(
        breaks_when("string key = 1;", "string key = 7;"),
        ["t.v1.A.key: has the number '7', was '1'"]
    );
    assert_eq!(
        breaks_when("string key = 1;", "string name = 1;"),
        [
            "t.v1.A.key: was removed",
            "t.v1.A.key: lost its number to another field"
        ]
    );
    assert_eq!(
        breaks_when("string key = 1;", "bytes key = 1;"),
        ["t.v1.A.key: has the type 'bytes', was 'string'"]
    );
    assert_eq!(
        breaks_when("optional int64", "int64"),
        ["t.v1.A.count: is 'singular', was 'optional'"]
    );
    assert_eq!(
        breaks_when("repeated Word", "Word"),
        ["t.v1.A.words: is 'singular', was 'repeated'"]
    );
    assert_eq!(
        breaks_when("WORD_A = 1", "WORD_A = 2"),
        ["t.v1.Word.WORD_A: has the number '2', was '1'"]
    );
    assert_eq!(
        breaks_when("oneof c { string d = 3; }", "string d = 3;"),
        ["t.v1.A.d: moved into or out of a oneof"]
    );
}

#[test]
fn what_json_clients_see_is_compared_too() {
    assert_eq!(
        breaks_when("string key = 1;", "string key = 1 [json_name = \"id\"];"),
        ["t.v1.A.key: has the JSON name 'id', was 'key'"]
    );
    assert_eq!(
        breaks_when(
            "string key = 1;",
            "string key = 1 [(gatehouse.options.v1.field) = { raw_json: true }];"
        ),
        ["t.v1.A.key: changed its JSON form"]
    );
    assert_eq!(
        breaks_when("WORD_A = 1;", "WORD_A = 1 [(gatehouse.options.v1.json) = \"b\"];"),
        ["t.v1.Word.WORD_A: is called 'b', was ''"]
    );
    assert_eq!(
        breaks_when("name: \"do\"", "name: \"be\""),
        ["t.v1.S.Do: is named 'be', was 'do'"]
    );
    assert_eq!(
        breaks_when("name: \"b\"", "name: \"c\""),
        ["t.v1.B: is named 'c', was 'b'"]
    );
    assert_eq!(
        breaks_when("returns (B)", "returns (stream B)"),
        ["t.v1.S.Do: changed what it streams"]
    );
    assert_eq!(
        breaks_when("rpc Do(A)", "rpc Do(B)"),
        ["t.v1.S.Do: takes 't.v1.B', was 't.v1.A'"]
    );
}

#[test]
fn an_upgrade_lets_nobody_in() {
    assert_eq!(
        breaks_when("ACCESS_OPERATOR_WRITE", "ACCESS_OPERATOR_READ"),
        ["t.v1.S.Do: lets in more callers: operator.write became operator.read"]
    );
    assert_eq!(
        breaks_when("ACCESS_OPERATOR_READ", "ACCESS_CONNECTED"),
        ["t.v1.B: lets in more callers: operator.read became connected"]
    );
    assert_eq!(
        breaks_when("access: ACCESS_OPERATOR_WRITE", ""),
        ["t.v1.S.Do: lost its access operator.write"]
    );
}
