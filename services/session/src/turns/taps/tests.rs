use super::*;

fn text(seq: i64, text: &str) -> Piece {
    Piece::Text {
        seq,
        text: text.to_owned(),
    }
}

#[tokio::test]
async fn a_reader_gets_each_piece_by_itself_and_one_far_behind_gets_all_words_in_fewer() {
    let (taps, run) = (Taps::default(), RunId::new("r"));
    let (mut near, mut far) = (taps.open(&run, false), taps.open(&run, false));

    let words = 3 * i64::try_from(WAITING_MAX).unwrap();
    for seq in 0..words {
        taps.push(&run, &text(seq, "w "));
        assert_eq!(near.next().await, text(seq, "w "));
    }

    let (mut said, mut pieces) = (String::new(), 0);
    while let Some(Piece::Text { text, .. }) = far.take() {
        said.push_str(&text);
        pieces += 1;
    }
    assert_eq!(said, "w ".repeat(usize::try_from(words).unwrap()));
    assert_eq!(pieces, WAITING_MAX);
    drop((near, far));
    assert_eq!(taps.readers(&run), 0);
    assert!(taps.runs().is_empty());
}

#[test]
fn an_answer_that_is_begun_anew_goes_on_where_it_says_the_same_and_is_given_up_where_not() {
    let (taps, run) = (Taps::default(), RunId::new("r"));
    let mut tap = taps.open(&run, false);
    taps.push(&run, &text(1, "to be"));
    taps.replace(&run, 2, "to be or");
    taps.replace(&run, 3, "to be or");
    taps.replace(&run, 4, "to have");

    let pieces: Vec<_> = std::iter::from_fn(|| tap.take()).collect();

    assert_eq!(pieces, [text(1, "to be"), text(2, " or"), Piece::Rewritten]);
}

#[test]
fn who_can_take_back_what_was_said_gets_all_of_an_answer_that_is_begun_anew() {
    let (taps, run) = (Taps::default(), RunId::new("r"));
    let (mut forgets, mut keeps) = (taps.open(&run, true), taps.open(&run, false));
    taps.push(&run, &text(1, "to be"));
    taps.begin_anew(&run);
    taps.replace(&run, 2, "to be or");

    let pieces = |tap: &mut Tap| std::iter::from_fn(|| tap.take()).collect::<Vec<_>>();

    assert_eq!(
        pieces(&mut forgets),
        [text(1, "to be"), Piece::Anew, text(2, "to be or")]
    );
    assert_eq!(
        pieces(&mut keeps),
        [text(1, "to be"), Piece::Anew, text(2, " or")]
    );
}

#[test]
fn who_comes_late_reads_no_word_twice() {
    let (taps, run) = (Taps::default(), RunId::new("r"));
    let mut tap = taps.open(&run, false);
    taps.push(&run, &text(4, "b"));
    taps.push(&run, &text(5, "c"));

    tap.begin_behind("ab", 4);

    assert_eq!(tap.take(), Some(text(5, "c")));
    taps.replace(&run, 6, "abcd");
    assert_eq!(tap.take(), Some(text(6, "d")));
}
