use super::*;
use crate::testing::{contract, descriptors_of, try_contract};

fn refusal(body: &str) -> String {
    try_contract(body).expect_err("refused").to_string()
}

fn method(option: &str) -> String {
    format!("message A {{ string key = 1; }} service S {{ rpc Do(A) returns (A) {{ {option} }} }}")
}

#[test]
fn the_house_has_its_methods_and_events() {
    let house = Contract::house();

    let list = house.method("sessions.list").unwrap();
    assert_eq!(list.path, "/gatehouse.session.v1.SessionService/ListSessions");
    assert_eq!(list.service, "gatehouse.session.v1.SessionService");
    assert_eq!(list.access, Access::Read);
    assert_eq!(list.deadline, Duration::from_secs(30));
    assert!(list.idempotent && !list.streaming && list.subscription.is_none());
    assert_eq!(list.comment, "A page of sessions, the newest first.");
    assert_eq!(
        house.method("agent.wait").unwrap().deadline,
        Duration::from_secs(3600)
    );
    assert!(house.method("agent").unwrap().streaming);
    assert!(!house.method("sessions.reset").unwrap().idempotent);
    let reads = |name: &str| house.method(name).unwrap().reads;
    assert!(reads("chat.history") && reads("agent.wait") && !reads("chat.send") && !reads("chat.abort"));
    assert_eq!(house.method("health").unwrap().unwrap.as_deref(), Some("health"));
    let subscription = house
        .method("sessions.messages.subscribe")
        .unwrap()
        .subscription
        .clone()
        .unwrap();
    let expected = Subscription {
        action: Action::Add,
        topic: "session".to_owned(),
        key_field: Some("key".to_owned()),
    };
    assert_eq!(subscription, expected);

    let chat = house.event("gatehouse.session.v1.ChatEvent").unwrap();
    assert_eq!((&*chat.name, chat.access), ("chat", Access::Read));
    assert!(house.event("gatehouse.session.v1.SessionRow").is_none());
    assert!(house.events().is_sorted_by_key(|event| &event.name) && house.events().count() >= 8);
}

#[test]
fn methods_between_services_have_a_path_and_no_name() {
    let house = Contract::house();

    let deliver = house
        .rpc("/gatehouse.session.v1.SessionService/DeliverMessage")
        .unwrap();

    assert_eq!((deliver.access, &*deliver.name), (Access::Internal, ""));
    assert!(house.method("").is_none());
    assert!(
        house
            .methods()
            .all(|method| !method.name.is_empty() && method.access != Access::Internal)
    );
    assert!(house.methods().is_sorted_by_key(|method| &method.name));
}

#[test]
fn a_method_that_is_silent_about_access_is_refused_by_name() {
    assert_eq!(refusal(&method("")), "t.v1.S.Do does not declare its access");
    let named = method("option (gatehouse.options.v1.method) = { name: \"a\" };");
    assert_eq!(refusal(&named), "t.v1.S.Do does not declare its access");
    let event = "message E { option (gatehouse.options.v1.event) = { name: \"e\" }; }";
    assert_eq!(refusal(event), "t.v1.E does not declare its access");
}

#[test]
fn a_contract_that_cannot_be_kept_is_refused() {
    let internal = method("option (gatehouse.options.v1.method) = { name: \"a\" access: ACCESS_INTERNAL };");
    assert_eq!(
        refusal(&internal),
        "t.v1.S.Do: has a name, so its access cannot be internal"
    );
    let unwraps =
        method("option (gatehouse.options.v1.method) = { name: \"a\" access: ACCESS_NODE unwrap: \"x\" };");
    assert_eq!(
        refusal(&unwraps),
        "t.v1.S.Do: unwraps 'x', which is no response field"
    );
    let topic = "subscription: { action: ACTION_ADD topic: \"t\" key_field: \"nope\" }";
    let subscribes = method(&format!(
        "option (gatehouse.options.v1.method) = {{ name: \"a\" access: ACCESS_NODE {topic} }};"
    ));
    assert!(refusal(&subscribes).contains("subscribes by 'nope'"));

    for (field, problem) in [
        (
            "int32 a = 1 [(gatehouse.options.v1.field) = { raw_json: true }];",
            "raw_json is for singular strings",
        ),
        (
            "string a = 1 [(gatehouse.options.v1.field) = { nulls: true }];",
            "nulls is for repeated strings",
        ),
        (
            "string a = 1 [(gatehouse.options.v1.field) = { emit_null: true }];",
            "emit_null is for optional fields",
        ),
        (
            "int32 a = 1 [(gatehouse.options.v1.field) = { max_length: 1 }];",
            "min_length and max_length",
        ),
        (
            "string a = 1 [(gatehouse.options.v1.field) = { minimum: 1 }];",
            "minimum and maximum are for numbers",
        ),
        (
            "string a = 1 [(gatehouse.options.v1.field) = { max_items: 1 }];",
            "omit_empty and max_items",
        ),
        (
            "repeated string a = 1 [(gatehouse.options.v1.field) = { append: true }];",
            "append is for singular",
        ),
        ("M a = 1;", "requires itself without end"),
    ] {
        let refused = refusal(&format!("message M {{ {field} }}"));
        assert!(
            refused.starts_with("t.v1.M") && refused.contains(problem),
            "{refused}"
        );
    }
    contract("message M { optional M a = 1; repeated M b = 2; oneof c { M d = 3; } }");
}

