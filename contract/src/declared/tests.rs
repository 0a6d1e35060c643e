use super::*;
use crate::{
    Access, Change, Map,
    testing::{map, try_map},
};

/// What every service of a test declares.
const SERVED: &str = "option (gatehouse.options.v1.service) = { backend: IDENTITY_SESSION };";

fn refusal(body: &str) -> String {
    try_map(body).expect_err("refused").to_string()
}

fn method(option: &str) -> String {
    format!("message A {{ string key = 1; }} service S {{ {SERVED} rpc Do(A) returns (A) {{ {option} }} }}")
}

#[test]
fn the_core_has_its_methods_and_events() {
    let core = Map::documented();

    let list = core.method("sessions.list").unwrap();
    assert_eq!(list.path, "/gatehouse.session.v1.SessionService/ListSessions");
    assert_eq!(list.service, "gatehouse.session.v1.SessionService");
    assert_eq!(list.access, Access::Read);
    assert_eq!(list.deadline, Duration::from_secs(30));
    assert!(list.idempotent && !list.streaming && list.subscription.is_none());
    assert_eq!(list.comment, "A page of sessions, the newest first.");
    assert_eq!(
        core.method("agent.wait").unwrap().deadline,
        Duration::from_secs(3600)
    );
    assert!(core.method("agent").unwrap().streaming);
    assert!(!core.method("sessions.reset").unwrap().idempotent);
    let reads = |name: &str| core.method(name).unwrap().reads;
    assert!(reads("chat.history") && reads("agent.wait") && !reads("chat.send") && !reads("chat.abort"));
    assert_eq!(core.method("health").unwrap().unwrap.as_deref(), Some("health"));
    let subscription = core
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

    let viewers = core.method("sessions.viewers.set").unwrap();
    let seen = gatehouse_proto::session::v1::SetViewersResponse {
        session_keys: vec!["agent:main:main".to_owned(), "agent:main:b".to_owned()],
    };
    let change = viewers.subscription.as_ref().unwrap();
    assert_eq!(
        change.change(&viewers.response, &prost::Message::encode_to_vec(&seen)),
        Change::Watch(seen.session_keys)
    );

    let chat = core.event("gatehouse.session.v1.ChatEvent").unwrap();
    assert_eq!((&*chat.name, chat.access), ("chat", Access::Read));
    assert!(core.event("gatehouse.session.v1.SessionRow").is_none());
    assert!(core.events().is_sorted_by_key(|event| &event.name) && core.events().count() >= 8);
}

#[test]
fn methods_between_services_have_a_path_and_no_name() {
    let core = Map::core();

    let deliver = core
        .rpc("/gatehouse.session.v1.SessionService/DeliverMessage")
        .unwrap();

    assert_eq!((deliver.access, &*deliver.name), (Access::Internal, ""));
    assert!(core.method("").is_none());
    assert!(
        core.methods()
            .all(|method| !method.name.is_empty() && method.access != Access::Internal)
    );
    assert!(core.methods().is_sorted_by_key(|method| &method.name));
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
        "t.v1.S.Do: unwraps 'x', which is not a response field"
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
        (
            "string a = 1 [(gatehouse.options.v1.field) = { whole: true }];",
            "whole is for optional fields",
        ),
        (
            "optional string a = 1 [(gatehouse.options.v1.field) = { required: true }];",
            "required is for repeated and map fields",
        ),
        ("M a = 1;", "requires itself without end"),
    ] {
        let refused = refusal(&format!("message M {{ {field} }}"));
        assert!(
            refused.starts_with("t.v1.M") && refused.contains(problem),
            "{refused}"
        );
    }
    map("message M { optional M a = 1; repeated M b = 2; oneof c { M d = 3; } }");
}

#[test]
fn every_method_has_callers_and_one_between_services_must_name_them() {
    let core = Map::core();

    assert!(core.rpcs().all(|method| !method.callers.is_empty()));
    for method in core.methods() {
        let beside: &[Identity] = match &*method.name {
            "models.list" => &[Identity::Session],    // for `chat.metadata`
            "system-presence" => &[Identity::Config], // for `device.pair.list`
            _ => &[],
        };
        assert_eq!(
            method.callers,
            [&[Identity::Edge, Identity::Operator], beside].concat(),
            "{}",
            method.name
        );
    }
    assert!(
        core
            .rpcs()
            .filter(|method| method.access == Access::Internal && method.callers.contains(&Identity::Operator))
            .all(|method| method.service == "gatehouse.backup.v1.BackupService"
                || method.path == "/gatehouse.config.v1.ConfigService/WatchConfig"),
        "an operator's tool is not a service, and asks for nothing between services but copies, and the supervisor for the \
         commands of plugins"
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
        let event = Map::core().events().find(|event| event.name == name);
        event.unwrap().publishers.clone()
    };

    assert_eq!(publishers("chat"), [Identity::Session]);
    assert_eq!(publishers("config.changed"), [Identity::Config]);
    assert_eq!(publishers("health"), [], "broadcast makes it itself");
}

