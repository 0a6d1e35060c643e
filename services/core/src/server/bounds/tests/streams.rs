//! Streams: messages wherever they are cut, and refusals in the middle.

use super::*;

#[tokio::test]
async fn methods_of_all_four_kinds_are_served() {
    let server = running().await;
    let ask = async |method, notes: &[&str]| {
        let answer = server
            .send(method, at_once(notes.iter().map(|text| said(text))))
            .await;
        assert_eq!(answer.status.code(), Code::Ok, "{method}: {answer:?}");
        answer.texts
    };

    assert_eq!(ask("One", &["a"]).await, ["a"]);
    assert_eq!(ask("Several", &["a"]).await, ["a", "a"]);
    assert_eq!(ask("Gather", &["a", "b", "c"]).await, ["3"]);
    assert_eq!(ask("Gather", &[]).await, ["0"]);
    assert_eq!(ask("Talk", &["a", "b", "c"]).await, ["a", "b", "c"]);
    assert_eq!(ask("Talk", &[]).await, [""; 0]);
}

#[tokio::test]
async fn a_message_is_the_same_however_the_network_cuts_it() {
    let server = running().await;
    let long = "x".repeat(200_000);
    for method in ONE.into_iter().chain(MANY) {
        for text in ["a", &long] {
            for size in [1, 3, 5, 16_384] {
                if text.len() > 1 && size < 16_384 {
                    continue;
                }
                let whole = said(text);
                let frames: Vec<_> = whole.chunks(size).map(Bytes::copy_from_slice).collect();
                let answer = server.send(method, at_once(frames)).await;
                assert_eq!(answer.status.code(), Code::Ok, "{method}: {:?}", answer.status);
                let expected = if method == "Gather" { "1" } else { text };
                assert!(
                    answer.texts.iter().all(|found| found == expected),
                    "{method} in {size}"
                );
            }
        }
    }
    let three = [said("a"), said("b"), said("c")].concat();
    for cut in 0..three.len() {
        let (first, second) = three.split_at(cut);
        let frames = [first, second].map(Bytes::copy_from_slice);
        let answer = server.send("Talk", at_once(frames)).await;
        assert_eq!(
            (answer.texts, answer.status.code()),
            (vec!["a".into(), "b".into(), "c".into()], Code::Ok)
        );
    }
}

#[tokio::test]
async fn a_bad_message_in_mid_stream_gets_the_refusal_that_it_gets_alone() {
    let server = running().await;
    let alone = server.send("One", at_once([said("")])).await.status;
    assert_eq!(
        (alone.code(), alone.message()),
        (Code::InvalidArgument, "at /text: must not be empty")
    );
    let path = Failure::from_status(&alone).path;
    assert_eq!(path.as_deref(), Some("/text"));

    for method in MANY {
        let answer = server
            .send(method, at_once([said("a"), said(""), said("b")]))
            .await;

        assert_eq!(
            (answer.status.code(), answer.status.message()),
            (alone.code(), alone.message()),
            "{method}"
        );
        assert_eq!(Failure::from_status(&answer.status).path, path, "{method}");
        assert!(
            !answer.texts.contains(&"b".to_owned()),
            "{method}: nothing after it is read"
        );
    }
}

#[tokio::test]
async fn an_answer_that_has_begun_is_cut_off_with_the_refusal() {
    let server = running().await;
    let (notes, queue) = mpsc::channel(4);
    notes.send(said("a")).await.unwrap();
    let frames = stream::unfold(queue, async |mut queue| Some((queue.recv().await?, queue)));
    let call = server.send("Talk", frames);
    // The second note is bad, and the stream of the caller stays open: nothing but the refusal ends the call.
    let later = async {
        tokio::task::yield_now().await;
        notes.send(said("")).await.unwrap();
    };

    let (answer, ()) = tokio::join!(call, later);

    assert_eq!(answer.status.message(), "at /text: must not be empty");
    drop(notes);
}

#[tokio::test]
async fn what_is_no_message_is_refused_by_name_in_every_kind() {
    let server = running().await;
    let too_large = {
        let mut prefix = vec![0];
        prefix.put_u32(u32::try_from(MESSAGE_BYTES_MAX).unwrap() + 1);
        Bytes::from(prefix)
    };
    let whole = said("a long enough text");
    let broken = framed(0, b"\xff");
    for method in ONE.into_iter().chain(MANY) {
        for (frames, code, words) in [
            (
                vec![too_large.clone()],
                Code::InvalidArgument,
                "is larger than 32 MiB",
            ),
            (
                vec![whole.slice(..9)],
                Code::InvalidArgument,
                "ends in the middle of a message",
            ),
            (
                vec![whole.slice(..3)],
                Code::InvalidArgument,
                "ends in the middle of a message",
            ),
            (vec![framed(2, b"a")], Code::InvalidArgument, "unknown flag"),
            (
                vec![framed(1, b"a")],
                Code::Unimplemented,
                "send them uncompressed",
            ),
            (vec![broken.clone()], Code::InvalidArgument, "malformed"),
        ] {
            let status = server.send(method, at_once(frames)).await.status;
            assert_eq!(status.code(), code, "{method}: {status}");
            assert!(status.message().contains(words), "{method}: {status}");
        }
    }
    for (frames, words) in [
        (vec![], "no message came"),
        (vec![said("a"), said("b")], "more than one message"),
    ] {
        for method in ONE {
            let status = server.send(method, at_once(frames.clone())).await.status;
            assert!(status.message().contains(words), "{method}: {status}");
        }
    }
}

#[tokio::test]
async fn a_compressed_call_is_refused_with_what_is_understood() {
    let server = running().await;
    for method in ONE.into_iter().chain(MANY) {
        let refused = server
            .exchange(method, at_once([said("a")]), Some("gzip"))
            .await
            .status;

        assert_eq!(refused.code(), Code::Unimplemented, "{method}");
        assert_eq!(
            refused.message(),
            "messages compressed with gzip are not understood: send them uncompressed (grpc-encoding: identity)"
        );
        assert_eq!(
            refused.metadata().get("grpc-accept-encoding").unwrap(),
            "identity"
        );
        let plain = server
            .exchange(method, at_once([said("a")]), Some("identity"))
            .await
            .status;
        assert_eq!(plain.code(), Code::Ok, "{method}");
    }
}

#[test]
fn a_message_within_one_data_frame_is_handed_on_without_a_copy() {
    let whole = Bytes::from([said("first"), said("second")].concat());
    let mut messages = Messages::default();
    messages.feed(whole.clone());

    let first = messages.next().unwrap().unwrap();
    let second = messages.next().unwrap().unwrap();

    assert_eq!(first.as_ptr(), whole.as_ptr());
    assert_eq!(second.as_ptr(), whole[first.len()..].as_ptr());
    assert!(messages.next().unwrap().is_none() && messages.end().is_ok());
}

#[test]
fn a_prefix_that_promises_much_takes_no_memory() {
    let mut messages = Messages::default();
    let mut prefix = vec![0];
    prefix.put_u32(u32::try_from(MESSAGE_BYTES_MAX).unwrap());
    messages.feed(prefix.into());

    assert!(messages.next().unwrap().is_none());

    assert!(messages.reserved() < 1_024, "{}", messages.reserved());
}
