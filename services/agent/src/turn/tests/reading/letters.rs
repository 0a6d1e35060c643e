//! Servers that do not write UTF-8.

use super::*;

fn latin_1(text: &str) -> Vec<u8> {
    let letter = |c: char| u8::try_from(u32::from(c)).expect("a letter of Latin-1");
    text.chars().map(letter).collect()
}

fn answer(status: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

#[tokio::test]
async fn an_answer_is_read_in_the_letters_that_its_head_names() {
    let document = r#"{"choices":[{"index":0,"delta":{"content":"Grüße aus Köln"},"finish_reason":"stop"}]}"#;
    let body = latin_1(&format!("data: {document}\n\ndata: [DONE]\n\n"));
    for kind in [
        "text/event-stream; charset=ISO-8859-1",
        "text/event-stream;Charset=\"windows-1252\"",
    ] {
        let server = Server::says(answer("200 OK", kind, &body)).await;

        assert_eq!(text(&ask(&server).await), "Grüße aus Köln", "{kind}");
    }
    let mislabelled = format!("data: {document}\n\ndata: [DONE]\n\n");
    let server = Server::says(answer(
        "200 OK",
        "text/event-stream; charset=ISO-8859-1",
        mislabelled.as_bytes(),
    ));
    assert_eq!(
        text(&ask(&server.await).await),
        "Grüße aus Köln",
        "its head is wrong"
    );
}

#[tokio::test]
async fn the_words_of_a_refusal_keep_their_letters_also_where_nobody_names_them() {
    for (kind, body) in [
        ("application/json", latin_1(r#"{"error":"Gerät läuft nicht"}"#)),
        (
            "text/html; charset=iso-8859-1",
            latin_1("<html><title>Gerät läuft nicht</title></html>"),
        ),
        (
            "application/json",
            br#"{"error":"Ger\u00e4t l\u00e4uft nicht"}"#.to_vec(),
        ),
    ] {
        let server = Server::says(answer("500 Broken", kind, &body)).await;

        let failure = failed(&ask(&server).await);

        assert!(
            failure.message.contains("Gerät läuft nicht"),
            "{}",
            failure.message
        );
    }
}
