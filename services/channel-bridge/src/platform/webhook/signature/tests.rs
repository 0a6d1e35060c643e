use gatehouse_core::Secret;
use proptest::prelude::*;

use super::*;

const NOW: i64 = 1_790_000_000;

fn secret() -> Secret {
    Secret::new("a secret of some length")
}

fn home() -> AccountKey {
    AccountKey::new("webhook", "home")
}

fn scope(account: &AccountKey) -> Scope<'_> {
    Scope {
        direction: Direction::Inbound,
        method: "POST",
        target: "/webhooks/webhook/home",
        account,
    }
}

fn head(headers: &[(&str, &str)]) -> HttpHead {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    HttpHead {
        method: "POST".into(),
        target: "/webhooks/webhook/home".into(),
        headers: headers.iter().map(pair).collect(),
        peer: "192.0.2.1".into(),
    }
}

fn check(timestamp: &str, signature: &str, body: &[u8]) -> Result<(), SignatureError> {
    let head = head(&[(TIMESTAMP, timestamp), (SIGNATURE, signature)]);
    Shown::read(&head, NOW, true)?.verify(&secret(), scope(&home()), body)
}

fn signed(timestamp: i64) -> String {
    sign(&secret(), scope(&home()), timestamp, b"{}")
}

#[test]
fn what_was_signed_is_believed_within_five_minutes() {
    for off in [-300, 0, 300] {
        assert_eq!(check(&(NOW + off).to_string(), &signed(NOW + off), b"{}"), Ok(()));
    }
    for off in [-301, 301] {
        let result = check(&(NOW + off).to_string(), &signed(NOW + off), b"{}");
        assert_eq!(result, Err(SignatureError::Stale));
    }
}

#[test]
fn a_signature_is_good_for_one_request_to_one_account_in_one_direction() {
    let (home, other) = (home(), AccountKey::new("webhook", "other"));
    let good = scope(&home);
    let now = NOW.to_string();
    let believed = |scope: Scope<'_>| check(&now, &sign(&secret(), scope, NOW, b"{}"), b"{}");

    assert_eq!(believed(good), Ok(()));
    for bad in [
        Scope {
            account: &other,
            ..good
        },
        Scope {
            target: "/webhooks/webhook/other",
            ..good
        },
        Scope {
            target: "/webhooks/webhook/home?a=1",
            ..good
        },
        Scope {
            method: "PUT",
            ..good
        },
        Scope {
            direction: Direction::Outbound,
            ..good
        },
        // Lines that only together say the same.
        Scope {
            method: "POST\n/webhooks",
            target: "webhook/home",
            ..good
        },
    ] {
        assert_eq!(believed(bad), Err(SignatureError::Mismatch), "{bad:?}");
    }
    assert_eq!(check(&now, &signed(NOW), b"{ }"), Err(SignatureError::Mismatch));
    assert_eq!(
        check(&(NOW + 1).to_string(), &signed(NOW), b"{}"),
        Err(SignatureError::Mismatch)
    );
    let key = sign(&Secret::new("another"), good, NOW, b"{}");
    assert_eq!(check(&now, &key, b"{}"), Err(SignatureError::Mismatch));
}

#[test]
fn the_first_version_is_read_where_it_is_allowed_and_never_beside_the_second() {
    let (now, v1) = (NOW.to_string(), sign_v1(&secret(), NOW, b"{}"));
    let read = |headers: &[(&str, &str)], takes_v1| {
        let shown = Shown::read(&head(headers), NOW, takes_v1)?;
        shown
            .verify(&secret(), scope(&home()), b"{}")
            .map(|()| shown.version)
    };
    let old = [(TIMESTAMP, &*now), (SIGNATURE_V1, &*v1)];

    assert_eq!(read(&old, true), Ok(Version::First));
    assert_eq!(read(&old, false), Err(SignatureError::Old));
    let wrong = format!("sha256={}", "0".repeat(64));
    let both = [old[0], old[1], (SIGNATURE, &*wrong)];
    assert_eq!(
        read(&both, true),
        Err(SignatureError::Mismatch),
        "no way down to the older one"
    );
    let swapped = [(TIMESTAMP, &*now), (SIGNATURE, &*v1)];
    assert_eq!(read(&swapped, true), Err(SignatureError::Mismatch));
    let v2 = signed(NOW);
    let swapped = [(TIMESTAMP, &*now), (SIGNATURE_V1, &*v2)];
    assert_eq!(read(&swapped, true), Err(SignatureError::Mismatch));
}

#[test]
fn missing_and_malformed_headers_are_refused() {
    let good = signed(NOW);
    for headers in [
        &[][..],
        &[(SIGNATURE, &*good)],
        &[(TIMESTAMP, "1790000000")],
        &[(TIMESTAMP, "1790000000"), (SIGNATURE, &good), (SIGNATURE, &good)],
        &[
            (TIMESTAMP, "1790000000"),
            (TIMESTAMP, "1790000000"),
            (SIGNATURE, &good),
        ],
    ] {
        let read = Shown::read(&head(headers), NOW, true);
        assert_eq!(read.unwrap_err(), SignatureError::Malformed, "{headers:?}");
    }
    for timestamp in ["", "-1", "+1790000000", " 1790000000", "99999999999999", "1e9"] {
        assert_eq!(
            check(timestamp, &good, b"{}"),
            Err(SignatureError::Malformed),
            "{timestamp}"
        );
    }
    let bare = good.replace("sha256=", "");
    for signature in ["", "sha256=", "sha256=00", "sha1=00", "SHA256=", &bare] {
        assert_eq!(
            check("1790000000", signature, b"{}"),
            Err(SignatureError::Malformed),
            "{signature}"
        );
    }
}

#[test]
fn it_agrees_with_openssl() {
    // printf 'gatehouse-webhook-v2\ninbound\nPOST\n/webhooks/webhook/home\nwebhook/home\n1\nx' | openssl dgst -sha256 -hmac key
    assert_eq!(
        sign(&Secret::new("key"), scope(&home()), 1, b"x"),
        "sha256=435911fb657fef357b1c6d4881f95bfe2ec5cf95e1905775e9fcf2439ab01bd2"
    );
    // printf '1.x' | openssl dgst -sha256 -hmac key
    assert_eq!(
        sign_v1(&Secret::new("key"), 1, b"x"),
        "sha256=fc4913c41a7bf793267e2a384f3261c9436ec2cd097bd745e7b0d99113f510ec"
    );
}

proptest! {
    #[test]
    fn no_header_can_make_it_panic(timestamp in ".{0,20}", signature in "(sha256=)?.{0,80}") {
        let refused = check(&timestamp, &signature, b"{}").is_err();
        prop_assert!(refused);
    }
}
