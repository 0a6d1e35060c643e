use proptest::prelude::*;

use super::*;

/// What was thought and what was said, of an answer in these pieces.
fn split<'p>(pieces: impl IntoIterator<Item = &'p str>) -> (String, String) {
    let (mut splitter, mut out) = (Splitter::default(), Vec::new());
    for piece in pieces {
        splitter.push(piece, &mut out);
    }
    splitter.finish(&mut out);
    let (mut thought, mut said) = (String::new(), String::new());
    for piece in out {
        match piece {
            Piece::Text(text) => said.push_str(&text),
            Piece::Thinking(text) => thought.push_str(&text),
            Piece::WasThinking => thought.push_str(&std::mem::take(&mut said)),
            Piece::Call(_) => {}
        }
    }
    (thought, said)
}

#[test]
fn thinking_between_marks_is_no_part_of_the_answer() {
    for (answer, thought, said) in [
        (
            "<think>\nThe user says hello.\n</think>\n\nHello there",
            "The user says hello.\n",
            "Hello there",
        ),
        ("\n\n<think>hm</think>Hello", "hm", "Hello"),
        ("\u{feff}<think>hm</think>Hello", "hm", "Hello"),
        ("\u{200b}\n<think>hm</think>Hello", "hm", "Hello"),
        ("\u{feff}Hello", "", "\u{feff}Hello"),
        (
            "<|START_THINKING|>hm<|END_THINKING|><|START_RESPONSE|>Hello<|END_RESPONSE|>",
            "hm",
            "Hello",
        ),
        ("<|START_RESPONSE|>Hello<|END_RESPONSE|>", "", "Hello"),
        ("<|channel>thought\nhm<channel|>Hello", "hm", "Hello"),
        ("<|channel>thought\n<channel|>Hello", "", "Hello"),
        ("<THINK>hm</Think>Hello", "hm", "Hello"),
        ("<thinking>hm</thinking> Hello", "hm", "Hello"),
        ("[THINK]hm[/THINK]Hello", "hm", "Hello"),
        ("◁think▷hm◁/think▷Hello", "hm", "Hello"),
        ("<reasoning>hm</reasoning>\nHello", "hm", "Hello"),
        ("<think>a</think>\n<think>b</think>Hello", "ab", "Hello"),
        ("<think></think>\n\nHello", "", "Hello"),
        ("<think effort=\"high\">hm</think>Hello", "hm", "Hello"),
        ("<thinking time='3 s'>hm</thinking>Hello", "hm", "Hello"),
        ("<think about it", "", "<think about it"),
        ("<thinker>Hello", "", "<thinker>Hello"),
        (
            "<think>if a < b </thin then</think>Hello",
            "if a < b </thin then",
            "Hello",
        ),
        ("Hello\n<think>hm</think>\nthere", "hm", "Hello\nthere"),
        // The template wrote the opening mark.
        (
            "The user says hello.\n</think>\n\nHello",
            "The user says hello.\n",
            "Hello",
        ),
        ("It greets me.</think>Hello", "It greets me.", "Hello"),
        ("</think>\n\nHello", "", "Hello"),
        // It never stopped thinking.
        ("<think>hm, and then", "hm, and then", ""),
        ("<think>hm</thi", "hm</thi", ""),
    ] {
        assert_eq!(split([answer]), (thought.to_owned(), said.to_owned()), "{answer}");
    }
}

#[test]
fn the_mark_of_a_turns_end_is_no_part_of_the_answer_wherever_it_is_cut() {
    for (answer, said) in [
        ("Hello<|im_end|>", "Hello"),
        ("Hello<|im_end|>\n", "Hello"),
        ("Hello\n<|eot_id|>", "Hello\n"),
        ("Hello<|im_end|><|endoftext|>", "Hello"),
        ("Hello<end_of_turn>\n<end_of_turn>", "Hello"),
        ("Hello<｜end▁of▁sentence｜>", "Hello"),
        ("<|im_end|>", ""),
        ("<think>hm</think>Hello<|im_end|>", "Hello"),
        // What somebody asked about, what only looks like one, and what goes on.
        ("A turn ends with `<|im_end|>`", "A turn ends with `<|im_end|>`"),
        ("A turn ends with '<|im_end|>", "A turn ends with '<|im_end|>"),
        ("```\n<|im_end|>", "```\n<|im_end|>"),
        ("```\n<|im_end|>\n```", "```\n<|im_end|>\n```"),
        ("Write <|im_end|> there", "Write <|im_end|> there"),
        ("Hello<|im_e", "Hello<|im_e"),
        ("a < b <", "a < b <"),
        ("<s>old</s>", "<s>old</s>"),
        ("Hello<|im_end|>?", "Hello<|im_end|>?"),
    ] {
        let letters: Vec<String> = answer.chars().map(String::from).collect();
        assert_eq!(split(letters.iter().map(String::as_str)).1, said, "{answer}");
        for (cut, _) in answer.char_indices() {
            let (first, second) = answer.split_at(cut);
            assert_eq!(split([first, second]).1, said, "{answer} cut at {cut}");
        }
    }
}

