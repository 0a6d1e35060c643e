use super::*;

fn agents(json: &str) -> Agents {
    Agents::read(&serde_json::from_str(json).unwrap())
}

#[test]
fn without_agents_there_is_main() {
    let agents = agents("{}");

    assert_eq!(agents.default_id().unwrap().as_str(), "main");
    assert_eq!(agents.resolve("main", None).unwrap().as_str(), "agent:main:main");
    assert_eq!(
        agents.resolve("Global", None).unwrap().as_str(),
        "agent:main:global"
    );
}

#[test]
fn several_agents_without_a_default_ask_for_one() {
    let agents = agents(r#"{"entries":{"b":{},"a":{}}}"#);

    assert_eq!(agents.resolve("main", None), Err(AgentError::SelectionRequired));
    assert_eq!(
        agents.resolve("main", Some("A")).unwrap().as_str(),
        "agent:a:main"
    );
    assert_eq!(
        agents.all().iter().map(|a| a.id.as_str()).collect::<Vec<_>>(),
        ["b", "a"]
    );
}

#[test]
fn the_older_list_names_the_default() {
    let agents = agents(
        r#"{"list":[{"id":"a"},{"id":"b","default":true,"model":"p/m"}],"defaults":{"model":{"primary":"x/y","fallbacks":["x/z"]}}}"#,
    );

    assert_eq!(agents.default_id().unwrap().as_str(), "b");
    assert_eq!(agents.all()[0].models, ["x/y", "x/z"].map(ModelName::known));
    assert_eq!(agents.all()[1].models, ["p/m"].map(ModelName::known));
}

#[test]
fn a_short_name_of_a_model_is_shown_and_asked_as_the_whole_one() {
    let agents = agents(
        r#"{"entries":{"a":{"model":{"primary":"fast","fallbacks":["x/y"]}}},"defaults":{"models":{"ollama/b:c":{"alias":"fast"}}}}"#,
    );

    assert_eq!(
        agents.all()[0].models,
        ["ollama/b:c", "x/y"].map(ModelName::known)
    );
}

#[test]
fn a_key_of_another_agent_is_a_contradiction() {
    let agents = agents("{}");

    assert!(matches!(
        agents.resolve("agent:a:main", Some("b")),
        Err(AgentError::Contradiction { .. })
    ));
    assert!(matches!(
        agents.of(&SessionKey::parse("agent:nobody:main").unwrap()),
        Err(AgentError::Unknown(_))
    ));
}
