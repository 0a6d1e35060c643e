use serde_json::{Value, json};

use super::{Policy, Standing, Verdict, owners};
use crate::adapter::{Case, ChatKind, InboundMessage, Origin};
use gatehouse_core::Timestamp;

fn policy(json: Value) -> Policy {
    serde_json::from_value(json).unwrap()
}

fn said(kind: ChatKind, sender: &str, mentioned: bool) -> InboundMessage {
    InboundMessage {
        message_id: "1".into(),
        chat_kind: kind,
        chat_id: if kind == ChatKind::Direct {
            sender.into()
        } else {
            "#home".into()
        },
        chat_aliases: Vec::new(),
        case: Case::default(),
        origin: Origin::default(),
        reply_to: "#home".into(),
        thread_id: None,
        sender_id: sender.into(),
        sender_aliases: vec!["anna!a@host".into()],
        sender_name: Some("anna".into()),
        content: gatehouse_core::Content::text("x"),
        mentioned,
        from_bot: false,
        sent_at: Timestamp::EPOCH,
    }
}

fn direct() -> InboundMessage {
    said(ChatKind::Direct, "account:anna", false)
}

fn room(mentioned: bool) -> InboundMessage {
    said(ChatKind::Channel, "account:anna", mentioned)
}

fn refused(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Refuse(_))
}

#[test]
fn the_default_asks_a_stranger_to_pair_and_hears_no_group() {
    let policy = Policy::default();

    assert_eq!(policy.decide(&direct(), false), Verdict::Pair);
    assert_eq!(policy.decide(&direct(), true), Verdict::Accept);
    assert!(refused(policy.decide(&room(true), false)));
}

#[test]
fn an_empty_list_is_nobody() {
    for word in ["open", "allowlist"] {
        assert!(
            refused(policy(json!({"dmPolicy": word})).decide(&direct(), true)),
            "{word}"
        );
        assert!(
            refused(policy(json!({"dmPolicy": word, "allowFrom": [""]})).decide(&direct(), true)),
            "{word}"
        );
    }
    let groups = json!({"groups": {"#home": {"requireMention": false}}, "groupAllowFrom": []});
    assert!(refused(policy(groups).decide(&room(true), true)));
}

#[test]
fn an_id_may_be_written_as_a_number() {
    let numbers = policy(json!({"dmPolicy": "allowlist", "allowFrom": [42], "groupAllowFrom": [-7]}));

    assert_eq!(
        numbers.decide(&said(ChatKind::Direct, "42", false), false),
        Verdict::Accept
    );
    assert!(refused(
        numbers.decide(&said(ChatKind::Direct, "421", false), false)
    ));
}

#[test]
fn open_needs_the_star() {
    let open = policy(json!({"dmPolicy": "open", "allowFrom": ["*"]}));

    assert_eq!(open.decide(&direct(), false), Verdict::Accept);
}

#[test]
fn disabled_hears_nobody_not_even_the_listed() {
    let policy = policy(
        json!({"dmPolicy": "disabled", "allowFrom": ["*"], "groupPolicy": "disabled",
        "groups": {"*": {}}, "groupAllowFrom": ["*"]}),
    );

    assert!(refused(policy.decide(&direct(), true)));
    assert!(refused(policy.decide(&room(true), true)));
}

#[test]
fn an_approval_for_direct_messages_does_not_count_in_groups() {
    let policy = policy(json!({"groups": {"*": {}}, "allowFrom": ["account:anna"]}));

    assert_eq!(policy.decide(&direct(), true), Verdict::Accept);
    assert!(refused(policy.decide(&room(true), true)));
}

#[test]
fn an_id_is_matched_whole_and_a_name_only_on_demand() {
    let by_name = json!({"dmPolicy": "allowlist", "allowFrom": ["anna"]});
    assert!(refused(policy(by_name.clone()).decide(&direct(), false)));
    let mut asked = by_name;
    asked["dangerouslyAllowNameMatching"] = json!(true);
    assert_eq!(policy(asked).decide(&direct(), false), Verdict::Accept);

    let part = policy(json!({"dmPolicy": "allowlist", "allowFrom": ["account:ann", ":anna", "anna!a@hos"]}));
    assert!(refused(part.decide(&direct(), false)));
    let alias = policy(json!({"dmPolicy": "allowlist", "allowFrom": ["Anna!a@HOST"]}));
    assert_eq!(alias.decide(&direct(), false), Verdict::Accept);
}