#[test]
fn a_model_that_writes_nothing_but_ends_is_shown_and_fills_no_memory() {
    let endless = "<|im_end|> ".repeat(100_000);
    assert_eq!(split([&*endless]).1, endless);

    let (mut splitter, mut out) = (Splitter::default(), Vec::new());
    for _ in 0..100_000 {
        splitter.push("<|im_end|> ", &mut out);
        assert!(splitter.ending.len() <= end::BYTES_MAX);
    }
    splitter.push("<|im_end|>", &mut out);
    for _ in 0..100_000 {
        splitter.push(" ", &mut out);
        assert!(splitter.ending.len() <= end::BYTES_MAX);
    }
}

#[test]
fn messages_of_openai_s_format_are_told_apart_by_their_channel() {
    let (analysis, last) = (
        "<|channel|>analysis<|message|>",
        "<|start|>assistant<|channel|>final<|message|>",
    );
    for (answer, thought, said) in [
        (
            format!("{analysis}It greets me.<|end|>{last}Hello<|return|>"),
            "It greets me.",
            "Hello",
        ),
        (format!("{analysis}hm{last}a < b"), "hm", "a < b"),
        (format!("{last}Hello"), "", "Hello"),
        (
            "<|start|>assistant<|message|>Hello<|end|>".to_owned(),
            "",
            "Hello",
        ),
        (
            format!("{analysis}a<|end|>\n<|channel|>analysis<|message|>b<|end|>\n{last}Hello<|return|>\n"),
            "ab",
            "Hello",
        ),
        // It tells what it does, and calls a tool that nobody reads.
        (
            format!(
                "<|channel|>commentary<|message|>I look.<|end|><|start|>assistant<|channel|>commentary to=functions.ls \
                 <|constrain|>json<|message|>{{}}<|call|>{last}Hello"
            ),
            "{}",
            "I look.\n\nHello",
        ),
        // The template wrote the first header.
        (
            format!("It greets me.<|end|>{last}Hello<|return|>"),
            "It greets me.",
            "Hello",
        ),
        // It is cut off.
        (format!("{analysis}hm, and"), "hm, and", ""),
        (format!("{analysis}hm<|end|><|start|>assis"), "hm", ""),
        ("<|channel|>anal".to_owned(), "", ""),
        // Words about it.
        (
            "<|channel|> names a channel.".to_owned(),
            "",
            "<|channel|> names a channel.",
        ),
        (
            "Write `<|end|><|start|>` behind it.".to_owned(),
            "",
            "Write `<|end|><|start|>` behind it.",
        ),
    ] {
        assert_eq!(
            split([&*answer]),
            (thought.to_owned(), said.to_owned()),
            "{answer}"
        );
        let bytes: Vec<String> = answer.chars().map(String::from).collect();
        assert_eq!(
            split(bytes.iter().map(String::as_str)),
            (thought.to_owned(), said.to_owned()),
            "{answer}, a letter at a time"
        );
    }
}

#[test]
fn what_somebody_asked_about_is_left_in_the_answer() {
    for answer in [
        "Models write <think> before they answer.",
        "Use `</think>` to end it.",
        "It looks like so:\n```\n<think>\nhm\n</think>\n```\nDone.",
        "a < b, [x] and <b>bold</b>",
        "<thermometer> is a tag",
        "x\n<reasoning>y</reasoning>",
        "    indented code\n\tand a tab",
        "a\n\n\n  b  \n",
        "<",
        "ends with <thin",
        "1. one\n2. two\n",
    ] {
        assert_eq!(split([answer]), (String::new(), answer.to_owned()), "{answer}");
    }
}

#[test]
fn a_thought_in_the_middle_that_never_ends_is_said_all_the_same() {
    let (thought, said) = split(["An example:\n<think>\nall of the rest"]);

    assert_eq!(thought, "all of the rest");
    assert!(
        said.starts_with("An example:\n<think>") && said.ends_with("all of the rest"),
        "{said}"
    );
}

#[test]
fn white_space_alone_is_no_answer_and_an_endless_one_does_not_wait_for_ever() {
    assert_eq!(split([" \n\n "]), (String::new(), String::new()));
    let (mut splitter, mut out) = (Splitter::default(), Vec::new());
    splitter.push(&" ".repeat(SPACE_BYTES_MAX + 1), &mut out);
    assert!(!out.is_empty());
}

proptest! {
    #[test]
    fn where_the_pieces_are_cut_makes_no_difference(
        parts in prop::collection::vec(prop::sample::select(vec![
            "<think>", "</think>", "<thought>", "</thought>", "[THINK]", "[/THINK]", "<", ">", "```", "`", "\n", " ", "\t", "a", "◁think▷", "◁/think▷", "ü", "<|start|>", "assistant",
            "<|channel|>", "analysis", "final", "<|message|>", "<|end|>", "<|return|>", "<|",
        ]), 0..14),
        cuts in prop::collection::vec(0_usize..90, 0..14),
    ) {
        let answer = parts.concat();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| answer.floor_char_boundary(cut)).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut start = 0;
        for cut in cuts.into_iter().chain([answer.len()]) {
            pieces.push(answer.get(start..cut).unwrap());
            start = cut;
        }

        prop_assert_eq!(split(pieces), split([&*answer]));
    }
}
