use super::*;

#[test]
fn content_is_text_or_blocks() {
    assert_eq!(text_of(&plain("a \"b\"")), "a \"b\"");
    assert_eq!(text_of(&blocks("a")), "a");
    assert_eq!(text_of(r#"[{"type":"image"},{"type":"text","text":"x"}]"#), "x");
    assert_eq!(text_of("{}"), "");
}

fn links() -> Links {
    Links::new(
        gatehouse_core::Secret::generate(),
        gatehouse_core::Clock::system(),
    )
}

fn entry(role: Role, content: &str, step: Option<u32>) -> Entry {
    let row = NewEntry {
        id: crate::id::EntryId::generate(),
        role,
        content: content.to_owned(),
        preview: String::new(),
        timestamp: Timestamp::from_ms(7),
        run: Some(crate::id::RunId::new("r")),
        boundary: false,
        in_context: true,
        extra: EntryExtra {
            step,
            ..EntryExtra::default()
        },
    };
    Entry { seq: 1, row }
}

#[test]
fn a_row_goes_out_as_it_is_stored_and_a_tools_row_in_the_shape_of_v4() {
    let odd = r#"[{"type":"hologram",  "of":[1.0]},{"type":"text","text":"x"}]"#;
    let row = message(&entry(Role::Assistant, odd, None), &links());
    assert_eq!(
        (row.content.as_str(), row.idempotency_key.as_deref()),
        (odd, Some("r:assistant"))
    );

    let call = r#"[{"type":"toolCall","id":"c","name":"ls","arguments":{}}]"#;
    let row = message(&entry(Role::Assistant, call, Some(0)), &links());
    assert_eq!((row.content.as_str(), row.idempotency_key), (call, None));

    let result = r#"[{"type":"toolResult","toolCallId":"c","toolName":"ls","content":[{"type":"text","text":"no"}],"isError":true}]"#;
    let row = message(&entry(Role::Tool, result, Some(1)), &links());
    assert_eq!(
        (row.role.as_str(), row.content.as_str()),
        ("toolResult", r#"[{"type":"text","text":"no"}]"#)
    );
    assert_eq!(
        (
            row.tool_call_id.as_deref(),
            row.tool_name.as_deref(),
            row.tool_failed
        ),
        (Some("c"), Some("ls"), Some(true))
    );
    assert_eq!(row.idempotency_key, None);
}

#[test]
fn the_end_of_a_run_says_what_was_said_and_not_what_was_thought() {
    let thought =
        r#"[{"type":"thinking","thinking":"hm"},{"type":"text","text":"hi"},{"type":"hologram", "of":1}]"#;
    assert_eq!(
        without_thinking(thought),
        r#"[{"type":"text","text":"hi"},{"type":"hologram", "of":1}]"#
    );
    let plain = r#"[ {"type":"text","text":"hi"} ]"#;
    assert_eq!(without_thinking(plain), plain);
}

#[test]
fn a_chat_message_is_json() {
    let message: serde_json::Value =
        serde_json::from_str(&chat_message(&blocks("hé"), Timestamp::from_ms(7))).unwrap();

    assert_eq!(
        message,
        serde_json::json!({"role":"assistant","content":[{"type":"text","text":"hé"}],"timestamp":7})
    );
}
