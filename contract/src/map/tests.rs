//! What a map promises to everybody who reads it, with plugins and without.

use std::ptr;

use gatehouse_test_contract::{descriptors, descriptors_of};

use super::*;
use crate::{Access, Identity, Refuse};

fn plugin(name: &str) -> PluginId {
    PluginId::parse(name).unwrap()
}

/// The descriptors of a plugin's one method.
fn boil(name: &str, access: &str) -> Vec<u8> {
    declares(&format!("name: \"{name}\" access: {access}"))
}

fn declares(option: &str) -> Vec<u8> {
    descriptors_of(
        "kitchen.proto",
        &format!(
            "syntax = \"proto3\"; package kitchen; import \"google/protobuf/empty.proto\";
             import \"gatehouse/options/v1/options.proto\"; import \"gatehouse/session/v1/session_service.proto\";
             service Kitchen {{
               rpc Boil(google.protobuf.Empty) returns (google.protobuf.Empty) {{
                 option (gatehouse.options.v1.method) = {{ {option} }}; }}
               rpc Clean(google.protobuf.Empty) returns (google.protobuf.Empty); }}"
        ),
    )
}

fn refusal(descriptors: &[u8], overrides: &[&str]) -> String {
    let refused = Map::core().with(&plugin("kitchen"), descriptors, overrides);
    refused.expect_err("refused").to_string()
}

#[test]
fn a_plugins_methods_join_the_map_with_their_backend() {
    let kitchen = plugin("kitchen");

    let map = Map::core()
        .with(&kitchen, &boil("kitchen.boil", "ACCESS_OPERATOR_WRITE"), &[])
        .unwrap();

    let boil = map.method("kitchen.boil").unwrap();
    assert_eq!(boil.backend, Some(BackendId::Plugin(kitchen.clone())));
    assert_eq!(
        (boil.access, &*boil.path),
        (Access::Write, "/kitchen.Kitchen/Boil")
    );
    assert_eq!(boil.request.encode(" {} ", &mut Refuse), Ok(vec![]));
    assert!(ptr::eq(&**boil, &**map.rpc("/kitchen.Kitchen/Boil").unwrap()));
    assert!(
        map.rpc("/kitchen.Kitchen/Clean").is_none(),
        "it declares nothing for clients"
    );
    assert!(map.methods().is_sorted_by_key(|method| &method.name));
    assert_eq!(map.methods().count(), Map::core().methods().count() + 1);
    assert!(map.plugins().eq([&kitchen]));
    assert!(
        crate::reference::markdown(&map).contains("### `kitchen.boil`\n"),
        "the reference reads the same map"
    );
    assert!(
        Map::core().method("kitchen.boil").is_none(),
        "the old map is as it was"
    );
}

#[test]
fn what_is_not_overridden_is_the_very_same_for_everybody() {
    let map = Map::core()
        .with(&plugin("kitchen"), &boil("kitchen.boil", "ACCESS_NODE"), &[])
        .unwrap();

    for method in Map::core().rpcs() {
        assert!(
            ptr::eq(&**method, &**map.rpc(&method.path).unwrap()),
            "{}",
            method.path
        );
    }
    for event in Map::core().events() {
        let found = map.event(event.plan.full_name()).unwrap();
        assert!(ptr::eq(&**event, &**found), "{}", event.name);
    }
}

#[test]
fn an_override_that_is_listed_takes_the_name_and_gives_it_back() {
    let kitchen = plugin("kitchen");
    let core = Map::core().method("models.list").unwrap();
    let own = boil("models.list", "ACCESS_OPERATOR_READ");

    let map = Map::core().with(&kitchen, &own, &["models.list"]).unwrap();

    assert_eq!(
        map.method("models.list").unwrap().backend,
        Some(BackendId::Plugin(kitchen.clone()))
    );
    assert_eq!(
        map.methods()
            .filter(|method| method.name == "models.list")
            .count(),
        1
    );
    assert!(
        ptr::eq(&**core, &**map.rpc(&core.path).unwrap()),
        "services still call the gateway's own"
    );
    assert!(ptr::eq(&**core, &**map.original("models.list").unwrap()));
    let back = map.without(&kitchen);
    assert!(ptr::eq(&**core, &**back.method("models.list").unwrap()));
    assert_eq!(back.plugins().count(), 0);
}

