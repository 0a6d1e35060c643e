use data_encoding::BASE64;
use futures::TryStreamExt;
use gatehouse_proto::agent::v1 as agent;
use gatehouse_proto::agent::v1::run_turn_response::Event;
use gatehouse_proto::session::v1::media_service_server::MediaService;
use serde_json::Value;

use super::*;
use crate::media::grpc::MediaGrpc;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

const SEES: &str = r#"{"agents":{"defaults":{"model":"p/eyes"}},
    "models":{"providers":{"p":{"models":[{"id":"eyes","input":["text","image"]},{"id":"blind"}]}}}}"#;

fn attached(name: &str, bytes: &[u8]) -> Attachment {
    Attachment {
        file_name: Some(name.to_owned()),
        content: Some(BASE64.encode(bytes)),
        ..Attachment::default()
    }
}

fn with(run: &str, text: &str, attachments: Vec<Attachment>) -> Request<SendChatRequest> {
    Request::new(SendChatRequest {
        session_key: "main".to_owned(),
        idempotency_key: run.to_owned(),
        message: text.to_owned(),
        attachments,
        ..SendChatRequest::default()
    })
}

async fn rows(grpc: &Grpc) -> Vec<TranscriptMessage> {
    let page = grpc
        .get_chat_history(Request::new(history("main")))
        .await
        .unwrap();
    page.into_inner().messages
}

