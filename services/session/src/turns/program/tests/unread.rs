//! What of a program's request no model would read.

use gatehouse_proto::agent::v1::{MediaLeftOut, ModelStarted};

use super::*;

#[tokio::test]
async fn a_result_that_no_call_waits_for_is_refused_wherever_the_conversation_stands() {
    let mut bench = Bench::new().await;
    let running = bench.run("{}");
    let mut called = prior("assistant", "");
    called.tool_calls.push(proto::ToolCall {
        id: "c1".into(),
        name: "ls".into(),
        arguments: "{}".into(),
    });
    let with = |history: Vec<proto::PriorMessage>, results: &[&str]| StreamTurnRequest {
        message: None,
        user: Some("ann".into()),
        history,
        tool_results: results.iter().map(|call| answered(call, "x")).collect(),
        ..asks("r1", "")
    };
    for wrong in [
        with(vec![], &["c1"]),
        with(vec![prior("user", "hi")], &["c1"]),
        with(vec![called.clone()], &["c2"]),
        with(vec![called.clone(), prior("user", "wait")], &["c1"]),
        with(vec![called.clone()], &["c1", "c1"]),
    ] {
        let grpc = Grpc::new(running.engine.clone(), Drain::new());
        let refused = grpc.stream_turn(Request::new(wrong.clone())).await.err().unwrap();
        let failure = Failure::from_status(&refused);
        assert_eq!(failure.reason.as_deref(), Some("tool-call-unknown"), "{wrong:?}");
        assert!(failure.path.unwrap().starts_with("/toolResults/"), "{wrong:?}");
    }

    let right = with(vec![prior("user", "hi"), called], &["c1"]);
    let mut stream = begin(&running, right.clone()).await.unwrap();
    bench.call().await.done().await;
    rest(&mut stream).await;
    let mut repeat = begin(&running, right).await.unwrap();
    rest(&mut repeat).await;
}

#[tokio::test]
async fn media_that_no_model_takes_are_refused_with_their_place() {
    let bench = Bench::new().await;
    let blind = r#"{"models":{"providers":{"p":{"baseUrl":"http://a.example/v1","models":[{"id":"m"}]}}},"agents":{"defaults":{"model":"p/m"}}}"#;
    let medium = |bytes: &[u8]| proto::Attachment {
        content: Some(data_encoding::BASE64.encode(bytes)),
        ..proto::Attachment::default()
    };
    let png = medium(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
    let running = bench.run(blind);
    let refused = async |request: StreamTurnRequest| {
        let grpc = Grpc::new(running.engine.clone(), Drain::new());
        let status = grpc.stream_turn(Request::new(request)).await.err().unwrap();
        let failure = Failure::from_status(&status);
        assert_eq!(failure.reason.as_deref(), Some("media-not-taken"), "{failure:?}");
        (failure.path.unwrap(), failure.message)
    };

    for (bytes, why) in [
        (png.clone(), "p/m is not listed"),
        (medium(b"RIFF\x24\0\0\0WAVEfmt "), "tools.media.audio"),
        (medium(b"%PDF-1.7"), "only texts"),
    ] {
        let request = StreamTurnRequest {
            attachments: vec![medium(b"a text"), bytes],
            ..asks("r1", "look")
        };
        let (path, message) = refused(request).await;
        assert_eq!(&*path, "/attachments/1");
        assert!(message.contains(why), "{message}");
    }
    let before = proto::PriorMessage {
        attachments: vec![png.clone()],
        ..prior("user", "look")
    };
    let request = StreamTurnRequest {
        history: vec![before, prior("assistant", "no")],
        ..asks("r1", "and now?")
    };
    assert_eq!(&*refused(request).await.0, "/history/0/attachments/0");

    let sees = blind.replace(r#"{"id":"m"}"#, r#"{"id":"m","input":["text","image"]}"#);
    let mut bench = Bench::new().await;
    let running = bench.run(&sees);
    let request = StreamTurnRequest {
        attachments: vec![png],
        ..asks("r2", "look")
    };
    let _stream = begin(&running, request).await.unwrap();
    assert_eq!(bench.call().await.request.media.len(), 1);
}

#[tokio::test]
async fn a_program_is_told_what_the_model_that_is_asked_is_not_shown() {
    let mut bench = Bench::new().await;
    let running = bench.run("{}");
    let mut stream = begin(&running, asks("r1", "look")).await.unwrap();
    let call = bench.call().await;
    let started = |model: &str| {
        Event::ModelStarted(ModelStarted {
            provider: "p".to_owned(),
            model: model.to_owned(),
        })
    };
    call.event(Event::MediaLeftOut(MediaLeftOut {
        provider: "p".to_owned(),
        model: "blind".to_owned(),
        names: vec!["[image: a.png]".to_owned()],
        ..MediaLeftOut::default()
    }))
    .await;
    call.event(started("blind")).await;
    call.event(started("blind")).await;
    call.event(started("sees")).await;
    call.done().await;

    let mut notices = Vec::new();
    loop {
        let StreamTurnResponse { notice, end, .. } = next(&mut stream).await;
        notices.extend(notice);
        if end.is_some() {
            break;
        }
    }
    let [told, nothing] = notices.as_slice() else {
        panic!("{notices:?}")
    };
    assert!(told.starts_with("p/blind was not shown [image: a.png]"), "{told}");
    assert_eq!(nothing, "");
}