#[test]
fn no_override_lets_in_anybody_whom_the_core_keeps_out() {
    let words = [
        ("ACCESS_CONNECTED", Access::Connected),
        ("ACCESS_OPERATOR_READ", Access::Read),
        ("ACCESS_OPERATOR_WRITE", Access::Write),
        ("ACCESS_OPERATOR_ADMIN", Access::Admin),
        ("ACCESS_OPERATOR_PAIRING", Access::Pairing),
        ("ACCESS_OPERATOR_APPROVALS", Access::Approvals),
        ("ACCESS_OPERATOR_QUESTIONS", Access::Questions),
        ("ACCESS_NODE", Access::Node),
    ];
    for (name, core) in [
        ("health", Access::Read),
        ("chat.send", Access::Write),
        ("config.patch", Access::Admin),
    ] {
        assert_eq!(Map::core().method(name).unwrap().access, core, "{name}");
        for (word, access) in words {
            let tried = Map::core().with(&plugin("kitchen"), &boil(name, word), &[name]);
            let lowered = matches!(tried, Err(ContractError::Lowered { .. }));
            assert_eq!(lowered, access.is_lower_than(core), "{name} as {word}");
            assert!(lowered || tried.is_ok(), "{name} as {word}");
        }
    }
    assert_eq!(
        refusal(&boil("config.patch", "ACCESS_OPERATOR_WRITE"), &["config.patch"]),
        "plugin kitchen may not open 'config.patch' to operator.write: the gateway's own method asks for operator.admin"
    );
}

