use gatehouse_document::bindings::{BindingMatch, PeerMatch};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::test_runner::contextualize_config;

use super::*;
use crate::config::{self, DmScope, GroupScope};

fn config(json: &str) -> SessionConfig {
    serde_json::from_str(json).unwrap()
}

fn decide(config: &SessionConfig, inbound: &Inbound) -> Result<Route, RouteError> {
    Router::read(config).route(inbound, &Agents::read(&config.agents))
}

fn direct(id: &str) -> Inbound {
    Inbound {
        channel: "irc".to_owned(),
        account: "home".to_owned(),
        peer: Peer {
            kind: PeerKind::Direct,
            id: id.to_owned(),
            case: Case::Unicode,
        },
        parent: None,
        guild: None,
        team: None,
        roles: Vec::new(),
        thread: None,
    }
}

fn room(id: &str) -> Inbound {
    Inbound {
        peer: Peer {
            kind: PeerKind::Channel,
            id: id.to_owned(),
            case: Case::Unicode,
        },
        ..direct("")
    }
}

fn key(config_json: &str, inbound: &Inbound) -> String {
    decide(&config(config_json), inbound).unwrap().key.to_string()
}

#[test]
fn direct_messages_go_where_the_scope_says() {
    let alice = direct("Alice");
    let scoped = |scope: &str| key(&format!(r#"{{"session":{{"dmScope":"{scope}"}}}}"#), &alice);

    assert_eq!(key("{}", &alice), "agent:main:main");
    assert_eq!(scoped("main"), "agent:main:main");
    assert_eq!(scoped("per-peer"), "agent:main:direct:alice");
    assert_eq!(scoped("per-channel-peer"), "agent:main:irc:direct:alice");
    assert_eq!(
        scoped("per-account-channel-peer"),
        "agent:main:irc:home:direct:alice"
    );
}

#[test]
fn a_binding_names_a_room_in_any_spelling_that_its_network_takes_for_the_same() {
    let bindings = r##"{"agents":{"list":[{"id":"main","default":true},{"id":"clerk"}]},
        "bindings":[{"agentId":"clerk","match":{"channel":"irc","accountId":"home","peer":{"kind":"channel","id":"#Home[1]~"}}}]}"##;
    let agent = |id: &str, case: Case| {
        let mut room = room(id);
        room.peer.case = case;
        decide(&config(bindings), &room).unwrap().agent.to_string()
    };

    for (id, case, expected) in [
        ("#home[1]~", Case::Unicode, "clerk"),
        ("#home{1}^", Case::Unicode, "main"),
        ("#home{1}^", Case::Rfc1459, "clerk"),
        ("#HOME[1}^", Case::Rfc1459, "clerk"),
        ("#home{1}~", Case::Rfc1459Strict, "clerk"),
        ("#home{1}^", Case::Rfc1459Strict, "main"),
        ("#home{2}^", Case::Rfc1459, "main"),
    ] {
        assert_eq!(agent(id, case), expected, "{id} {case:?}");
    }
}

#[test]
fn rooms_have_their_own_session_unless_told_otherwise() {
    let thread = Inbound {
        thread: Some("9".to_owned()),
        ..room("#Home")
    };

    assert_eq!(key("{}", &room("#Home")), "agent:main:irc:channel:#home");
    assert_eq!(key("{}", &thread), "agent:main:irc:channel:#home:thread:9");
    assert_eq!(
        key(r#"{"session":{"groupScope":"main"}}"#, &room("#home")),
        "agent:main:main"
    );
    assert_eq!(
        key(r#"{"session":{"scope":"global"}}"#, &room("#home")),
        "agent:main:global"
    );
}

#[test]
fn a_topic_stands_behind_its_group_as_clients_know_it_and_inherits_its_bindings() {
    let group = |id: &str| Inbound {
        channel: "telegram".to_owned(),
        peer: Peer {
            kind: PeerKind::Group,
            id: id.to_owned(),
            case: Case::Ascii,
        },
        ..direct("")
    };
    let topic = Inbound {
        parent: Some(group("-100").peer),
        ..group("-100:topic:42")
    };
    let bound = |id: &str| {
        format!(
            r#"{{"agents":{{"list":[{{"id":"main","default":true}},{{"id":"clerk"}}]}},
                "bindings":[{{"agentId":"clerk","match":{{"channel":"telegram","accountId":"*","peer":{{"kind":"group","id":"{id}"}}}}}}]}}"#
        )
    };

    assert_eq!(key("{}", &group("-100")), "agent:main:telegram:group:-100");
    assert_eq!(key("{}", &topic), "agent:main:telegram:group:-100:topic:42");
    for odd in ["-100:topic:", "-100:topic:x", "-100:4"] {
        assert!(!key("{}", &group(odd)).contains("-100:"), "{odd}");
    }
    for id in ["-100:topic:42", "-100"] {
        let route = decide(&config(&bound(id)), &topic).unwrap();
        assert_eq!(
            route.key.to_string(),
            "agent:clerk:telegram:group:-100:topic:42",
            "{id}"
        );
    }
    assert_eq!(
        key(&bound("-100:topic:43"), &topic),
        "agent:main:telegram:group:-100:topic:42"
    );
}

#[test]
fn one_person_on_two_channels_is_one_session() {
    let linked = r#"{"session":{"dmScope":"per-peer","identityLinks":{"Alice":["irc:ali","webhook:7"]}}}"#;
    let webhook = Inbound {
        channel: "webhook".to_owned(),
        ..direct("7")
    };

    assert_eq!(key(linked, &direct("ALI")), "agent:main:direct:alice");
    assert_eq!(key(linked, &webhook), "agent:main:direct:alice");
    assert_eq!(key(linked, &direct("7")), "agent:main:direct:7");
}

#[test]
fn a_binding_may_change_the_scope() {
    let bound = r#"{"bindings":[{"agentId":"main","match":{"channel":"irc","accountId":"*"},"session":{"dmScope":"per-peer","groupScope":"main"}}]}"#;

    assert_eq!(key(bound, &direct("bob")), "agent:main:direct:bob");
    assert_eq!(key(bound, &room("#home")), "agent:main:main");
}

#[test]
fn a_binding_for_an_unknown_agent_is_an_error_and_no_fallback() {
    let bound = config(
        r#"{"bindings":[{"agentId":"ghost","match":{"channel":"irc","accountId":"home"}},{"agentId":"main","match":{"channel":"irc","accountId":"*"}}]}"#,
    );

    assert!(matches!(
        decide(&bound, &direct("bob")),
        Err(RouteError::UnknownAgent { binding: 0, .. })
    ));
}

#[test]
fn several_agents_and_no_binding_need_a_default() {
    let two = config(r#"{"agents":{"entries":{"a":{},"b":{}}}}"#);

    assert_eq!(
        decide(&two, &direct("bob")),
        Err(RouteError::Agent(AgentError::SelectionRequired))
    );
}

#[test]
fn a_binding_without_an_account_is_for_the_default_account() {
    let bound = config(
        r#"{"agents":{"entries":{"a":{"default":true},"b":{}}},"bindings":[{"agentId":"b","match":{"channel":"irc"}}]}"#,
    );

    assert_eq!(decide(&bound, &direct("bob")).unwrap().agent.as_str(), "a");
    let on_default = Inbound {
        account: String::new(),
        ..direct("bob")
    };
    let route = decide(&bound, &on_default).unwrap();
    assert_eq!(
        (route.agent.as_str(), route.matched_by.word()),
        ("b", "binding.account")
    );
}

/// The rules once more, said the slow way: give every binding a score by what it names, throw out what does not fit,
/// take the best score and then the first.
fn naive(bindings: &[Binding], inbound: &Inbound) -> (u8, Option<usize>) {
    let group = |kind: config::PeerKind| kind != config::PeerKind::Direct;
    let inbound_group = |peer: &Peer| peer.kind != PeerKind::Direct;
    let mut best: Option<(u8, usize)> = None;
    for (index, binding) in bindings.iter().enumerate() {
        let when = &binding.when;
        let account = when.account_id.clone().unwrap_or_else(|| "default".to_owned());
        if when.channel != inbound.channel || (account != "*" && account != inbound.account) {
            continue;
        }
        if when.guild_id.is_some() && when.guild_id != inbound.guild {
            continue;
        }
        if when.team_id.is_some() && when.team_id != inbound.team {
            continue;
        }
        if !when.roles.is_empty() && !when.roles.iter().any(|role| inbound.roles.contains(role)) {
            continue;
        }
        let score = match &when.peer {
            Some(peer) if peer.id == "*" => {
                if group(peer.kind) != inbound_group(&inbound.peer) {
                    continue;
                }
                3
            }
            Some(peer) => {
                let fits = |other: &Peer| other.id == peer.id && group(peer.kind) == inbound_group(other);
                if fits(&inbound.peer) {
                    1
                } else if inbound.parent.as_ref().is_some_and(fits) {
                    2
                } else {
                    continue;
                }
            }
            None if when.guild_id.is_some() => {
                if when.roles.is_empty() {
                    5
                } else {
                    4
                }
            }
            None if when.team_id.is_some() => 6,
            None if account != "*" => 7,
            None => 8,
        };
        if best.is_none_or(|(best, _)| score < best) {
            best = Some((score, index));
        }
    }
    best.map_or((9, None), |(score, index)| (score, Some(index)))
}

fn word(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    proptest::sample::select(words).prop_map(str::to_owned)
}

fn kind() -> impl Strategy<Value = PeerKind> {
    proptest::sample::select(vec![PeerKind::Direct, PeerKind::Group, PeerKind::Channel])
}

prop_compose! {
    fn peer()(kind in kind(), id in word(&["p", "q", "r"])) -> Peer { Peer { kind, id, case: Case::Unicode } }
}

fn match_kind() -> impl Strategy<Value = config::PeerKind> {
    use config::PeerKind::{Channel, Direct, Group};
    proptest::sample::select(vec![Direct, Group, Channel])
}

prop_compose! {
    fn peer_match()(kind in match_kind(), id in word(&["p", "q", "*"])) -> PeerMatch { PeerMatch { kind, id } }
}

prop_compose! {
    fn when()(channel in word(&["irc", "irc", "webhook"]), account_id in of(word(&["default", "home", "*"])), peer in of(peer_match()),
        guild_id in of(word(&["g", "h"])), team_id in of(word(&["t", "u"])), roles in vec(word(&["x", "y"]), 0..2)) -> BindingMatch {
        BindingMatch { channel, account_id, peer, guild_id, team_id, roles }
    }
}

prop_compose! {
    fn inbound()(account in word(&["default", "home"]), peer in peer(), parent in of(peer()), guild in of(word(&["g", "h"])),
        team in of(word(&["t", "u"])), roles in vec(word(&["x", "y"]), 0..2)) -> Inbound {
        Inbound { channel: "irc".to_owned(), account, peer, parent, guild, team, roles, thread: None }
    }
}

proptest! {
    #![proptest_config(contextualize_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() }))]

    #[test]
    fn the_router_agrees_with_the_naive_model(matches in vec(when(), 0..12), inbound in inbound()) {
        let bindings: Vec<Binding> = matches.into_iter().enumerate()
            .map(|(index, when)| Binding { agent_id: format!("a{index}"), when, session: None, kind: BindingKind::Route })
            .collect();
        let entries: Vec<String> = (0..bindings.len()).map(|index| format!(r#""a{index}":{{}}"#)).collect();
        let mut config = config(&format!(r#"{{"agents":{{"entries":{{"fallback":{{"default":true}}{}{}}}}}}}"#,
            if entries.is_empty() { "" } else { "," }, entries.join(",")));
        config.bindings = bindings;

        let route = decide(&config, &inbound).unwrap();

        let (score, index) = naive(&config.bindings, &inbound);
        let agent = index.map_or_else(|| "fallback".to_owned(), |index| format!("a{index}"));
        prop_assert_eq!(route.agent.as_str(), agent);
        prop_assert_eq!(route.matched_by as u8 + 1, score);
    }

    #[test]
    fn two_people_never_share_a_session_of_their_own(a in "[a-z:%/ ]{1,12}", b in "[a-z:%/ ]{1,12}") {
        prop_assume!(a.trim() != b.trim() && !a.trim().is_empty() && !b.trim().is_empty());
        let scopes = Scopes::read(&crate::config::SessionSection { dm_scope: DmScope::PerChannelPeer, group_scope: GroupScope::PerGroup, ..Default::default() });
        let key = |id: &str| scopes.key(&AgentId::main(), &direct(id), BindingSession::default()).unwrap();

        prop_assert_ne!(key(&a), key(&b));
    }
}
