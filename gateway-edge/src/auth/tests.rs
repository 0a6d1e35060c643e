use gatehouse_contract::Access;
use tokio::time;

use super::*;
use crate::admission::{Client, Reach};

const NOW: Timestamp = Timestamp::from_ms(1_000_000);

fn row(id: &str, token: &str) -> Credential {
    let digest = Secret::new(token).digest();
    Credential {
        id: id.into(),
        digest: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        role: "operator".into(),
        scopes: Grants::all(Role::Operator).scopes().map(str::to_owned).collect(),
        device_id: None,
        ..Credential::default()
    }
}

fn phone() -> Credential {
    Credential {
        scopes: vec!["operator.read".into(), "operator.write".into()],
        device_id: Some("phone".into()),
        expire_time_ms: Some(NOW.plus_ms(5_000).as_ms()),
        ..row("phone-1", "token of the phone")
    }
}

/// The table of most tests: the shared token, and one device.
fn table() -> Credentials {
    Credentials::read(&[row("shared", "the shared token"), phone()])
}

fn unauthenticated(ip: &str) -> Login {
    Login {
        client: Client {
            ip: ip.parse().unwrap(),
            reach: Reach::Own,
        },
        browser: false,
    }
}

fn login(table: &Credentials, token: &str, now: Timestamp) -> Result<Arc<Identity>, Denied> {
    let (throttle, limits) = (Throttle::default(), Limits::default());
    let shown = Secret::new(token);
    decide(
        table,
        &throttle,
        &limits,
        unauthenticated("192.0.2.1"),
        &[Some(&shown)],
        None,
        now,
    )
}

#[test]
fn each_row_is_somebody_else() {
    let table = table();

    let shared = login(&table, "the shared token", NOW).unwrap();
    let device = login(&table, "token of the phone", NOW).unwrap();

    assert_eq!((&*shared.credential, shared.device.as_deref()), ("shared", None));
    assert!(Access::Admin.allows(&shared.bound));
    assert_eq!(
        (&*device.credential, device.device.as_deref()),
        ("phone-1", Some("phone"))
    );
    assert!(Access::Write.allows(&device.bound) && !Access::Admin.allows(&device.bound));
    assert_eq!(login(&table, "another", NOW), Err(Denied::Unknown));
    assert_eq!(login(&table, "", NOW), Err(Denied::Unknown));
}

#[test]
fn nothing_shown_and_nothing_known_are_told_apart() {
    let (throttle, limits) = (Throttle::default(), Limits::default());
    let who = unauthenticated("192.0.2.1");

    assert_eq!(
        decide(&table(), &throttle, &limits, who, &[None, None], None, NOW),
        Err(Denied::Missing)
    );
    assert_eq!(
        login(&Credentials::default(), "the shared token", NOW),
        Err(Denied::Unknown)
    );
}

#[test]
fn a_row_that_cannot_be_read_opens_nothing_and_the_others_stay() {
    let bad = |change: fn(&mut Credential)| {
        let mut bad = row("bad", "bad token");
        change(&mut bad);
        bad
    };
    let table = Credentials::read(&[
        bad(|row| row.digest.clear()),
        bad(|row| row.digest.push('0')),
        bad(|row| row.digest.replace_range(..1, "g")),
        bad(|row| row.role = "emperor".into()),
        bad(|row| row.id.clear()),
        row("good", "good token"),
    ]);

    assert_eq!(login(&table, "bad token", NOW), Err(Denied::Unknown));
    assert!(login(&table, "good token", NOW).is_ok());
}

#[test]
fn of_two_rows_with_one_digest_the_first_counts() {
    let narrow = Credential {
        scopes: Vec::new(),
        ..row("first", "one token")
    };

    let table = Credentials::read(&[narrow, row("second", "one token")]);

    assert_eq!(&*login(&table, "one token", NOW).unwrap().credential, "first");
}

#[test]
fn a_row_is_good_until_its_time_and_not_a_millisecond_longer() {
    let table = table();

    let device = login(&table, "token of the phone", NOW.plus_ms(4_999)).unwrap();

    assert!(table.still_allow(&device, &device.bound, NOW.plus_ms(4_999)));
    assert!(!table.still_allow(&device, &device.bound, NOW.plus_ms(5_000)));
    assert_eq!(
        login(&table, "token of the phone", NOW.plus_ms(5_000)),
        Err(Denied::Expired)
    );
    assert_eq!(table.next_expiry(NOW), Some(NOW.plus_ms(5_000)));
    assert_eq!(
        table.next_expiry(NOW.plus_ms(5_000)),
        None,
        "what is over is not waited for"
    );
    assert_eq!(Credentials::default().next_expiry(NOW), None);
}

