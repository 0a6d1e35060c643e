use tokio::time::advance;

use super::*;

fn shares(processors: f32) -> Arc<Shares> {
    Arc::new(Shares {
        processors,
        delayed: AtomicUsize::new(0),
    })
}

#[tokio::test(start_paused = true)]
async fn a_ping_every_few_seconds_is_no_flood_and_a_hundred_at_once_are_its_edge() {
    let mut pace = Pace::new(shares(1.0));

    for _ in 0..1_000 {
        pace.control().unwrap();
        advance(Duration::from_millis(200)).await;
    }
    for _ in 0..100 {
        pace.control().unwrap();
    }
    assert_eq!(pace.control(), Err(Close::CONTROL_FLOOD));
}

#[tokio::test(start_paused = true)]
async fn only_small_fragments_are_counted() {
    let mut pace = Pace::new(shares(1.0));

    for _ in 0..10_000 {
        pace.fragment(SMALL_FRAGMENT).unwrap();
    }
    for _ in 0..256 {
        pace.fragment(0).unwrap();
    }
    assert_eq!(pace.fragment(255), Err(Close::FRAGMENT_FLOOD));
}

#[tokio::test(start_paused = true)]
async fn who_does_not_wait_is_delayed_and_those_who_are_delayed_share_the_rate() {
    let shares = shares(1.0);
    let mut alone = Pace::new(Arc::clone(&shares));
    let delay_of = |pace: &mut Pace| {
        let (until, delayed) = pace.delay().expect("a delay");
        (until - Instant::now(), delayed)
    };

    (0..64).for_each(|_| alone.request());
    assert!(alone.delay().is_none(), "the burst");
    (0..10).for_each(|_| alone.request());
    let (wait, first) = delay_of(&mut alone);
    assert_eq!(wait.as_millis(), 10, "1,000 a second");
    let mut other = Pace::new(shares);
    (0..74).for_each(|_| other.request());
    let (wait, second) = delay_of(&mut other);
    assert_eq!(wait.as_millis(), 20, "half as many beside another");

    drop((first, second));
    advance(Duration::from_millis(10)).await;
    assert!(alone.delay().is_none(), "it has waited");
    alone.request();
    assert!(delay_of(&mut alone).0 <= Duration::from_millis(2));
}

#[tokio::test(start_paused = true)]
async fn single_bytes_cost_as_much_as_a_kibibyte_unless_their_sender_waits() {
    let mut pace = Pace::new(shares(1.0));

    for _ in 0..100_000 {
        pace.read(1);
        pace.waits();
    }
    assert!(pace.delay().is_none());
    for _ in 0..27 * 1024 {
        pace.read(1);
    }
    assert!(pace.delay().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_turn_ends_by_frames_and_by_bytes() {
    let mut pace = Pace::new(shares(1.0));

    (0..TURN_FRAMES - 1).for_each(|_| pace.frame());
    assert!(!pace.is_full());
    pace.frame();
    assert!(pace.is_full());
    pace.next_turn();
    assert!(!pace.is_full());
    pace.read(TURN_BYTES);
    assert!(pace.is_full());
}