#[tokio::test]
async fn a_picture_reaches_the_model_and_whoever_reads_the_transcript() {
    let mut bench = Bench::new().await;
    let mut running = bench.run(SEES);
    let grpc = grpc(&running);

    grpc.send_chat(with("r1", "", vec![attached("../cat.png", PNG)]))
        .await
        .unwrap();
    let call = bench.call().await;
    let [shown] = call.request.media.as_slice() else {
        panic!("one picture: {:?}", call.request.media)
    };
    assert_eq!(
        (shown.mime_type.as_str(), shown.data.as_ref()),
        ("image/png", PNG)
    );
    call.done().await;
    running.end_of("r1").await;

    let rows = rows(&grpc).await;
    let content: Value = serde_json::from_str(&rows[0].content).unwrap();
    assert_eq!(
        (
            &content[0]["type"],
            &content[0]["fileName"],
            &content[0]["sizeBytes"]
        ),
        (&"image".into(), &"cat.png".into(), &PNG.len().into())
    );
    let url = content[0]["url"].as_str().unwrap().to_owned();
    let (id, query) = url
        .strip_prefix("/__openclaw__/media/")
        .unwrap()
        .split_once("?e=")
        .unwrap();
    let (expires, signature) = query.split_once("&s=").unwrap();
    let open = OpenMediaRequest {
        id: id.to_owned(),
        expires_at: expires.parse().unwrap(),
        signature: signature.to_owned(),
        ..OpenMediaRequest::default()
    };
    let media = MediaGrpc::new(running.engine.media().clone());
    let stream = media
        .open_media(Request::new(open.clone()))
        .await
        .unwrap()
        .into_inner();
    let parts: Vec<OpenMediaResponse> = stream.try_collect().await.unwrap();
    let head = parts[0].head.clone().unwrap();
    assert_eq!((head.mime_type.as_str(), head.inline), ("image/png", true));
    assert_eq!(parts[1].data.as_ref(), PNG);
    let forged = OpenMediaRequest {
        expires_at: open.expires_at + 1,
        ..open
    };
    let refused = media.open_media(Request::new(forged)).await.err().unwrap();
    assert_eq!(refused.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn an_attachment_that_cannot_be_taken_is_refused_by_its_place_and_nothing_is_said() {
    let bench = Bench::new().await;
    let running = bench.run(r#"{"agents":{"defaults":{"mediaMaxMb":1}}}"#);
    let grpc = grpc(&running);
    let large = vec![7; 1024 * 1024 + 1];
    let garbled = Attachment {
        content: Some("no base64!".to_owned()),
        ..Attachment::default()
    };

    for (bad, words) in [
        (attached("large", &large), "is larger than 1 MiB"),
        (garbled, "is not base64"),
        (Attachment::default(), "has no content"),
    ] {
        let sent = grpc
            .send_chat(with("r1", "see", vec![attached("a.png", PNG), bad]))
            .await;
        let failure = Failure::from_status(&sent.unwrap_err());
        assert_eq!(
            (failure.kind, failure.reason.as_deref(), failure.path.as_deref()),
            (Kind::Invalid, Some("attachment-refused"), Some("/attachments/1"))
        );
        assert!(failure.message.contains(words), "{}", failure.message);
    }
    assert!(rows(&grpc).await.is_empty());
}

#[tokio::test]
async fn a_repeat_with_another_picture_is_another_message() {
    let mut bench = Bench::new().await;
    let running = bench.run(SEES);
    let grpc = grpc(&running);
    let send = async |bytes: &[u8]| {
        grpc.send_chat(with("r1", "see", vec![attached("a", bytes)]))
            .await
    };

    assert_eq!(send(PNG).await.unwrap().into_inner().status, "started");
    assert_eq!(send(PNG).await.unwrap().into_inner().status, "in_flight");
    assert_eq!(refusal(send(b"other").await).0, Kind::Conflict);
    bench.call().await.done().await;
}

#[tokio::test]
async fn who_sends_a_picture_to_a_model_that_does_not_see_is_told_and_the_model_reads_no_bytes() {
    let mut bench = Bench::new().await;
    let mut running = bench.run(&SEES.replace("p/eyes", "p/blind"));
    let grpc = grpc(&running);

    grpc.send_chat(with(
        "r1",
        "see",
        vec![attached("cat.png", PNG), attached("n.md", b"# Notes")],
    ))
    .await
    .unwrap();
    let call = bench.call().await;
    let texts: Vec<&str> = call
        .request
        .media
        .iter()
        .map(|one| one.mime_type.as_str())
        .collect();
    assert_eq!(texts, ["text/plain"], "texts are read to every model");
    let (provider, model) = ("p".to_owned(), "blind".to_owned());
    call.event(Event::MediaLeftOut(agent::MediaLeftOut {
        provider: provider.clone(),
        model: model.clone(),
        names: vec!["[image: cat.png]".to_owned()],
        ..agent::MediaLeftOut::default()
    }))
    .await;
    call.event(Event::ModelStarted(agent::ModelStarted { provider, model }))
        .await;
    call.text("nice").await;
    call.done().await;
    running.end_of("r1").await;

    let rows = rows(&grpc).await;
    let answer: Value = serde_json::from_str(&rows[1].content).unwrap();
    assert_eq!(answer[0]["text"], "nice");
    let note = answer[1]["text"].as_str().unwrap();
    assert!(
        note.contains("p/blind was not shown [image: cat.png]") && answer[1]["notice"] == true,
        "{note}"
    );
    grpc.send_chat(said("main", "r2", "and now?")).await.unwrap();
    let call = bench.call().await;
    assert!(
        call.texts().iter().all(|text| !text.contains("was not shown")),
        "notes are for people"
    );
    call.done().await;
}

#[tokio::test]
async fn a_voice_note_is_handed_on_where_somebody_transcribes_and_its_failure_is_told_in_one_line() {
    let mut bench = Bench::new().await;
    let audio = r#""tools":{"media":{"audio":{"models":[{"provider":"p","model":"whisper-1"}]}}}"#;
    let mut running = bench.run(&SEES.replacen('{', &format!("{{{audio},"), 1));
    let grpc = grpc(&running);
    let voice = b"OggS\0\x02 a voice note";

    grpc.send_chat(with("r1", "listen", vec![attached("voice.ogg", voice)]))
        .await
        .unwrap();
    let call = bench.call().await;
    let [recording] = call.request.media.as_slice() else {
        panic!("one recording: {:?}", call.request.media)
    };
    assert_eq!(
        (recording.mime_type.as_str(), recording.data.as_ref()),
        ("audio/ogg", voice.as_slice())
    );
    let (provider, model) = ("p".to_owned(), "eyes".to_owned());
    call.event(Event::MediaLeftOut(agent::MediaLeftOut {
        provider: provider.clone(),
        model: model.clone(),
        unheard: vec!["[audio: voice.ogg]".to_owned()],
        unheard_reason: "provider p at http://h is away".to_owned(),
        ..agent::MediaLeftOut::default()
    }))
    .await;
    call.event(Event::ModelStarted(agent::ModelStarted { provider, model }))
        .await;
    call.text("what did you say?").await;
    call.done().await;
    running.end_of("r1").await;

    let rows = rows(&grpc).await;
    let answer: Value = serde_json::from_str(&rows[1].content).unwrap();
    assert_eq!(answer[0]["text"], "what did you say?");
    assert_eq!(
        answer[1]["text"],
        "[audio: voice.ogg] could not be transcribed: provider p at http://h is away"
    );
    assert!(answer[2].is_null(), "{answer}");
}
