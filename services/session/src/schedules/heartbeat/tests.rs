use super::*;

fn beats(config: &str) -> Vec<Beat> {
    read(&serde_json::from_str(config).unwrap())
}

#[test]
fn without_a_block_nobody_looks_and_with_one_of_its_own_only_that_agent_does() {
    assert!(beats("{}").is_empty());
    assert!(beats(r#"{"agents":{"entries":{"a":{}}}}"#).is_empty());
    let all = beats(r#"{"agents":{"defaults":{"heartbeat":{"every":"1h"}},"entries":{"a":{},"b":{}}}}"#);
    assert_eq!(all.len(), 2);
    let own = beats(
        r#"{"agents":{"defaults":{"heartbeat":{"every":"1h"}},"entries":{"a":{},"b":{"heartbeat":{"target":"last"}}}}}"#,
    );
    let [b] = own.as_slice() else {
        panic!("one: {own:?}")
    };
    assert_eq!(
        (b.agent.as_str(), b.every_ms, &b.route),
        ("b", Some(3_600_000), &Route::Last)
    );
}

#[test]
fn the_owner_is_told_unless_something_else_is_said_and_never_a_group_by_mistake() {
    let route = |heartbeat: &str, owners: &str| {
        let config = format!(
            r#"{{"agents":{{"defaults":{{"heartbeat":{heartbeat}}}}},"commands":{{"ownerAllowFrom":{owners}}}}}"#
        );
        beats(&config).remove(0).route
    };
    let anna = || Route::Chat {
        channel: "irc".to_owned(),
        to: "anna".to_owned(),
    };

    assert_eq!(route("{}", r#"["irc:anna"]"#), anna());
    assert_eq!(route("{}", r#"["*"]"#), Route::Unknown);
    assert_eq!(route("{}", "[]"), Route::Unknown);
    assert_eq!(route(r#"{"target":"irc","to":"anna"}"#, "[]"), anna());
    assert_eq!(route(r#"{"target":"irc"}"#, r#"["irc:anna"]"#), Route::Unknown);
    assert_eq!(route(r#"{"target":"none"}"#, "[]"), Route::Nobody);
}

#[test]
fn active_hours_are_those_of_their_zone_and_may_span_midnight() {
    let active = |start: &str, end: &str, now: &str| {
        let config = format!(
            r#"{{"agents":{{"defaults":{{"heartbeat":{{"activeHours":{{"start":"{start}","end":"{end}","timezone":"Europe/Berlin"}}}}}}}}}}"#
        );
        let now: jiff::Timestamp = now.parse().unwrap();
        beats(&config)[0].is_active(Timestamp::from_ms(now.as_millisecond()))
    };

    assert!(active("08:00", "24:00", "2027-01-15T07:00:00Z"), "8 in Berlin");
    assert!(!active("08:00", "24:00", "2027-01-15T06:59:00Z"));
    assert!(active("22:00", "06:00", "2027-01-15T22:30:00Z"));
    assert!(active("22:00", "06:00", "2027-01-15T04:30:00Z"));
    assert!(!active("22:00", "06:00", "2027-01-15T12:00:00Z"));
}
