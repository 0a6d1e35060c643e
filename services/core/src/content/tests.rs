use gatehouse_proto::common::v1 as proto;
use proptest::prelude::*;

use super::*;

fn json(text: &str) -> Json {
    Json::try_from(text.to_owned()).unwrap()
}

fn read(text: &str) -> Content {
    Content::from_json(text).unwrap()
}

fn picture(name: &str) -> Block {
    Block::Media(Media {
        source: MediaSource::Url("https://example.org/1".to_owned()),
        mime_type: Some("image/png".to_owned()),
        name: Some(name.to_owned()),
        size_bytes: Some(7),
    })
}

fn call(id: &str) -> Block {
    Block::ToolCall(ToolCall {
        id: id.to_owned(),
        name: "ls".to_owned(),
        arguments: json(r#"{ "path": "." }"#),
        repeatable: true,
    })
}

fn result(id: &str, content: Content) -> Block {
    Block::ToolResult(ToolResult {
        call_id: id.to_owned(),
        name: "ls".to_owned(),
        content,
        failed: true,
    })
}

fn all() -> Content {
    [
        Block::Thinking(Thinking {
            text: "hm".to_owned(),
            signature: Some("s".to_owned()),
        }),
        Block::text("look"),
        picture("cat.png"),
        call("1"),
        result(
            "1",
            Content::from_iter([Block::text("empty"), picture("dog.png")]),
        ),
        Block::Opaque(json(r#"{"type": "hologram",  "of": [1, 2.0]}"#)),
        Block::notice("cut short"),
    ]
    .into_iter()
    .collect()
}

#[test]
fn every_block_survives_json_and_the_wire() {
    assert_eq!(read(&all().to_json()), all());
    assert_eq!(Content::try_from(proto::Content::from(all())).unwrap(), all());
    let (words, wire) = all().into_parts();
    assert_eq!(words, all().into_words());
    assert_eq!(Content::from_parts(words, wire).unwrap(), all());
}

#[test]
fn choices_survive_as_well_and_are_a_list_for_whoever_has_to_type() {
    let choice = |label: &str, value: &str| (label.to_owned(), value.to_owned());
    let choices = Choice::read([choice("Yes", ""), choice("No", "/deny 7")]).unwrap();
    let content = Content::from_iter([Block::text("Is that right?"), Block::Choices(choices)]);

    assert_eq!(read(&content.to_json()), content);
    assert_eq!(
        Content::try_from(proto::Content::from(content.clone())).unwrap(),
        content
    );
    assert_eq!(content.into_words(), "Is that right?\n1. Yes\n2. No: say /deny 7");
    let blank = r#"[{"type":"choices","choices":[{"label":" "}]}]"#;
    assert!(
        matches!(read(blank).blocks(), [Block::Opaque(_)]),
        "kept as it is"
    );
}

#[test]
fn the_shapes_are_those_that_v4_clients_draw() {
    let written: serde_json::Value = serde_json::from_str(&all().to_json()).unwrap();

    let media = |name: &str| serde_json::json!({"type":"image","url":"https://example.org/1","mimeType":"image/png","name":name,"sizeBytes":7});
    assert_eq!(
        written,
        serde_json::json!([
            {"type":"thinking","thinking":"hm","thinkingSignature":"s"},
            {"type":"text","text":"look"},
            media("cat.png"),
            {"type":"toolCall","id":"1","name":"ls","arguments":{"path":"."},"repeatable":true},
            {"type":"toolResult","toolCallId":"1","toolName":"ls","isError":true,
             "content":[{"type":"text","text":"empty"}, media("dog.png")]},
            {"type":"hologram","of":[1,2.0]},
            {"type":"text","text":"cut short","notice":true},
        ])
    );
    assert_eq!(Content::text("hi").to_json(), r#""hi""#);
    assert_eq!(
        Content::text("hi").to_json_blocks(),
        r#"[{"type":"text","text":"hi"}]"#
    );
}

#[test]
fn what_is_not_understood_survives_byte_for_byte() {
    for unknown in [
        r#"{"type":"hologram",  "of" : [1e3, "\u00e9"]}"#,
        r#"{"type":"image","data":"AAAA","mimeType":"image/png"}"#,
        r#"{"type":"image","url":"https://example.org/1","mimeType":"audio/ogg"}"#,
        r#"{"type":"toolCall","id":7}"#,
        r#"{"no":"type"}"#,
        "null",
        "7",
    ] {
        let list = format!(r#"[{unknown},{{"type":"text","text":"x"}}]"#);

        let content = read(&list);

        assert_eq!(content.words(), "x");
        assert_eq!(content.to_json_blocks(), list);
        let wire = proto::Content::from(content);
        assert_eq!(Content::try_from(wire).unwrap().to_json_blocks(), list);
    }
    assert_eq!(read("{}"), Block::Opaque(json("{}")).into());
    assert_eq!(Content::from_json("[").unwrap_err(), ContentError::NotJson);
}

#[test]
fn a_block_of_a_newer_contract_keeps_its_place() {
    let newer = proto::Content {
        blocks: vec![proto::Block { kind: None }, Block::text("x").into()],
    };

    let content = Content::try_from(newer).unwrap();

    assert_eq!((content.blocks().len(), content.words().as_str()), (2, "x"));
}

#[test]
fn words_are_what_somebody_said() {
    assert_eq!(all().words(), "look");
    assert_eq!(read(r#""a \"b\"""#).words(), "a \"b\"");
    assert_eq!(
        read(r#"[{"type":"image"},{"type":"text","text":"x"},{"type":"text","text":"y"}]"#).words(),
        "x\ny"
    );
    assert_eq!(read("{}").words(), "");
}

#[test]
fn a_content_wins_over_the_text_beside_it_and_a_text_stands_alone() {
    let pair = Content::from_parts("old".to_owned(), Some(Content::text("new").into()));
    assert_eq!(pair.unwrap(), Content::text("new"));
    assert_eq!(
        Content::from_parts("old".to_owned(), None).unwrap(),
        Content::text("old")
    );
    assert_eq!(Content::text("hi").into_parts(), ("hi".to_owned(), None));
    let (words, content) = Content::from_iter([Block::text("see"), picture("a")]).into_parts();
    assert_eq!((words.as_str(), content.is_some()), ("see\n[image: a]", true));
}

#[test]
fn two_columns_hold_what_one_content_says() {
    let json_like = Content::text(r#"[{"type":"text","text":"x"}]"#);
    for content in [Content::text("hi"), json_like, all(), Content::default()] {
        let (text, json) = content.clone().into_columns();
        assert_eq!(Content::from_columns(text, json.as_deref()).unwrap(), content);
    }
    assert_eq!(Content::text("hi").into_columns(), ("hi".to_owned(), None));
}

#[test]
fn what_a_platform_cannot_show_is_said_in_words() {
    let shown = all().shown_by(|block| matches!(block, Block::Media(_)));
    assert_eq!(
        shown,
        Content::from_iter([
            Block::text("look"),
            picture("cat.png"),
            Block::text("[something that cannot be shown here]\ncut short"),
        ])
    );
    assert_eq!(
        all().into_words(),
        "look\n[image: cat.png]\n[something that cannot be shown here]\ncut short"
    );
    let labels = [
        ("a\nb\u{7}", Some("video/mp4"), "[video: ab]"),
        ("  ", Some("AUDIO/ogg"), "[audio]"),
        ("x.pdf", None, "[file: x.pdf]"),
    ];
    for (name, mime_type, label) in labels {
        let media = Media {
            source: MediaSource::Id("1".to_owned()),
            mime_type: mime_type.map(str::to_owned),
            name: Some(name.to_owned()),
            size_bytes: None,
        };
        assert_eq!(media.label(), label);
    }
}

#[test]
fn what_is_outside_its_bounds_is_refused_by_name() {
    let refused = |blocks: Vec<proto::Block>| Content::try_from(proto::Content { blocks }).unwrap_err();
    let many = (0..=BLOCKS_MAX).map(|_| Block::text("").into()).collect();
    assert_eq!(refused(many), ContentError::TooManyBlocks);
    let large = vec![Block::text("x".repeat(CONTENT_BYTES_MAX + 1)).into()];
    assert_eq!(refused(large), ContentError::TooLarge);
    let nested = vec![result("1", result("2", Content::default()).into()).into()];
    assert_eq!(refused(nested), ContentError::NestedResult);
    let kind = |kind| vec![proto::Block { kind: Some(kind) }];
    let nowhere = kind(proto::block::Kind::Media(proto::MediaBlock::default()));
    assert_eq!(refused(nowhere), ContentError::MediaWithoutSource);
    let broken = kind(proto::block::Kind::Opaque(proto::OpaqueBlock {
        json: "{".to_owned(),
    }));
    assert_eq!(refused(broken), ContentError::NotJson);
}

#[test]
fn a_result_in_a_result_is_not_read_however_deep_it_goes() {
    let mut text = r#"[{"type":"text","text":"deep"}]"#.to_owned();
    for _ in 0..2_000 {
        text = format!(r#"[{{"type":"toolResult","toolCallId":"1","toolName":"t","content":{text}}}]"#);
    }

    // The parser itself may refuse such a depth; it must not be followed down.
    if let Ok(content) = Content::from_json(&text) {
        let inner = content.results().next().unwrap();
        assert!(matches!(inner.content.blocks(), [Block::Opaque(_)]));
    }
}

proptest! {
    #[test]
    fn any_text_is_the_same_after_json(text in ".*", notice: bool) {
        let content = Content::from(Block::Text(Text { text, notice }));
        prop_assert_eq!(read(&content.to_json()), content.clone());
        prop_assert_eq!(read(&content.to_json_blocks()), content);
    }
}
