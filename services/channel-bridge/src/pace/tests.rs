use super::*;

const NOW: Timestamp = Timestamp::from_ms(1_790_000_000_000);

/// Where programs do not say that they are some.
fn anybody() -> Pace {
    Pace {
        answers: Answers::Anybody,
        ..Pace::default()
    }
}

/// A conversation in which each message comes so many milliseconds after the answer to the one before, which takes a
/// second. After how many messages it is paused, if it is.
fn talk(
    partner: &mut Partner,
    pace: Pace,
    from: Timestamp,
    gaps: impl IntoIterator<Item = i64>,
) -> Option<usize> {
    let (mut at, mut said) = (from, None);
    for (count, gap) in gaps.into_iter().enumerate() {
        at = at.plus_ms(gap);
        let seq = at.as_ms(); // as good as any number that grows
        if partner.hear(seq, at, said, pace) != Met::Welcome {
            return Some(count);
        }
        at = at.plus_ms(1000);
        said = Some(at);
    }
    None
}

#[test]
fn two_programs_that_take_their_time_are_told_from_a_person_who_sleeps() {
    const MINUTE: i64 = 60_000;
    let slow = |gap: i64| talk(&mut Partner::default(), Pace::default(), NOW, vec![gap; 2000]);
    for gap in [3 * MINUTE, 10 * MINUTE, 45 * MINUTE] {
        assert_eq!(slow(gap), Some(720), "{gap}");
    }
    // Every few minutes all day long, and nights in between.
    let person = (1..2000).map(|n| if n % 150 == 0 { 480 * MINUTE } else { 5 * MINUTE });
    assert_eq!(talk(&mut Partner::default(), Pace::default(), NOW, person), None);
    let room = Pace::default().of_room();
    assert_eq!(
        talk(&mut Partner::default(), room, NOW, vec![5 * MINUTE; 2000]),
        None
    );
}

#[test]
fn a_clock_that_is_set_back_keeps_nobody_paused_and_counts_no_round_twice() {
    const YEAR: i64 = 365 * 24 * 3600 * 1000;
    let mut partner = Partner::default();
    talk(&mut partner, Pace::default(), NOW, vec![1; 100]);
    let next = partner.last_seq + 1;
    assert_eq!(
        partner.hear(next, NOW.plus_ms(60_000), None, Pace::default()),
        Met::Paused { first: false }
    );

    assert_eq!(
        partner.hear(next, NOW.plus_ms(-YEAR), None, Pace::default()),
        Met::Welcome
    );

    let mut busy = Partner {
        rounds: vec![NOW; 29],
        last_seq: 1,
        heard_at: NOW.plus_ms(-YEAR - 60_000),
        ..Partner::default()
    };
    let said = Some(NOW.plus_ms(-YEAR - 30_000));
    assert_eq!(
        busy.hear(2, NOW.plus_ms(-YEAR), said, Pace::default()),
        Met::Welcome
    );
}

#[test]
fn two_programs_that_answer_each_other_are_parted_after_a_few_rounds() {
    for gap in [1, 500, 2_000] {
        let after = talk(&mut Partner::default(), anybody(), NOW, vec![gap; 100]);
        assert_eq!(after, Some(8), "{gap}");
    }
    let slower = talk(&mut Partner::default(), Pace::default(), NOW, vec![12_000; 1000]);
    assert_eq!(slower, Some(30));
    let all_night = talk(&mut Partner::default(), Pace::default(), NOW, vec![60_000; 1000]);
    assert_eq!(all_night, Some(60));
}

