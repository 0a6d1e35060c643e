//! Nicks that are taken, or too long for a server.

use super::*;

#[tokio::test]
async fn a_taken_nick_is_passed_by_and_regained_when_it_is_free() {
    let server = Ngircd::start().await;
    let squatter = Person::connect(server.port, "gate").await;
    squatter.line("JOIN #home").await;
    let (_folder, bench) = gateway(&server, json!({})).await;
    squatter.meets("#home", "gate_").await;

    squatter.line("QUIT").await;
    squatter.sees("ERROR").await;

    let anna = Person::connect(server.port, "anna").await;
    anna.meets("#home", "gate").await;
    bench.stop().await;
}

#[tokio::test]
async fn a_nick_that_is_too_long_is_shortened_to_what_the_server_says() {
    let server = Ngircd::start_with_nicks_of(9).await;
    let anna = Person::connect(server.port, "anna").await;
    anna.line("JOIN #home").await;

    let (_folder, bench) = gateway(&server, json!({"nick": "my-gatehouse"})).await;

    anna.meets("#home", "my-gateho").await;
    let notices = bench.progress.snapshot().notices;
    assert!(
        notices[0].contains("Nickname too long, max. 9 characters (432)"),
        "{notices:?}"
    );
    bench.stop().await;
}
