//! Thoughts inside of the text.

use super::super::trial;
use super::*;

#[test]
fn thoughts_between_marks_are_told_apart_wherever_the_body_is_cut() {
    for answer in [
        "It greets me.</think>Hello",
        "<|channel|>analysis<|message|>It greets me.<|end|><|start|>assistant<|channel|>final<|message|>Hello",
    ] {
        let half = answer.len() / 2;
        let (first, second) = answer.split_at(half);
        for body in [
            events(&[&*delta(answer), STOP, "[DONE]"]),
            events(&[&*delta(first), &*delta(second), STOP, "[DONE]"]),
            format!(
                "{{\"choices\":[{{\"message\":{{\"content\":\"{answer}\"}},\"finish_reason\":\"stop\"}}]}}"
            ),
        ] {
            for cut in 0..body.len() {
                let (begin, end) = body.as_bytes().split_at(cut);
                let (thought, said, _) = trial::read([begin, end]);
                assert_eq!((&*thought, &*said), ("It greets me.", "Hello"), "{cut}: {body}");
            }
        }
    }
}