#[test]
fn every_method_has_callers_and_one_between_services_must_name_them() {
    let house = Contract::house();

    assert!(house.rpcs().all(|method| !method.callers.is_empty()));
    for method in house.methods() {
        assert_eq!(
            method.callers,
            [Identity::Edge, Identity::Operator],
            "{}",
            method.name
        );
    }
    assert!(
        house
            .rpcs()
            .filter(|method| method.access == Access::Internal && method.callers.contains(&Identity::Operator))
            .all(|method| method.service == "gatehouse.backup.v1.BackupService"),
        "an operator's tool is no service, and asks for nothing between services but copies"
    );
    let silent = method("option (gatehouse.options.v1.method) = { access: ACCESS_INTERNAL };");
    assert_eq!(refusal(&silent), "t.v1.S.Do: does not declare its callers");
    let nobody = method(
        "option (gatehouse.options.v1.method) = { access: ACCESS_INTERNAL callers: IDENTITY_UNSPECIFIED };",
    );
    assert_eq!(
        refusal(&nobody),
        "t.v1.S.Do: lists identity 0, which does not exist"
    );
}

#[test]
fn an_event_that_services_publish_says_which() {
    let publishers = |name: &str| -> Vec<Identity> {
        let event = Contract::house().events().find(|event| event.name == name);
        event.unwrap().publishers.clone()
    };

    assert_eq!(publishers("chat"), [Identity::Session]);
    assert_eq!(publishers("config.changed"), [Identity::Config]);
    assert_eq!(publishers("health"), [], "broadcast makes it itself");
}

#[test]
fn what_waits_for_something_slow_is_declared_as_a_long_wait() {
    let long: Vec<_> = Contract::house()
        .methods()
        .filter(|method| method.long_wait)
        .map(|method| &*method.name)
        .collect();

    assert_eq!(long, ["agent", "agent.wait", "channels.status"]);
    let outlasts = |method: &&Method| method.streaming || method.deadline > DEADLINE_DEFAULT;
    for method in Contract::house().methods().filter(outlasts) {
        assert!(method.long_wait, "{} may hold a place for long", method.name);
    }
}

#[test]
fn two_methods_of_one_name_are_refused() {
    let option = "option (gatehouse.options.v1.method) = { name: \"a\" access: ACCESS_NODE };";
    let body = format!(
        "message A {{}} service S {{ rpc X(A) returns (A) {{ {option} }} rpc Y(A) returns (A) {{ {option} }} }}"
    );

    assert_eq!(refusal(&body), "/t.v1.S/X and /t.v1.S/Y are both named 'a'");
}

#[test]
fn descriptors_that_are_none_are_refused() {
    assert!(matches!(
        Contract::from_descriptors(b"\xff"),
        Err(ContractError::Descriptors(_))
    ));
    assert_eq!(Contract::from_descriptors(b"").unwrap().methods().count(), 0);
}

#[test]
fn a_plugin_may_live_beside_services_of_others_and_use_the_empty_message() {
    let source = "syntax = \"proto3\"; package kitchen; import \"google/protobuf/empty.proto\";
        import \"gatehouse/options/v1/options.proto\";
        service Kitchen { rpc Boil(google.protobuf.Empty) returns (google.protobuf.Empty) {
            option (gatehouse.options.v1.method) = { name: \"kitchen.boil\" access: ACCESS_OPERATOR_WRITE }; } }";

    let plugin = Contract::from_descriptors(&descriptors_of("kitchen.proto", source)).unwrap();

    let boil = plugin.method("kitchen.boil").unwrap();
    assert_eq!(boil.request.encode(" {} ", &mut crate::Refuse), Ok(vec![]));
}