#[test]
fn people_are_not_hit_however_much_they_talk() {
    let pace = Pace::default();
    // Quick words with a thought between them; a steady evening; a whole day of work with pauses.
    let chatty = (0..200).map(|n| {
        if n % 5 == 0 {
            40_000
        } else {
            15_000 + (n % 3) * 9_000
        }
    });
    let evening = (0..150).map(|n| if n % 20 == 19 { 180_000 } else { 30_000 });
    let working = (0..600).map(|n| if n % 30 == 29 { 900_000 } else { 45_000 });
    assert_eq!(talk(&mut Partner::default(), pace, NOW, chatty.take(25)), None);
    assert_eq!(talk(&mut Partner::default(), pace, NOW, evening), None);
    assert_eq!(talk(&mut Partner::default(), pace, NOW, working), None);

    // One word after the other in a quiz, each within seconds of the question.
    for gap in [700, 2_500, 4_500] {
        assert_eq!(talk(&mut Partner::default(), pace, NOW, vec![gap; 29]), None);
    }
    assert_eq!(
        talk(&mut Partner::default(), anybody(), NOW, vec![2_500; 29]),
        None
    );

    // Forty lines pasted at once are one message to count.
    let mut pasting = Partner::default();
    for line in 0..40 {
        assert_eq!(
            pasting.hear(line + 1, NOW.plus_ms(line), Some(NOW.plus_ms(-1)), pace),
            Met::Welcome
        );
    }
}

#[test]
fn a_pause_ends_by_itself_and_the_next_one_is_longer() {
    let (mut partner, pace) = (Partner::default(), Pace::default());
    talk(&mut partner, pace, NOW, vec![10; 100]);
    let until = partner.paused_until;
    assert!(until > NOW.plus_ms(600_000));
    assert_eq!(
        partner.hear(i64::MAX - 9, until.plus_ms(-1), Some(until.plus_ms(-2)), pace),
        Met::Paused { first: false }
    );

    assert_eq!(talk(&mut partner, pace, until, vec![10; 3]), None);
    assert!(talk(&mut partner, pace, until.plus_ms(60_000), vec![10; 100]).is_some());
    assert!(partner.paused_until.ms_since(until) > 1_200_000, "twice as long");
}

#[test]
fn the_same_row_again_is_answered_the_same() {
    let (mut partner, pace) = (Partner::default(), anybody());
    for round in 0..8 {
        let at = NOW.plus_ms(round * 100);
        assert_eq!(
            partner.hear(round + 1, at, Some(at.plus_ms(-50)), pace),
            Met::Welcome
        );
        assert_eq!(
            partner.hear(round + 1, at, Some(at.plus_ms(-50)), pace),
            Met::Welcome
        );
    }
    let at = NOW.plus_ms(800);
    for _ in 0..3 {
        assert_eq!(
            partner.hear(9, at, Some(at.plus_ms(-50)), pace),
            Met::Paused { first: true }
        );
    }
}

#[test]
fn programs_may_be_quick_and_nothing_bounds_whom_the_operator_lets() {
    let programs = Pace {
        answers: Answers::Programs,
        ..Pace::default()
    };
    assert_eq!(
        talk(&mut Partner::default(), programs, NOW, vec![10; 100]),
        Some(30)
    );
    assert_eq!(
        talk(&mut Partner::default(), programs.of_room(), NOW, vec![10; 100]),
        Some(90),
        "three times as many"
    );
    let free = Pace {
        turns_max: 0,
        ..Pace::default()
    };
    assert_eq!(talk(&mut Partner::default(), free, NOW, vec![10; 10_000]), None);
}

#[test]
fn under_another_bound_a_pause_is_over() {
    let mut partner = Partner::default();
    talk(&mut partner, Pace::default(), NOW, vec![10; 100]);
    let (at, next) = (partner.paused_until.plus_ms(-1000), partner.last_seq + 1);
    let wider = Pace {
        turns_max: 100,
        ..Pace::default()
    };
    let none = Pace {
        turns_max: 0,
        ..Pace::default()
    };

    assert!(partner.is_paused(at, Pace::default()) && partner.is_paused(at, anybody()));
    assert!(!partner.is_paused(at, wider) && !partner.is_paused(at, none));
    assert_eq!(partner.hear(next, at, Some(at.plus_ms(-1)), wider), Met::Welcome);
    assert!(!partner.is_paused(at, Pace::default()), "it does not come back");
}
