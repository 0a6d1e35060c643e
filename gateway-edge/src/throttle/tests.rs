use std::net::IpAddr;

use tokio::time;

use super::*;

const LIMITS: Limits = Limits {
    attempts_max: 10,
    window: Duration::from_secs(60),
    lockout: Duration::from_secs(300),
    exempt_loopback: true,
};

fn login(ip: &str, reach: Reach) -> Login {
    let ip = ip.parse().unwrap();
    Login {
        client: Client { ip, reach },
        browser: false,
    }
}

fn own(ip: &str) -> Login {
    login(ip, Reach::Own)
}

/// One of many addresses.
fn numbered(n: u32) -> Login {
    own(&IpAddr::from((0x0a00_0000 + n).to_be_bytes()).to_string())
}

fn fail(throttle: &Throttle, who: Login, times: u32) {
    (0..times).for_each(|_| throttle.failed(who, &LIMITS));
}

fn wait(throttle: &Throttle, who: Login) -> Option<Duration> {
    throttle.lockout(who, &LIMITS).map(|lockout| lockout.wait)
}

#[tokio::test(start_paused = true)]
async fn ten_failures_in_a_minute_lock_an_address_for_five() {
    let throttle = Throttle::default();
    let who = own("192.0.2.1");

    fail(&throttle, who, 9);
    assert_eq!(wait(&throttle, who), None);
    fail(&throttle, who, 1);
    assert_eq!(wait(&throttle, who), Some(LIMITS.lockout));
    assert_eq!(wait(&throttle, own("192.0.2.2")), None);

    time::advance(LIMITS.lockout).await;
    assert_eq!(wait(&throttle, who), None);
    fail(&throttle, who, 1);
    assert_eq!(
        wait(&throttle, who),
        None,
        "a lockout that is over counts from the start"
    );
}

#[tokio::test(start_paused = true)]
async fn failures_are_forgotten_after_a_minute_and_by_a_success() {
    let throttle = Throttle::default();
    let who = own("192.0.2.1");

    fail(&throttle, who, 9);
    time::advance(LIMITS.window).await;
    fail(&throttle, who, 9);
    throttle.succeeded(who, &LIMITS);
    fail(&throttle, who, 9);

    assert_eq!(wait(&throttle, who), None);
}

#[tokio::test(start_paused = true)]
async fn programs_on_this_machine_are_exempt_and_pages_and_clients_of_proxies_are_not() {
    let throttle = Throttle::default();
    let page = Login {
        browser: true,
        ..login("::1", Reach::Local)
    };

    fail(&throttle, login("127.0.0.1", Reach::Local), 50);
    assert_eq!(wait(&throttle, page), None);
    fail(&throttle, page, 10);
    assert!(wait(&throttle, page).is_some());
    assert_eq!(wait(&throttle, login("127.0.0.1", Reach::Local)), None);
    assert!(wait(&throttle, login("127.0.0.1", Reach::Shared)).is_some());
}

#[tokio::test(start_paused = true)]
async fn one_budget_for_a_peer_however_its_address_is_written() {
    let throttle = Throttle::default();

    fail(&throttle, own("192.0.2.1"), 5);
    fail(&throttle, own("::ffff:192.0.2.1"), 5);
    assert!(wait(&throttle, own("192.0.2.1")).is_some());

    fail(&throttle, own("2001:db8::1"), 5);
    fail(&throttle, own("2001:db8::2:0:0:1"), 5);
    assert!(wait(&throttle, own("2001:db8::3")).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_shared_address_is_locked_out_for_wrong_tokens_alone_and_one_success_does_not_end_it() {
    let throttle = Throttle::default();
    let bridge = login("172.17.0.1", Reach::Shared);
    fail(&throttle, bridge, 10);

    throttle.succeeded(bridge, &LIMITS);

    assert!(!throttle.lockout(bridge, &LIMITS).unwrap().complete);
    fail(&throttle, own("192.0.2.1"), 10);
    assert!(throttle.lockout(own("192.0.2.1"), &LIMITS).unwrap().complete);
}

#[tokio::test(start_paused = true)]
async fn a_lockout_outlives_the_failures_of_many_other_addresses_and_the_map_stays_bounded() {
    let throttle = Throttle::default();
    let guesser = own("203.0.113.1");
    fail(&throttle, guesser, 10);

    for n in 0..40_000 {
        if n % 10 == 0 {
            time::advance(Duration::from_millis(1)).await;
        }
        throttle.failed(numbered(n), &LIMITS);
    }

    assert!(throttle.records.lock().unwrap().by_peer.len() <= PEERS_MAX);
    assert!(wait(&throttle, guesser).is_some());
    fail(&throttle, own("203.0.113.2"), 10);
    assert!(
        wait(&throttle, own("203.0.113.2")).is_some(),
        "newcomers are still counted"
    );
}

#[tokio::test(start_paused = true)]
async fn lockouts_do_not_push_each_other_out_and_end_in_time() {
    let throttle = Throttle::default();
    let guesser = own("203.0.113.1");
    fail(&throttle, guesser, 10);

    for n in 0..20_000 {
        fail(&throttle, numbered(n), 10);
    }

    assert!(throttle.records.lock().unwrap().by_peer.len() <= PEERS_MAX);
    assert!(wait(&throttle, guesser).is_some());
    time::advance(LIMITS.lockout).await;
    fail(&throttle, own("203.0.113.2"), 10);
    assert!(
        wait(&throttle, own("203.0.113.2")).is_some(),
        "there is room again"
    );
}
