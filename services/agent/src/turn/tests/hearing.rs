//! Voice notes, which no model is given as sound.

use gatehouse_core::Content;
use gatehouse_proto::agent::v1::TurnMedia;
use wiremock::matchers::body_string_contains;

use super::*;

const VOICE: &str = r#"[{"type":"text","text":"listen"},{"type":"audio","id":"v","mimeType":"audio/ogg","name":"voice.ogg"}]"#;

fn hears(base: &str, audio: &serde_json::Value) -> Arc<Config> {
    let provider = json!({"baseUrl": format!("{base}/v1"), "apiKey": KEY});
    let config = json!({"models": {"providers": {"p": provider}}, "tools": {"media": {"audio": audio}}});
    Arc::new(serde_json::from_value(config).unwrap())
}

fn whisper() -> serde_json::Value {
    json!({"models": [{"provider": "p", "model": "whisper-1"}], "language": "de"})
}

fn with_a_voice_note() -> RunTurnRequest {
    let content = Content::from_json(VOICE).unwrap();
    RunTurnRequest {
        messages: vec![TurnMessage {
            role: Role::User.into(),
            text: String::new(),
            content: Some(content.into()),
            provider: None,
        }],
        media: vec![TurnMedia {
            id: "v".to_owned(),
            mime_type: "audio/ogg".to_owned(),
            data: b"OggS bytes".as_slice().into(),
        }],
        ..request(&["p/m"])
    }
}

async fn answers(server: &MockServer, asked: serde_json::Value, times: u64) {
    Mock::given(method("POST"))
        .and(path("/v1/chat/completions"))
        .and(body_partial_json(json!({"messages": [{}, asked]})))
        .respond_with(stream(&["fine"]))
        .expect(times)
        .mount(server)
        .await;
}

fn left_out(events: &[Event]) -> Option<&gatehouse_proto::agent::v1::MediaLeftOut> {
    events.iter().find_map(|event| match event {
        Event::MediaLeftOut(left) => Some(left),
        _ => None,
    })
}

#[tokio::test]
async fn a_voice_note_is_transcribed_once_and_read_to_the_model_as_what_it_is() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/audio/transcriptions"))
        .and(header("authorization", format!("Bearer {KEY}")))
        .and(body_string_contains("whisper-1"))
        .and(body_string_contains("recording.ogg"))
        .and(body_string_contains("OggS bytes"))
        .and(body_string_contains("name=\"language\""))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"text": " Guten Morgen. "})))
        .expect(1)
        .mount(&server)
        .await;
    let words = "listen\n[audio: voice.ogg] (transcript)\nGuten Morgen.";
    answers(&server, json!({"role": "user", "content": words}), 2).await;
    let (config, tools) = (hears(&server.uri(), &whisper()), tools());

    for _ in 0..2 {
        let events = turn(with_a_voice_note(), Arc::clone(&config), tools.clone()).await;
        assert_eq!(text(&events), "fine");
        assert_eq!(left_out(&events), None);
    }
}

#[tokio::test]
async fn a_voice_note_that_cannot_be_transcribed_is_named_and_told_in_one_line_and_the_answer_comes() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/audio/transcriptions"))
        .respond_with(ResponseTemplate::new(503))
        .expect(1)
        .mount(&server)
        .await;
    let words = "listen\n[audio: voice.ogg] (not included)";
    answers(&server, json!({"role": "user", "content": words}), 1).await;

    let events = turn(with_a_voice_note(), hears(&server.uri(), &whisper()), tools()).await;

    assert_eq!(text(&events), "fine");
    let left = left_out(&events).unwrap();
    assert_eq!(
        (left.names.len(), left.unheard.as_slice()),
        (0, ["[audio: voice.ogg]".to_owned()].as_slice())
    );
    assert!(
        left.unheard_reason.contains("503") && !left.unheard_reason.contains(KEY),
        "{left:?}"
    );
}

#[tokio::test]
async fn the_next_model_transcribes_where_one_fails_and_without_one_it_is_said_what_to_set() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/audio/transcriptions"))
        .and(body_string_contains("good"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"text": ""})))
        .expect(1)
        .mount(&server)
        .await;
    let words = "listen\n[audio: voice.ogg] (transcript)\n(nothing was said)";
    answers(&server, json!({"role": "user", "content": words}), 1).await;
    let models = json!([{"provider": "gone", "model": "x"}, {"provider": "p", "model": "good"}]);

    let events = turn(
        with_a_voice_note(),
        hears(&server.uri(), &json!({"models": models})),
        tools(),
    )
    .await;
    assert_eq!(text(&events), "fine");

    server.reset().await;
    answers(&server, json!({"role": "user"}), 1).await;
    let events = turn(with_a_voice_note(), hears(&server.uri(), &json!({})), tools()).await;
    assert_eq!(text(&events), "fine");
    let left = left_out(&events).unwrap();
    assert!(
        left.unheard_reason.contains("tools.media.audio.models"),
        "{left:?}"
    );
}
