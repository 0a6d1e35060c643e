use super::*;

/// What an answer showed: how long each token waited, by the length of the text with it, and the bytes of all frames.
struct Shown {
    waits: Vec<(usize, Duration)>,
    bytes: usize,
}

/// An answer of tokens of five bytes, `gap` apart, shown as a run shows it.
async fn answer(pacer: &mut Pacer, text_bytes: usize, gap: Duration) -> Shown {
    let mut shown = Shown {
        waits: Vec::new(),
        bytes: 0,
    };
    let mut written = Vec::new();
    let mut text = 0;
    let mut piece = |now: Instant, text: usize, piece: &Piece, written: &mut Vec<(usize, Instant)>| {
        let repeats = if piece.detail_whole { 2 } else { 1 };
        shown.bytes += repeats * text + 2 * piece.delta.len() + FRAME_BYTES;
        shown
            .waits
            .extend(written.drain(..).map(|(at, came)| (at, now - came)));
    };
    while text < text_bytes {
        text += 5;
        let next = Instant::now() + gap;
        pacer.push("word ");
        written.push((text, Instant::now()));
        loop {
            let now = Instant::now();
            if let Some(due) = pacer.take_due(now, text) {
                piece(now, text, &due, &mut written);
            }
            match pacer.due(now) {
                Some(due) if due < next => tokio::time::sleep_until(due).await,
                Some(_) | None => break,
            }
        }
        tokio::time::sleep_until(next).await;
    }
    let now = Instant::now();
    if let Some(last) = pacer.take(now, text) {
        piece(now, text, &last, &mut written);
    }
    shown
}

/// What the same answer cost when a frame went out every 50 ms and both events repeated the text.
fn paced_by_a_clock(text_bytes: usize, took: Duration) -> usize {
    let pace = Duration::from_millis(50);
    let frames = usize::try_from(took.as_millis() / pace.as_millis()).unwrap();
    let middle: usize = (0..=frames)
        .map(|frame| 2 * text_bytes * frame / frames.max(1))
        .sum();
    middle + 2 * text_bytes + FRAME_BYTES * (frames + 2)
}

fn alone() -> Pacer {
    Pacer::new(Shared::default())
}

#[tokio::test(start_paused = true)]
async fn the_first_two_thousand_bytes_are_shown_token_by_token_at_the_pace_of_a_fast_model() {
    for gap in [5, 10, 20, 50] {
        let shown = answer(&mut alone(), 20_000, Duration::from_millis(gap)).await;

        let late: Vec<_> = shown
            .waits
            .iter()
            .filter(|(at, wait)| *at <= 2_000 && !wait.is_zero())
            .collect();
        assert!(late.is_empty(), "{gap} ms: {late:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_costs_no_more_bytes_than_a_frame_every_fifty_milliseconds_would() {
    for (gap_us, text) in [
        (5_000, 20_000),
        (10_000, 20_000),
        (1_000, 20_000),
        (20, 20_000),
        (5_000, 100_000),
    ] {
        let gap = Duration::from_micros(gap_us);
        let began = Instant::now();

        let shown = answer(&mut alone(), text, gap).await;

        let before = paced_by_a_clock(text, began.elapsed());
        assert!(
            shown.bytes <= before,
            "{gap:?} {text}: {} after {before}",
            shown.bytes
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_text_is_repeated_less_often_and_still_shown_to_its_end() {
    let began = Instant::now();
    let shown = answer(&mut alone(), 400_000, Duration::from_millis(1)).await;

    assert_eq!(shown.waits.last().map(|(at, _)| *at), Some(400_000));
    let allowed = f64::from(RUN.bytes_a_second) * began.elapsed().as_secs_f64() + f64::from(RUN.saved_bytes);
    #[expect(clippy::cast_precision_loss, reason = "some millions")]
    let bytes = shown.bytes as f64;
    // The last frame goes out whatever was spent, and the one before it may overdraw.
    assert!(bytes <= allowed + 4.0 * 400_000.0, "{bytes} of {allowed}");
}

#[tokio::test(start_paused = true)]
async fn all_runs_together_keep_to_what_one_connection_gets() {
    let began = Instant::now();
    let shared = Shared::default();
    let runs = (0..64).map(|_| {
        let shared = shared.clone();
        tokio::spawn(async move {
            let shown = answer(&mut Pacer::new(shared), 20_000, Duration::from_millis(5)).await;
            shown.bytes.saturating_sub(20_000 * 4) // the last piece goes out whatever was spent
        })
    });
    let mut bytes = 0;
    for run in runs.collect::<Vec<_>>() {
        bytes += run.await.unwrap();
    }

    let allowed = f64::from(CONNECTION.bytes_a_second) * began.elapsed().as_secs_f64()
        + f64::from(CONNECTION.saved_bytes);
    #[expect(clippy::cast_precision_loss, reason = "some millions")]
    let bytes = bytes as f64;
    assert!(bytes <= allowed + 100_000.0, "{bytes} of {allowed}");
}
