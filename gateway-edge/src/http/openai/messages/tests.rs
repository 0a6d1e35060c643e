use super::*;

fn said(messages: Value) -> Result<Said, Refusal> {
    read(serde_json::from_value(messages).unwrap())
}

#[test]
fn instructions_history_and_what_is_said_now_are_told_apart() {
    let said = said(json!([
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "developer", "content": [{"type": "text", "text": "be brief"}]},
        {"role": "user", "content": [
            {"type": "text", "text": "what"}, {"type": "text", "text": "is it?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk=", "detail": "low"}},
        ]},
    ]))
    .unwrap();

    assert_eq!(said.instructions.as_deref(), Some("be kind\n\nbe brief"));
    assert_eq!(said.message.as_deref(), Some("what\nis it?"));
    assert_eq!(said.attachments.len(), 1);
    let roles: Vec<_> = said
        .history
        .iter()
        .map(|message| message["role"].clone())
        .collect();
    assert_eq!(roles, ["user", "assistant"]);
}

#[test]
fn what_tools_answered_stands_in_the_place_of_a_message() {
    let said = said(json!([
        {"role": "user", "content": "look"},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "ls", "arguments": "{}"}},
            {"id": "c2", "type": "function", "function": {"name": "cat", "arguments": "{\"a\":1}"}},
        ]},
        {"role": "tool", "tool_call_id": "c1", "content": "nothing"},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "mew"}]},
    ]))
    .unwrap();

    assert_eq!(said.message, None);
    assert_eq!(
        said.tool_results,
        [
            json!({"callId": "c1", "text": "nothing", "name": "ls"}),
            json!({"callId": "c2", "text": "mew", "name": "cat"})
        ]
    );
    assert_eq!(said.history.len(), 2);
    assert_eq!(said.history[1]["toolCalls"][1]["arguments"], "{\"a\":1}");
}

#[test]
fn what_is_wrong_is_named_by_its_place() {
    let path = |messages: Value| said(messages).unwrap_err().details["path"].clone();
    let user = json!({"role": "user", "content": "hi"});

    assert_eq!(path(json!([])), "/messages");
    assert_eq!(
        path(json!([user, {"role": "assistant", "content": "yes?"}])),
        "/messages"
    );
    assert_eq!(
        path(json!([{"role": "robot", "content": "hi"}])),
        "/messages/0/role"
    );
    assert_eq!(
        path(json!([user, {"role": "tool", "content": "hi"}])),
        "/messages/1"
    );
    let fetched = json!({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://10.0.0.1/a.png"}}]});
    assert_eq!(path(json!([fetched])), "/messages/0/content/0");
    let empty = json!({"role": "user", "content": [{"type": "text"}]});
    assert_eq!(path(json!([empty])), "/messages/0/content/0");
}

#[test]
fn tools_are_functions_with_names() {
    let tool = json!({"type": "function", "function": {"name": "ls"}});

    assert_eq!(tools(vec![]), Ok(None));
    assert_eq!(tools(vec![tool.clone()]), Ok(Some(json!([tool]))));
    assert!(tools(vec![tool.clone(), json!({"type": "custom"})]).is_err());
    assert!(tools(vec![tool; TOOLS_MAX + 1]).is_err());
}
