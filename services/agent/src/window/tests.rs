use gatehouse_core::Content;
use proptest::prelude::*;

use super::*;

fn said(role: Role, words: &str) -> Message {
    Message {
        role,
        content: Content::text(words),
        provider: None,
    }
}

/// Twenty exchanges of about a hundred tokens each, and a question.
fn long() -> Vec<Message> {
    let text = "all work and no play makes a dull day ".repeat(5);
    let mut conversation = Vec::new();
    for number in 0..20 {
        conversation.push(said(Role::User, &format!("{number} {text}")));
        conversation.push(said(Role::Assistant, &text));
    }
    conversation.push(said(Role::User, "and now?"));
    conversation
}

fn fitted(conversation: &[Message], room: u64) -> Fitted<'_> {
    fit(Some("be kind"), conversation.iter().collect(), Some(room))
}

#[test]
fn what_fits_is_sent_whole_and_without_a_window_everything_is() {
    let conversation = long();

    for room in [Some(100_000), None] {
        let all = fit(None, conversation.iter().collect(), room);
        assert_eq!((all.messages.len(), all.left_out), (41, 0));
        assert_eq!(all.sent, all.before);
    }
}

#[test]
fn the_oldest_exchanges_go_as_wholes_and_the_question_stays() {
    let conversation = long();

    let some = fitted(&conversation, 1_000);

    assert!(some.sent <= 1_000 && some.sent > 600, "{}", some.sent);
    assert_eq!(some.left_out + some.messages.len(), 41);
    assert_eq!(some.messages.first().unwrap().role, Role::User);
    assert_eq!(some.messages.last().unwrap().content.words(), "and now?");
}

#[test]
fn the_question_stays_even_when_it_does_not_fit_itself() {
    let conversation = long();

    let only = fitted(&conversation, 1);

    assert_eq!((only.messages.len(), only.left_out), (1, 40));
}

#[test]
fn calls_stay_with_their_results_and_with_the_question_of_the_turn() {
    let content = |json| Content::from_json(json).unwrap();
    let step = |role, json| Message {
        role,
        content: content(json),
        provider: None,
    };
    let call = r#"[{"type":"toolCall","id":"c1","name":"ls","arguments":{"path": "."}}]"#;
    let result = r#"[{"type":"toolResult","toolCallId":"c1","toolName":"ls","content":"empty"}]"#;
    let mut conversation = long();
    conversation.push(step(Role::Assistant, call));
    conversation.push(step(Role::Tool, result));

    let kept = fitted(&conversation, 60);

    let roles: Vec<Role> = kept.messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::Tool]);
}

#[test]
fn a_huge_message_that_nobody_answered_goes_alone() {
    let mut conversation = long();
    let question = conversation.pop().unwrap();
    conversation.push(said(Role::User, &"too much of it ".repeat(2_000)));
    conversation.push(question);

    let kept = fitted(&conversation, 2_500);

    assert_eq!(kept.left_out, 1, "{}", kept.before);
}

#[test]
fn the_beginning_stays_the_same_for_several_turns() {
    let mut conversation = long();
    let mut beginnings = std::collections::BTreeSet::new();
    for number in 0..16 {
        let kept = fitted(&conversation, 1_500);
        assert!(kept.sent <= 1_500);
        beginnings.insert(kept.messages.first().unwrap().content.words());
        conversation.push(said(Role::Assistant, "fine, thank you, and you?"));
        conversation.push(said(Role::User, &format!("good {number}")));
    }
    assert!(beginnings.len() <= 3, "{beginnings:?}");
}

#[test]
fn a_window_keeps_room_for_the_answer_and_for_what_an_estimate_lacks() {
    let window = |tokens, answer| Window { tokens, answer };

    assert_eq!(window(4_096, None).room(), 2_765);
    assert_eq!(window(4_096, Some(96)).room(), 3_600);
    assert_eq!(window(4_096, Some(4_096)).room(), 1_844);
    assert_eq!(window(1, Some(1)).room(), 1);
    assert_eq!(window(128_000, None).room(), 111_514);
    assert_eq!(window(4_096, Some(4_096)).answer_behind(3_000), Some(1_096));
    assert_eq!(window(4_096, None).answer_behind(3_000), None);
    assert_eq!(window(10, Some(5)).answer_behind(3_000), Some(1));
}

proptest! {
    #[test]
    fn whatever_is_said_the_last_message_is_sent_and_the_rest_fits(
        lengths in prop::collection::vec((0_usize..3, 0_usize..400), 1..40), room in 0_u64..2_000, tokens in 1_u64..1_000_000_000, answer in prop::option::of(1_u64..1_000_000_000),
    ) {
        let roles = [Role::User, Role::Assistant, Role::Tool];
        let mut conversation: Vec<Message> = lengths.iter().map(|(role, words)| said(roles[*role], &"ab ".repeat(*words))).collect();
        conversation.push(said(Role::User, "last"));

        let kept = fit(None, conversation.iter().collect(), Some(room));

        prop_assert_eq!(kept.messages.last().unwrap().content.words(), "last");
        prop_assert!(kept.sent <= room || kept.messages.len() == 1);
        prop_assert_eq!(kept.left_out + kept.messages.len(), conversation.len());
        let room = Window { tokens, answer }.room();
        prop_assert!(room <= tokens, "{} of {}", room, tokens);
    }
}
