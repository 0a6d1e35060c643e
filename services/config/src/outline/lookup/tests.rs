use super::*;

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn keys(answer: &LookUpConfigSchemaResponse) -> Vec<&str> {
    answer.children.iter().map(|child| child.key.as_str()).collect()
}

#[test]
fn a_key_is_told_with_its_bounds_its_meaning_and_how_a_change_acts() {
    let port = look_up("gateway.port").expect("known");

    let schema = json(&port.schema);
    assert_eq!(
        (&schema["minimum"], &schema["maximum"]),
        (&json("1"), &json("65535"))
    );
    assert_eq!(port.reload_kind, "restart");
    assert_eq!(port.hint.expect("one").label.as_deref(), Some("Port"));
    assert_eq!(port.hint_path.as_deref(), Some("gateway.port"));
    assert!(port.children.is_empty());
    assert_eq!(look_up("gateway.drainSeconds").expect("known").reload_kind, "hot");
}

#[test]
fn a_section_names_the_keys_inside_it_and_not_what_is_inside_those() {
    let gateway = look_up("gateway").expect("known");

    assert!(
        json(&gateway.schema).get("properties").is_none(),
        "{}",
        gateway.schema
    );
    let auth = gateway
        .children
        .iter()
        .find(|child| child.key == "auth")
        .expect("there");
    assert!(auth.has_children && auth.path == "gateway.auth");
    let port = gateway
        .children
        .iter()
        .find(|child| child.key == "port")
        .expect("there");
    assert_eq!(
        (port.r#type.as_deref(), port.reload_kind.as_str()),
        (Some("\"integer\""), "restart")
    );
    assert!(keys(&look_up(".").expect("the document")).contains(&"agents"));
}

#[test]
fn names_and_places_of_lists_are_found_in_every_way_of_writing_them() {
    for (asked, hint) in [
        ("agents.entries.work.name", "agents.entries.*.name"),
        ("agents.entries.*.name", "agents.entries.*.name"),
        ("bindings[0].agentId", "bindings.*.agentId"),
        ("bindings[].agentId", "bindings.*.agentId"),
        ("bindings.3.agentId", "bindings.*.agentId"),
        (
            "models/providers/x/models[0]/id",
            "models.providers.*.models.*.id",
        ),
    ] {
        let found = look_up(asked).unwrap_or_else(|| panic!("{asked}"));
        assert_eq!(found.hint_path.as_deref(), Some(hint), "{asked}");
    }
    assert_eq!(keys(&look_up("agents.entries").expect("known")), ["*"]);
    assert!(keys(&look_up("bindings[]").expect("known")).contains(&"agentId"));
}

#[test]
fn a_key_that_does_not_exist_is_refused_by_name() {
    for unknown in [
        "gateway.nope",
        "nope",
        "gateway.port.deeper",
        "gateway.port[0]",
        "..",
        "...",
        "[",
        "]",
        "[]",
        "[0]",
        "][",
        "./.",
        "//",
        " ",
        "gateway.",
        ".gateway",
        "gateway..port",
        "gateway[",
        "gateway.port[",
        "bindings[0",
        "bindings[-1].agentId",
        "bindings[x].agentId",
        &"gateway[".repeat(200),
        &"a.".repeat(500),
    ] {
        assert!(look_up(unknown).is_none(), "{unknown}");
    }
}