#[test]
fn what_waits_for_something_slow_is_declared_as_a_long_wait() {
    let long: Vec<_> = Map::core()
        .methods()
        .filter(|method| method.long_wait)
        .map(|method| &*method.name)
        .collect();

    assert_eq!(
        long,
        [
            "agent",
            "agent.wait",
            "channels.status",
            "chat.stream",
            "models.embed",
            "models.test",
            "node.invoke",
            "sessions.compact",
            "sessions.search",
            "web.login.start",
            "web.login.wait"
        ]
    );
    let outlasts = |method: &&Arc<Method>| method.streaming || method.deadline > DEADLINE_DEFAULT;
    for method in Map::core().methods().filter(outlasts) {
        assert!(method.long_wait, "{} may hold a place for long", method.name);
    }
}

#[test]
fn what_answers_with_whole_transcripts_and_long_lists_takes_its_turn() {
    let large = Map::core().methods().filter(|method| method.large_answer);

    assert_eq!(
        large.map(|method| &*method.name).collect::<Vec<_>>(),
        [
            "chat.history",
            "chat.message.get",
            "chat.startup",
            "cron.list",
            "cron.runs",
            "models.embed",
            "sessions.list",
            "sessions.preview",
            "sessions.search",
            "sessions.subscribe",
            "sessions.usage.logs",
            "tasks.list",
        ]
    );
}

#[test]
fn two_methods_of_one_name_are_refused() {
    let option = "option (gatehouse.options.v1.method) = { name: \"a\" access: ACCESS_NODE };";
    let body = format!(
        "message A {{}} service S {{ {SERVED} rpc X(A) returns (A) {{ {option} }} rpc Y(A) returns (A) {{ {option} }} }}"
    );

    assert_eq!(refusal(&body), "/t.v1.S/X and /t.v1.S/Y are both named 'a'");
}

#[test]
fn descriptors_that_are_none_are_refused() {
    assert!(matches!(
        Map::from_descriptors(b"\xff"),
        Err(ContractError::Descriptors(_))
    ));
    assert_eq!(Map::from_descriptors(b"").unwrap().methods().count(), 0);
}

#[test]
fn every_method_that_clients_call_knows_its_backend_by_declaration() {
    let map = Map::core();

    let backend = |name: &str| map.method(name).unwrap().backend.clone();

    assert_eq!(backend("sessions.list"), Some(BackendId::Core(Identity::Session)));
    assert_eq!(
        backend("channels.status"),
        Some(BackendId::Core(Identity::ChannelBridge))
    );
    assert_eq!(backend("health"), Some(BackendId::Core(Identity::Broadcast)));
    assert!(map.methods().all(|method| method.backend.is_some()));
    let many = map.rpcs().filter(|method| method.backend.is_none());
    assert!(
        many.into_iter()
            .all(|method| method.service == "gatehouse.backup.v1.BackupService"
                || method.service.starts_with("gatehouse.plugin.v1.")
                || method.service == "gatehouse.channel.v1.ChannelAdapter"),
        "only copies are offered by several processes, and the rest by plugins"
    );
}

#[test]
fn a_method_with_a_name_and_no_backend_is_refused_by_name() {
    let named = "message A {} service S { BACKEND rpc Do(A) returns (A) {
        option (gatehouse.options.v1.method) = { name: \"a\" access: ACCESS_NODE }; } }";
    let declares = |identity: &str| {
        let option = format!("option (gatehouse.options.v1.service) = {{ backend: {identity} }};");
        named.replace("BACKEND", &option)
    };

    assert_eq!(
        refusal(&named.replace("BACKEND", "")),
        "t.v1.S.Do: has a name, so its service must declare its backend"
    );
    assert_eq!(
        refusal(&declares("IDENTITY_OPERATOR")),
        "t.v1.S: declares identity 7 as its backend, which serves no methods"
    );
    assert!(refusal(&declares("IDENTITY_EDGE")).contains("serves no methods"));
    let served = try_map(&declares("IDENTITY_AGENT")).unwrap();
    assert!(served.method("a").unwrap().is_served_by(Identity::Agent));
}

#[test]
fn a_name_that_metrics_and_logs_could_not_carry_is_refused() {
    let long = "x".repeat(129);
    for name in ["a b", "a\\nb", "a\\\"b", &long] {
        let named = method(&format!(
            "option (gatehouse.options.v1.method) = {{ name: \"{name}\" access: ACCESS_NODE }};"
        ));
        assert!(refusal(&named).contains("has a name that is longer"), "{name}");
    }
}
