use super::*;

fn said(role: Role, json: &str) -> Message {
    Message {
        role,
        content: Content::from_json(json).unwrap(),
        provider: None,
    }
}

fn seen_by_nobody(conversation: &[Message]) -> Vec<Value> {
    let shelf = Shelf::new();
    of(
        conversation,
        Eyes {
            shelf: &shelf,
            sees: false,
        },
    )
}

fn shelf() -> Shelf {
    let medium = |mime_type: &str, data: &'static [u8]| Medium {
        mime_type: mime_type.to_owned(),
        data: data.into(),
    };
    Shelf::from([
        ("p".to_owned(), medium("image/png", b"png")),
        ("t".to_owned(), medium("text/markdown", b"# Title")),
    ])
}

const PICTURE: &str =
    r#"[{"type":"text","text":"see"},{"type":"image","id":"p","mimeType":"image/png","name":"a.png"}]"#;

#[test]
fn a_model_that_sees_is_shown_pictures_and_every_model_is_read_texts() {
    let shelf = shelf();
    let notes = r#"[{"type":"file","id":"t","mimeType":"text/markdown","name":"n.md"}]"#;
    let conversation = [said(Role::User, PICTURE), said(Role::User, notes)];
    let picture = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,cG5n"}});

    let seen = of(
        &conversation,
        Eyes {
            shelf: &shelf,
            sees: true,
        },
    );
    let told = of(
        &conversation,
        Eyes {
            shelf: &shelf,
            sees: false,
        },
    );

    assert_eq!(
        seen,
        [json!({"role": "user", "content": [
            {"type": "text", "text": "see"}, picture, {"type": "text", "text": "[file: n.md]\n# Title"}]})]
    );
    assert_eq!(
        told,
        [json!({"role": "user", "content": "see\n[image: a.png] (not included)\n\n[file: n.md]\n# Title"})]
    );
}

#[test]
fn what_a_model_does_not_see_of_the_question_is_told_and_not_what_was_asked_before() {
    let shelf = shelf();
    let (old, new) = (said(Role::User, PICTURE), said(Role::User, PICTURE));
    let between = said(Role::Assistant, r#""nice""#);
    let gone = said(
        Role::User,
        r#"[{"type":"image","id":"x","mimeType":"image/png","name":"b.png"}]"#,
    );

    let names = |conversation: &[&Message], sees| unseen(conversation, &shelf, sees).names;
    assert_eq!(names(&[&old, &between, &new], false), ["[image: a.png]"]);
    assert!(names(&[&old, &between, &new], true).is_empty());
    assert_eq!(names(&[&old, &between, &gone], true), ["[image: b.png]"]);
}

const CALL: &str = r#"[{"type":"thinking","thinking":"hm"},{"type":"toolCall","id":"c1","name":"ls","arguments":{"path": "."}}]"#;
const RESULT: &str = r#"[{"type":"toolResult","toolCallId":"c1","toolName":"ls","content":"empty"}]"#;

#[test]
fn calls_and_results_are_said_as_the_api_wants_them() {
    let conversation = [
        said(Role::User, r#""look""#),
        said(Role::Assistant, CALL),
        said(Role::Tool, RESULT),
        said(Role::Assistant, r#"[{"type":"text","text":"nothing there"}]"#),
    ];

    assert_eq!(
        seen_by_nobody(&conversation),
        [
            json!({"role": "user", "content": "look"}),
            json!({"role": "assistant", "content": null, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "ls", "arguments": "{\"path\": \".\"}"}}]}),
            json!({"role": "tool", "tool_call_id": "c1", "content": "empty"}),
            json!({"role": "assistant", "content": "nothing there"}),
        ]
    );
}

#[test]
fn a_call_without_a_result_gets_one_and_a_result_without_a_call_is_left_out() {
    let interrupted = [
        said(Role::Tool, RESULT),
        said(Role::Assistant, CALL),
        said(Role::User, r#""well?""#),
    ];

    let roles: Vec<_> = seen_by_nobody(&interrupted)
        .iter()
        .map(|message| (message["role"].clone(), message["content"].clone()))
        .collect();

    assert_eq!(
        roles,
        [
            (json!("assistant"), Value::Null),
            (json!("tool"), json!(NO_RESULT)),
            (json!("user"), json!("well?")),
        ]
    );
}

#[test]
fn questions_that_nobody_answered_and_the_next_one_are_one_message() {
    let conversation = [
        said(Role::User, r#""one""#),
        said(Role::Assistant, r#"[{"type":"text","text":"cut","notice":true}]"#),
        said(Role::User, r#""two""#),
        said(Role::Assistant, r#""to both""#),
        said(Role::User, r#""three""#),
    ];

    assert_eq!(
        seen_by_nobody(&conversation),
        [
            json!({"role": "user", "content": "one\n\ntwo"}),
            json!({"role": "assistant", "content": "to both"}),
            json!({"role": "user", "content": "three"}),
        ]
    );
}

#[test]
fn what_this_api_cannot_take_is_left_out_or_named() {
    let conversation = [
        said(
            Role::User,
            r#"[{"type":"text","text":"see"},{"type":"image","url":"u","mimeType":"image/png","name":"a.png"},{"type":"hologram"}]"#,
        ),
        said(
            Role::Assistant,
            r#"[{"type":"thinking","thinking":"hm"},{"type":"hologram"}]"#,
        ),
        said(
            Role::Assistant,
            r#"[{"type":"text","text":"half"},{"type":"text","text":"cut","notice":true}]"#,
        ),
    ];

    assert_eq!(
        seen_by_nobody(&conversation),
        [
            json!({"role": "user", "content": "see\n[image: a.png] (not included)"}),
            json!({"role": "assistant", "content": "half"}),
        ]
    );
}