#[test]
fn a_group_needs_a_mention_unless_its_rule_says_otherwise() {
    let open = policy(json!({"groupPolicy": "open"}));
    assert!(refused(open.decide(&room(false), false)));
    assert_eq!(open.decide(&room(true), false), Verdict::Accept);

    let own = policy(
        json!({"groupPolicy": "open", "groups": {"*": {"requireMention": true}, "#HOME": {"requireMention": false}}}),
    );
    assert_eq!(own.decide(&room(false), false), Verdict::Accept);
}

#[test]
fn an_allowlisted_group_hears_listed_senders_only() {
    let group = |allow: Value| policy(json!({"groups": {"#home": {}}, "groupAllowFrom": allow}));

    assert_eq!(
        group(json!(["account:anna"])).decide(&room(true), false),
        Verdict::Accept
    );
    assert!(refused(group(json!(["account:bert"])).decide(&room(true), false)));
    assert!(refused(
        policy(json!({"groups": {"#other": {}}, "groupAllowFrom": ["*"]})).decide(&room(true), false)
    ));
}

#[test]
fn a_disabled_group_is_silent_under_every_policy() {
    for word in ["open", "allowlist"] {
        let policy = policy(
            json!({"groupPolicy": word, "groupAllowFrom": ["*"], "groups": {"#home": {"enabled": false}, "*": {}}}),
        );
        assert!(refused(policy.decide(&room(true), false)), "{word}");
    }
}

#[test]
fn a_sender_is_known_by_a_list_by_a_code_or_as_an_owner_and_never_because_everybody_may_talk() {
    let open = policy(
        json!({"dmPolicy": "open", "allowFrom": ["*"], "groupPolicy": "open", "groupAllowFrom": ["*"]}),
    );
    assert_eq!(open.decide(&direct(), false), Verdict::Accept);
    assert_eq!(open.standing(&direct(), false), Standing::Anybody);
    assert_eq!(
        open.standing(&direct(), true),
        Standing::Listed,
        "approved by a code"
    );
    assert_eq!(
        open.standing(&room(true), true),
        Standing::Anybody,
        "which counts in direct messages only"
    );

    let listed = policy(
        json!({"allowFrom": ["*", "ACCOUNT:anna"], "groups": {"#home": {"allowFrom": ["account:anna"]}}}),
    );
    assert_eq!(listed.standing(&direct(), false), Standing::Listed);
    assert_eq!(listed.standing(&room(true), false), Standing::Listed);
    let elsewhere =
        policy(json!({"allowFrom": ["account:anna"], "groups": {"#work": {"allowFrom": ["account:anna"]}}}));
    assert_eq!(elsewhere.standing(&room(true), false), Standing::Anybody);

    let mut owned = open;
    owned.owners = vec!["account:anna".to_owned()];
    assert_eq!(owned.standing(&room(true), false), Standing::Owner);
    owned.owners = vec!["*".to_owned(), "anna".to_owned()];
    assert_eq!(
        owned.standing(&direct(), false),
        Standing::Anybody,
        "a name is not an identity"
    );
}

#[test]
fn an_owner_is_one_on_the_channel_that_is_named() {
    let list = [
        "irc:anna",
        "IRC: bert",
        "webhook:carl",
        "account:dora",
        "emil",
        "*",
        "irc:*",
        "",
    ]
    .map(str::to_owned);
    let channels = ["irc", "webhook"];

    assert_eq!(
        owners(&list, "irc", &channels),
        ["anna", "bert", "account:dora", "emil"]
    );
    assert_eq!(
        owners(&list, "webhook", &channels),
        ["carl", "account:dora", "emil"]
    );
}
