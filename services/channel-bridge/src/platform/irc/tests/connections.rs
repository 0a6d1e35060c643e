//! Servers that refuse, speak TLS, or are away.

use super::*;

#[tokio::test]
async fn what_the_server_refuses_is_a_dead_letter() {
    let server = Ngircd::start().await;
    let (_folder, bench) = gateway(&server, json!({})).await;

    bench.say("k", "nobody", "hello?").await;
    bench.settled().await;

    assert_eq!(bench.stores.outbox.counts(key("a")).await.unwrap().dead, 1);
    bench.stop().await;
}

#[tokio::test]
async fn a_byte_that_is_not_utf_8_does_not_throw_the_assistant_out() {
    let server = Ngircd::start().await;
    let (_folder, bench) = gateway(&server, json!({})).await;
    let anna = Person::connect(server.port, "anna").await;
    anna.meets("#home", "gate").await;
    let mut writer = anna.writer.lock().unwrap().take().unwrap();
    writer
        .write_all(b"PRIVMSG #home :caf\xe9\r\nPRIVMSG #home :after\r\n")
        .await
        .unwrap();

    until("both", async || (bench.heard.texts().len() >= 2).then_some(())).await;
    assert_eq!(bench.heard.texts(), ["caf\u{fffd}", "after"]);
    assert_eq!(bench.progress.snapshot().reconnect_count, 0);
    bench.stop().await;
}

#[tokio::test]
async fn tls_is_spoken_with_a_certificate_that_is_trusted_and_with_no_other() {
    let server = Ngircd::start().await;
    let trusted = json!({"port": server.tls_port, "tls": true, "tlsCaFile": testdata("loopback-cert.pem")});
    let (_folder, bench) = gateway(&server, trusted).await;
    let anna = Person::connect(server.port, "anna").await;
    anna.meets("#home", "gate").await;
    bench.stop().await;

    let (_folder, stores) = stores();
    let stranger = Bench::run(
        &stores,
        Clock::system(),
        irc(json!({"port": server.tls_port, "tls": true})),
    );
    until("a refusal", async || {
        (stranger.progress.snapshot().state == State::Backoff).then_some(())
    })
    .await;
    assert!(stranger.progress.snapshot().last_connected_at.is_none());
    stranger.stop().await;
}

#[tokio::test]
async fn a_port_that_speaks_the_other_thing_is_told_with_what_to_set() {
    let server = Ngircd::start().await;
    for (config, hint) in [
        (
            json!({"port": server.tls_port, "tls": true}),
            "channels.irc.tlsCaFile",
        ),
        (
            json!({"port": server.tls_port, "tls": false}),
            "channels.irc.tls to true",
        ),
    ] {
        let (_folder, stores) = stores();
        let bench = Bench::run(&stores, Clock::system(), irc(config));

        let error = until("an error", async || bench.progress.snapshot().last_error).await;

        assert!(error.contains(hint), "{error}");
        bench.stop().await;
    }
}

#[tokio::test]
async fn an_account_that_wants_sasl_does_not_enter_a_server_without_it() {
    let server = Ngircd::start().await;
    let (_folder, stores) = stores();
    let sasl = json!({"port": server.port, "sasl": {"account": "gate", "password": "pass"}});
    let bench = Bench::run(&stores, Clock::system(), irc(sasl));

    let error = until("a refusal", async || bench.progress.snapshot().last_error).await;

    assert!(error.contains("SASL"), "{error}");
    assert!(bench.progress.snapshot().last_connected_at.is_none());
    bench.stop().await;
}

#[tokio::test]
async fn a_server_that_is_away_is_found_when_it_is_back() {
    let mut server = Ngircd::start().await;
    let (_folder, bench) = gateway(&server, json!({})).await;
    server.server.kill().await.unwrap();
    until("the loss", async || {
        (bench.progress.snapshot().state != State::Connected).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_millis(500)).await;

    server.restart().await;

    until("the way back", async || {
        (bench.progress.snapshot().state == State::Connected).then_some(())
    })
    .await;
    assert!(bench.progress.snapshot().reconnect_count >= 1);
    bench.stop().await;
}