#[test]
fn whoever_came_with_a_row_loses_what_the_row_loses() {
    let device = login(&table(), "token of the phone", NOW).unwrap();
    let read = Grants::new(Role::Operator, ["operator.read"]);
    let shared = row("shared", "the shared token");
    let with = |changed: Credential| Credentials::read(&[shared.clone(), changed]);

    let gone = Credentials::read(std::slice::from_ref(&shared));
    let narrowed = with(Credential {
        scopes: vec!["operator.read".into()],
        ..phone()
    });
    let given_away = with(Credential {
        device_id: Some("tablet".into()),
        ..phone()
    });
    let renamed = with(Credential {
        id: "phone-2".into(),
        ..phone()
    });
    let made_a_node = with(Credential {
        role: "node".into(),
        ..phone()
    });
    let prolonged = with(Credential {
        expire_time_ms: None,
        ..phone()
    });

    for table in [&gone, &given_away, &renamed, &made_a_node] {
        assert!(!table.still_allow(&device, &read, NOW));
    }
    assert!(!narrowed.still_allow(&device, &device.bound, NOW));
    assert!(
        narrowed.still_allow(&device, &read, NOW),
        "it never asked for more"
    );
    assert!(prolonged.still_allow(&device, &device.bound, NOW.plus_ms(60_000)));
    let other = login(&gone, "the shared token", NOW).unwrap();
    assert!(
        gone.still_allow(&other, &other.bound, NOW),
        "one row is revoked alone"
    );
}

#[tokio::test(start_paused = true)]
async fn wrong_tokens_lock_out_and_an_expired_one_is_no_guess() {
    let (table, throttle, limits) = (table(), Throttle::default(), Limits::default());
    let who = unauthenticated("192.0.2.1");
    let ask = |token: &str| {
        let shown = Secret::new(token);
        decide(
            &table,
            &throttle,
            &limits,
            who,
            &[Some(&shown)],
            None,
            NOW.plus_ms(5_000),
        )
    };

    for _ in 0..2 * limits.attempts_max {
        assert_eq!(ask("token of the phone"), Err(Denied::Expired));
    }
    for _ in 0..limits.attempts_max {
        assert_eq!(ask("a guess"), Err(Denied::Unknown));
    }
    assert!(
        matches!(ask("the shared token"), Err(Denied::LockedOut(_))),
        "the right one tells nothing either"
    );

    time::advance(limits.lockout).await;
    assert!(ask("the shared token").is_ok());
}

#[test]
fn a_thousand_rows_are_as_good_as_one() {
    let rows: Vec<Credential> = (0..1_000)
        .map(|n| row(&format!("c{n}"), &format!("token {n}")))
        .collect();
    let table = Credentials::read(&rows);

    assert_eq!(&*login(&table, "token 999", NOW).unwrap().credential, "c999");
    assert_eq!(login(&table, "token 1000", NOW), Err(Denied::Unknown));
}

#[test]
fn a_token_of_a_device_is_good_beside_its_key_alone() {
    let keyed = Credential {
        device_id: Some("the device".into()),
        needs_device_key: true,
        ..row("device-1", "token of the device")
    };
    let table = Credentials::read(&[row("shared", "the shared token"), keyed, phone()]);
    let (throttle, limits) = (Throttle::default(), Limits::default());
    let login = |shown: &str, held: Option<&str>| {
        let who = unauthenticated("192.0.2.1");
        let shown = Secret::new(shown);
        decide(&table, &throttle, &limits, who, &[None, Some(&shown)], held, NOW)
    };

    assert!(login("token of the device", Some("the device")).is_ok());
    assert_eq!(login("token of the device", None), Err(Denied::ForeignDevice));
    assert_eq!(
        login("token of the device", Some("another")),
        Err(Denied::ForeignDevice)
    );
    assert_eq!(
        login("token of the phone", Some("another")),
        Err(Denied::ForeignDevice),
        "who proves to be another device is not that one"
    );
    assert!(login("token of the phone", None).is_ok());
    assert!(
        login("the shared token", Some("another")).is_ok(),
        "the gateway token is nobody's"
    );
}

#[test]
fn a_device_token_beside_a_wrong_token_is_found_and_counts_as_no_guess() {
    let (table, throttle) = (table(), Throttle::default());
    let limits = Limits {
        attempts_max: 1,
        ..Limits::default()
    };
    let (wrong, right) = (Secret::new("a guess"), Secret::new("token of the phone"));
    let who = unauthenticated("192.0.2.1");

    for _ in 0..3 {
        let shown = [Some(&wrong), Some(&right)];
        let identity = decide(&table, &throttle, &limits, who, &shown, None, NOW).unwrap();
        assert_eq!(&*identity.credential, "phone-1");
    }
}
