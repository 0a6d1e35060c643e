use super::*;

fn after(document: &Value, change: &Change) -> Result<Value, RosterError> {
    let planned = plan(document, change, |_| None)?;
    let mut after = document.clone();
    text::merge(&mut after, &planned.patch);
    Ok(after)
}

fn create(name: &str) -> Change {
    Change::Create {
        name: name.to_owned(),
        said: Said::default(),
    }
}

fn update(id: &str, said: Said) -> Change {
    Change::Update {
        id: id.to_owned(),
        said,
    }
}

fn delete(id: &str) -> Change {
    Change::Delete { id: id.to_owned() }
}

#[test]
fn who_answered_alone_stays_the_default_beside_a_new_agent() {
    for (before, wanted) in [
        (
            json!({}),
            json!({"agents": {"entries": {"main": {"default": true}, "front-desk": {"name": "Front Desk"}}}}),
        ),
        (
            json!({"agents": {"entries": {"Ann": {"model": "a/b"}}}}),
            json!({"agents": {"entries": {
                "Ann": {"model": "a/b", "default": true}, "front-desk": {"name": "Front Desk"},
            }}}),
        ),
        (
            json!({"agents": {"list": [{"id": "ann"}]}}),
            json!({"agents": {"list": [{"id": "ann", "default": true}, {"id": "front-desk", "name": "Front Desk"}]}}),
        ),
        (
            json!({"agents": {"entries": {"a": {"default": true}, "b": {}}}}),
            json!({"agents": {"entries": {"a": {"default": true}, "b": {}, "front-desk": {"name": "Front Desk"}}}}),
        ),
    ] {
        assert_eq!(
            after(&before, &create("Front Desk")).expect("new"),
            wanted,
            "{before}"
        );
    }
}

#[test]
fn an_agent_is_there_once_under_each_way_of_writing_it() {
    let document = json!({"agents": {"entries": {"Work": {}}, "list": [{"id": "home"}]}});

    for name in ["work", " WORK ", "Home"] {
        assert!(
            matches!(after(&document, &create(name)), Err(RosterError::Exists(_))),
            "{name}"
        );
    }
    assert!(matches!(
        after(&json!({}), &create("main")),
        Err(RosterError::Exists(_))
    ));
    assert_eq!(after(&json!({}), &create("--")), Err(RosterError::Nameless));
    assert_eq!(
        after(&document, &update("nobody", Said::default())),
        Err(RosterError::Unknown("nobody".to_owned()))
    );
}

#[test]
fn an_update_changes_what_it_says_where_the_agent_stands() {
    let document = json!({"agents": {"list": [
        {"id": "ann", "name": "A", "identity": {"name": "A", "emoji": "x"}, "model": {"primary": "a/b", "fallbacks": ["c/d"]}},
    ]}});
    let said = Said {
        name: Some("Ann".to_owned()),
        model: Some(Model::First("e/f".to_owned())),
        emoji: Some(String::new()),
        avatar: Some("data:,".to_owned()),
    };

    let after = after(&document, &update("ANN", said)).expect("there");

    let wanted = json!({"agents": {"list": [{
        "id": "ann", "name": "Ann", "identity": {"name": "Ann", "avatar": "data:,"},
        "model": {"primary": "e/f", "fallbacks": ["c/d"]},
    }]}});
    assert_eq!(after, wanted);
}

#[test]
fn the_agent_that_there_is_without_any_is_written_when_it_is_changed() {
    let said = Said {
        model: Some(Model::First("a/b".to_owned())),
        ..Said::default()
    };
    let inherited = Said {
        model: Some(Model::Inherited),
        ..Said::default()
    };

    let changed = after(&json!({}), &update("main", said)).expect("implied");

    assert_eq!(
        changed,
        json!({"agents": {"entries": {"main": {"model": "a/b"}}}})
    );
    let back = after(&changed, &update("main", inherited)).expect("there");
    assert_eq!(back, json!({"agents": {"entries": {"main": {}}}}));
}

#[test]
fn an_agent_goes_with_its_rules_and_never_the_one_that_is_needed() {
    let document = json!({
        "agents": {"entries": {"a": {"default": true}, "b": {}, "c": {}}},
        "bindings": [{"agentId": "B", "match": {}}, {"agentId": "a", "match": {}}],
    });

    let planned = plan(&document, &delete("b"), |_| None).expect("not needed");
    let left = after(&document, &delete("b")).expect("not needed");

    assert_eq!(planned.done.removed_bindings, 1);
    assert_eq!(left["bindings"], json!([{"agentId": "a", "match": {}}]));
    assert_eq!(
        left["agents"]["entries"],
        json!({"a": {"default": true}, "c": {}})
    );
    assert_eq!(
        after(&document, &delete("a")),
        Err(RosterError::Default("a".to_owned()))
    );
    let two = after(&left, &delete("a")).expect("who is left answers alone");
    assert_eq!(two["agents"]["entries"], json!({"c": {}}));
    assert_eq!(after(&two, &delete("c")), Err(RosterError::Only("c".to_owned())));
    assert_eq!(
        after(&json!({}), &delete("main")),
        Err(RosterError::Only("main".to_owned()))
    );
}

#[test]
fn a_model_that_nobody_would_be_asked_for_is_refused_unless_the_agent_has_it_already() {
    let document = json!({"agents": {"entries": {
        "ann": {"model": "gone/m"}, "bob": {"model": {"primary": "gone/m", "fallbacks": ["a/b"]}}, "cid": {},
    }}});
    let chosen = |model: &str| Said {
        model: Some(Model::First(model.to_owned())),
        ..Said::default()
    };
    let problem = |model: &str| model.starts_with("gone/").then(|| "you have: a".to_owned());
    let refused = |change: Change| plan(&document, &change, problem).err();
    let create = |model: &str| Change::Create {
        name: "new".to_owned(),
        said: chosen(model),
    };

    let not = RosterError::Field {
        path: "/model",
        problem: "you have: a".to_owned(),
    };
    assert_eq!(refused(create("gone/m")), Some(not.clone()));
    assert_eq!(refused(create("a/b")), None);
    assert_eq!(refused(update("cid", chosen("gone/m"))), Some(not.clone()));
    assert_eq!(refused(update("ann", chosen("gone/other"))), Some(not));
    for has in ["ann", "bob"] {
        assert_eq!(refused(update(has, chosen("gone/m"))), None, "{has}");
    }
}

#[test]
fn the_name_of_an_agent_is_one_line() {
    let said = Said {
        name: Some("a\nb".to_owned()),
        ..Said::default()
    };
    for change in [create("a\u{0}b"), update("main", said)] {
        let refused = after(&json!({}), &change);
        assert!(
            matches!(refused, Err(RosterError::Field { path: "/name", .. })),
            "{refused:?}"
        );
    }
}
