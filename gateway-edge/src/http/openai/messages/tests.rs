use super::*;

const PIXEL: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

fn said(messages: Value) -> Result<Said, Refusal> {
    told(messages, false)
}

fn told(messages: Value, has_session: bool) -> Result<Said, Refusal> {
    let Value::Array(messages) = messages else {
        panic!("a list")
    };
    let custom = Custom {
        is_loose: false,
        has_session,
    };
    read(of_chat(messages, "/messages")?, "/messages", custom)
}

fn calls() -> Value {
    json!({"role": "assistant", "content": null, "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "ls", "arguments": "{}"}},
        {"id": "c2", "type": "function", "function": {"name": "cat", "arguments": "{\"a\":1}"}},
    ]})
}

fn result(call: &str) -> Value {
    json!({"role": "tool", "tool_call_id": call, "content": "nothing"})
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
            {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}},
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
    assert_eq!(
        said.places.message.unwrap().attachments,
        ["/messages/4/content/2/image_url/url"]
    );
    assert_eq!(said.places.history[1].content, "/messages/2/content");
}

#[test]
fn what_tools_answered_stands_in_the_place_of_a_message() {
    let said = said(json!([
        {"role": "user", "content": "look"},
        calls(),
        result("c1"),
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
    assert_eq!(
        said.places.tool_results[1].call.as_deref(),
        Some("/messages/3/tool_call_id")
    );
}

#[test]
fn a_result_that_no_call_waits_for_is_refused_wherever_it_stands() {
    let user = json!({"role": "user", "content": "hi"});
    for (messages, path) in [
        (json!([user, result("c1")]), "/messages/1/tool_call_id"),
        (json!([user, result("c1"), user]), "/messages/1/tool_call_id"),
        (json!([result("c1")]), "/messages/0/tool_call_id"),
        (json!([user, calls(), result("c3")]), "/messages/2/tool_call_id"),
        (
            json!([user, calls(), result("c1"), result("c1")]),
            "/messages/3/tool_call_id",
        ),
        (
            json!([user, calls(), user, result("c1")]),
            "/messages/3/tool_call_id",
        ),
        (
            json!([user, calls(), result("c1"), user, result("c2"), user]),
            "/messages/4/tool_call_id",
        ),
    ] {
        let refused = said(messages.clone()).unwrap_err();
        assert_eq!(refused.details["path"], path, "{messages}");
        assert_eq!(refused.details["code"], "tool_call_not_found");
    }

    // Models that count their calls anew in each message, and what stands alone in a session that may hold its call.
    assert!(
        said(json!([
            user,
            calls(),
            result("c1"),
            result("c2"),
            calls(),
            result("c2")
        ]))
        .is_ok()
    );
    assert!(told(json!([result("c1")]), true).is_ok());
    assert!(told(json!([user, result("c1")]), true).is_err());
}

#[test]
fn what_is_wrong_is_named_by_its_place() {
    let path = |messages: Value| said(messages).unwrap_err().details["path"].clone();
    let user = json!({"role": "user", "content": "hi"});
    let part =
        |part: Value| path(json!([user, {"role": "user", "content": [{"type": "text", "text": "x"}, part]}]));

    assert_eq!(path(json!([])), "/messages");
    assert_eq!(
        path(json!([user, {"role": "assistant", "content": "yes?"}])),
        "/messages"
    );
    for (wrong, place) in [
        (json!({"role": "robot", "content": "hi"}), "/messages/0/role"),
        (json!({"content": "hi"}), "/messages/0/role"),
        (json!({"role": "user"}), "/messages/0/content"),
        (json!({"role": "user", "content": 7}), "/messages/0/content"),
        (
            json!({"role": "tool", "content": "hi"}),
            "/messages/0/tool_call_id",
        ),
        (
            json!({"role": "assistant", "function_call": {}}),
            "/messages/0/function_call",
        ),
        (
            json!({"role": "assistant", "tool_calls": [{"id": "c"}]}),
            "/messages/0/tool_calls/0/function",
        ),
        (
            json!({"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}),
            "/messages/0/tool_calls/0/id",
        ),
    ] {
        assert_eq!(path(json!([wrong])), place);
    }
    for (wrong, place) in [
        (json!("x"), "/messages/1/content/1"),
        (json!({"type": "text"}), "/messages/1/content/1/text"),
        (json!({"type": "video"}), "/messages/1/content/1/type"),
        (
            json!({"type": "image_url", "image_url": {"url": "http://10.0.0.1/a.png"}}),
            "/messages/1/content/1/image_url/url",
        ),
        (
            json!({"type": "image_url", "image_url": "data:image/png;base64,"}),
            "/messages/1/content/1/image_url",
        ),
        (json!({"type": "image_url"}), "/messages/1/content/1/image_url"),
        (
            json!({"type": "input_audio", "input_audio": {"format": "wav"}}),
            "/messages/1/content/1/input_audio/data",
        ),
        (
            json!({"type": "input_audio", "input_audio": {"data": "aGVsbG8=", "format": "wav"}}),
            "/messages/1/content/1/input_audio/data",
        ),
        (
            json!({"type": "file", "file": {"file_id": "f"}}),
            "/messages/1/content/1/file/file_id",
        ),
        (
            json!({"type": "file", "file": {"file_data": ""}}),
            "/messages/1/content/1/file/file_data",
        ),
    ] {
        assert_eq!(part(wrong.clone()), place, "{wrong}");
    }
    let shown = json!({"role": "assistant", "content": [{"type": "image_url", "image_url": {"url": PIXEL}}]});
    assert_eq!(
        path(json!([user, shown, user])),
        "/messages/1/content/0/image_url/url"
    );
}

#[test]
fn tools_are_functions_with_names() {
    let tool = json!({"type": "function", "function": {"name": "ls"}});

    assert_eq!(tools(vec![]), Ok(None));
    assert_eq!(tools(vec![tool.clone()]), Ok(Some(json!([tool]))));
    assert!(tools(vec![tool.clone(), json!({"type": "custom"})]).is_err());
    assert!(tools(vec![tool; TOOLS_MAX + 1]).is_err());
}
