use prometheus_client::encoding::text::encode;

use super::*;

fn state(account: &str, counts: Option<Counts>) -> AccountState {
    AccountState {
        key: AccountKey::new("irc", account),
        up: counts.is_some(),
        inbox: counts.map(|_| 3),
        counts,
    }
}

fn text(metrics: &Metrics) -> String {
    let (mut registry, mut text) = (Registry::default(), String::new());
    metrics.register(&mut registry);
    encode(&mut text, &registry).unwrap();
    text
}

#[test]
fn accounts_are_shown_with_what_waits_for_as_long_as_they_are_configured() {
    let metrics = Metrics::default();
    let counts = Counts {
        waiting: 2,
        parts: 5,
        oldest_at: Some(Timestamp::from_ms(1_000)),
        dead: 1,
        delivered: 3,
        read: 2,
        ..Counts::default()
    };

    metrics.accounts(
        vec![state("home", Some(counts)), state("gone", None)],
        Timestamp::from_ms(31_000),
    );
    metrics.part(&AccountKey::new("irc", "home"));
    metrics.part(&AccountKey::new("irc", "home"));
    metrics.restart(&AccountKey::new("irc", "home"));

    let page = text(&metrics);
    for line in [
        "gatehouse_channel_up{channel=\"irc\",account=\"home\"} 1",
        "gatehouse_channel_up{channel=\"irc\",account=\"gone\"} 0",
        "gatehouse_channel_waiting{channel=\"irc\",account=\"home\"} 2",
        "gatehouse_channel_waiting_parts{channel=\"irc\",account=\"home\"} 5",
        "gatehouse_channel_oldest_waiting_seconds{channel=\"irc\",account=\"home\"} 30.0",
        "gatehouse_channel_dead_letters{channel=\"irc\",account=\"home\"} 1",
        "gatehouse_channel_reported_parts{channel=\"irc\",account=\"home\",state=\"delivered\"} 3",
        "gatehouse_channel_reported_parts{channel=\"irc\",account=\"home\",state=\"read\"} 2",
        "gatehouse_channel_reported_parts{channel=\"irc\",account=\"home\",state=\"not_delivered\"} 0",
        "gatehouse_channel_inbox_waiting{channel=\"irc\",account=\"home\"} 3",
        "gatehouse_channel_parts_total{channel=\"irc\",account=\"home\"} 2",
        "gatehouse_channel_restarts_total{channel=\"irc\",account=\"home\"} 1",
    ] {
        assert!(page.lines().any(|found| found == line), "{line}: {page}");
    }
    metrics.accounts(vec![state("home", None)], Timestamp::from_ms(31_000));
    assert!(!text(&metrics).contains("gone"), "{}", text(&metrics));
}

#[test]
fn messages_are_counted_in_the_words_of_the_log() {
    let metrics = Metrics::default();

    metrics.count("irc", Direction::Out, Fate::Delivered);

    let line = "gatehouse_channel_messages_total{channel=\"irc\",direction=\"out\",fate=\"delivered\"} 1";
    assert!(text(&metrics).contains(line), "{}", text(&metrics));
}
