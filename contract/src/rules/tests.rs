use gatehouse_test_contract::descriptors_of;

use super::*;

fn breaches_of(body: &str) -> Vec<String> {
    let head = "syntax = \"proto3\";\npackage t.v1;\nimport \"gatehouse/options/v1/options.proto\";\n";
    let found = breaches(&descriptors_of("t/v1/t.proto", &format!("{head}{body}"))).unwrap();
    found
        .into_iter()
        .filter(|breach| !breach.starts_with("gatehouse."))
        .collect()
}

#[test]
fn the_contracts_of_the_gateway_keep_the_rules() {
    assert_eq!(
        breaches(gatehouse_proto::DESCRIPTORS).unwrap(),
        Vec::<String>::new()
    );
}

#[test]
fn every_element_without_a_comment_is_named() {
    let body = "service AService { rpc Do(DoRequest) returns (DoResponse) {
            option (gatehouse.options.v1.method) = { access: ACCESS_NODE }; } }
        message DoRequest { string a = 1; oneof b { string c = 2; } } 
        // Commented.
        message DoResponse {} 
        enum Word { WORD_UNSPECIFIED = 0; }";

    let named: Vec<_> = breaches_of(body);

    let silent = [
        "DoRequest",
        "DoRequest.a",
        "DoRequest.c",
        "DoRequest.b",
        "Word",
        "WORD_UNSPECIFIED",
        "AService",
        "AService.Do",
    ];
    let expected: Vec<_> = silent
        .iter()
        .map(|element| format!("t.v1.{element}: has no comment above it"))
        .collect();
    assert_eq!(named, expected);
}

#[test]
fn names_that_break_the_rules_are_named() {
    let body = "// A.
        service Things {
          // B.
          rpc GetThing(Ask) returns (GetThingResponse) {
            option (gatehouse.options.v1.method) = { access: ACCESS_NODE }; }
          // B.
          rpc Put(PutRequest) returns (GetThingResponse); }
        // C.
        message Ask {
          // D.
          bool is_open = 1;
          // D.
          string camelCase = 2; }
        // C.
        message PutRequest {}
        // C.
        message GetThingResponse { option (gatehouse.options.v1.event) = { name: \"x\" access: ACCESS_NODE }; }
        // E.
        enum FailureKind {
          // F.
          NONE = 0;
          // F.
          FAILURE_KIND_A = 1; }";

    assert_eq!(
        breaches_of(body),
        [
            "t.v1.Ask.is_open: is a boolean that begins with is_",
            "t.v1.Ask.camelCase: is not in snake_case",
            "t.v1.GetThingResponse: is an event and does not end in Event",
            "t.v1.NONE: does not begin with FAILURE_KIND_",
            "t.v1.FailureKind: does not begin at FAILURE_KIND_UNSPECIFIED = 0",
            "t.v1.Things: does not end in Service",
            "t.v1.Things.GetThing: does not take its own request",
            "t.v1.Things.GetThing: reads, by its name, and does not declare an idempotency_level",
            "t.v1.Things.Put: does not answer its own response",
            "t.v1.Things.Put: does not declare its access",
        ]
    );
}

#[test]
fn a_file_lives_where_its_package_says() {
    let found = breaches(&descriptors_of(
        "wrong/place.proto",
        "syntax = \"proto3\"; package t;",
    ))
    .unwrap();

    assert_eq!(
        found,
        [
            "wrong/place.proto: its directory is not its package",
            "wrong/place.proto: its package does not end in a version"
        ]
    );
}