#[test]
fn a_name_that_is_taken_is_refused_with_the_next_step() {
    let clash = refusal(&boil("models.list", "ACCESS_OPERATOR_ADMIN"), &[]);
    assert!(
        clash.starts_with("plugin kitchen may not take the name 'models.list' of /gatehouse.agent.v1.AgentService/ListModels (agent)")
            && clash.ends_with("list the name under the plugin's overrides"),
        "{clash}"
    );
    assert!(refusal(&boil("connect", "ACCESS_NODE"), &[]).contains("of the handshake"));

    let first = Map::core()
        .with(&plugin("first"), &boil("kitchen.boil", "ACCESS_NODE"), &[])
        .unwrap();
    let other = "message A {} service S { rpc Do(A) returns (A) {
        option (gatehouse.options.v1.method) = { name: \"kitchen.boil\" access: ACCESS_NODE }; } }";
    for (descriptors, taken) in [
        (descriptors(other), "'kitchen.boil'"),
        (boil("kitchen.fry", "ACCESS_NODE"), "'/kitchen.Kitchen/Boil'"),
    ] {
        let clash = first
            .with(&plugin("second"), &descriptors, &[])
            .expect_err("the first has it");
        let clash = clash.to_string();
        assert!(clash.contains(taken) && clash.contains("plugin first"), "{clash}");
    }
    let claimed = first.with(&plugin("second"), &descriptors(other), &["kitchen.boil"]);
    assert!(claimed.is_err(), "a plugin overrides no other plugin");
    let again = first
        .with(&plugin("first"), &boil("kitchen.fry", "ACCESS_NODE"), &[])
        .unwrap();
    assert!(
        again.method("kitchen.boil").is_none(),
        "a plugin that is registered again is replaced"
    );
}

#[test]
fn an_override_of_nothing_is_refused() {
    let own = boil("kitchen.boil", "ACCESS_NODE");

    assert!(refusal(&own, &["kitchen.boil"]).contains("is not a method of the gateway's own"));
    assert!(refusal(&own, &["models.list"]).contains("declares no method of that name"));
}

#[test]
fn a_plugin_declares_as_the_core_does_or_not_at_all() {
    assert_eq!(
        refusal(&declares("name: \"kitchen.boil\""), &[]),
        "kitchen.Kitchen.Boil does not declare its access"
    );
    assert!(refusal(&declares("access: ACCESS_NODE"), &[]).contains("declares no name"));
    let patient = declares("name: \"k\" access: ACCESS_NODE deadline_ms: 600001");
    assert!(refusal(&patient, &[]).contains("at most 600000"));
    assert!(refusal(&declares("name: \"k\" access: ACCESS_INTERNAL"), &[]).contains("cannot be internal"));
    assert!(refusal(&declares("name: \"k\" access: ACCESS_NODE unwrap: \"x\""), &[]).contains("unwraps 'x'"));
    let claims = "message A {} service S { option (gatehouse.options.v1.service) = { backend: IDENTITY_SESSION };
        rpc Do(A) returns (A) { option (gatehouse.options.v1.method) = { name: \"k\" access: ACCESS_NODE }; } }";
    assert!(refusal(&descriptors(claims), &[]).contains("a plugin serves its methods itself"));
    let endless = "message M { M again = 1; }";
    assert!(refusal(&descriptors(endless), &[]).contains("requires itself without end"));
    assert!(matches!(
        Map::core().with(&plugin("kitchen"), b"\xff", &[]),
        Err(ContractError::Descriptors(_))
    ));
}

#[test]
fn what_the_core_declares_is_never_read_from_a_plugins_descriptors() {
    let looser = gatehouse_proto::DESCRIPTORS;

    let map = Map::core().with(&plugin("kitchen"), looser, &[]).unwrap();

    assert_eq!(map.methods().count(), Map::core().methods().count());
    assert!(map.methods().all(|method| method.is_core()));
    assert_eq!(map.events().count(), Map::core().events().count());
}

#[test]
fn a_plugins_events_join_the_map_under_names_that_are_free() {
    let event = |name: &str| {
        descriptors(&format!(
            "message Done {{ option (gatehouse.options.v1.event) = {{
               name: \"{name}\" access: ACCESS_OPERATOR_READ publishers: IDENTITY_EDGE }}; string dish = 1; }}"
        ))
    };

    let map = Map::core()
        .with(&plugin("kitchen"), &event("kitchen.done"), &[])
        .unwrap();

    let done = map.event("t.v1.Done").unwrap();
    assert_eq!((&*done.name, done.access), ("kitchen.done", Access::Read));
    assert_eq!(done.publishers, [Identity::Edge]);
    assert!(map.events().is_sorted_by_key(|event| &event.name));
    for taken in ["chat", "tick", "connect.challenge", "gap"] {
        assert!(
            refusal(&event(taken), &[]).contains(&format!("'{taken}'")),
            "{taken}"
        );
    }
    assert_eq!(map.events_of(&plugin("kitchen")).count(), 1);
    assert_eq!(
        refusal(&event("cellar.done"), &[]),
        "plugin kitchen: declares the event 'cellar.done': the names of its events begin with 'kitchen.'"
    );
    let second = map.with(&plugin("second"), &event("second.done"), &[]);
    assert!(second.is_err(), "one message is one event");
}

#[test]
fn a_thousand_methods_of_plugins_are_one_more_table_and_not_a_walk() {
    let methods: String = (0..1_000)
        .map(|n| {
            format!(
                "rpc M{n}(A) returns (A) {{ option (gatehouse.options.v1.method) = {{ name: \"many.m{n}\" access: ACCESS_NODE }}; }}\n"
            )
        })
        .collect();
    let body = format!("message A {{}} service S {{ {methods} }}");

    let map = Map::core()
        .with(&plugin("many"), &descriptors(&body), &[])
        .unwrap();

    // One table holds everything under its own key, and a request holds a counted pointer into it: nothing is copied.
    assert_eq!(map.by_name.len(), Map::core().by_name.len() + 1_000);
    let list = map.method("sessions.list").unwrap();
    assert!(ptr::eq(&**list, &**Map::core().method("sessions.list").unwrap()));
    let taken = Arc::clone(map.method("many.m999").unwrap());
    assert!(ptr::eq(&*taken, &*map.by_name["many.m999"]));
    assert!(
        ptr::eq(&*taken.request, &*map.method("many.m0").unwrap().request),
        "one plan for one message"
    );

    let too_many: String = (0..=2_000)
        .map(|n| {
            format!(
                "rpc M{n}(A) returns (A) {{ option (gatehouse.options.v1.method) = {{ name: \"many.m{n}\" access: ACCESS_NODE }}; }}\n"
            )
        })
        .collect();
    let body = format!("message A {{}} service S {{ {too_many} }}");
    assert!(refusal(&descriptors(&body), &[]).contains("more than 2000 methods and events"));
}

#[test]
fn a_process_keeps_all_that_the_contracts_declare_and_none_of_their_comments() {
    let (kept, documented) = (Map::core(), Map::documented());

    let declared = |map: &Map| -> Vec<_> {
        let methods = map
            .rpcs()
            .map(|method| (method.path.clone(), method.access.to_string()));
        methods.collect()
    };
    assert_eq!(declared(kept), declared(documented));
    assert!(kept.rpcs().all(|method| method.comment.is_empty()));
    assert!(documented.rpcs().all(|method| !method.comment.is_empty()));
}
