//! What a device of a named user lives by.

use gatehouse_core::Timestamp;
use rusqlite::Connection;

use super::{
    super::users::{self as kept, Ended, Made, Wanted},
    users::{add, of},
    *,
};

/// A user with a first token.
async fn ann(store: &Store) -> Made {
    add(
        store,
        "ann",
        &["operator.admin"],
        &["operator.read", "operator.write"],
    )
    .await
    .unwrap()
}

/// Another token of the user, good for some seconds.
async fn another(store: &Store, seconds: Option<i64>) -> Made {
    let wanted = Wanted {
        scopes: vec!["operator.read".to_owned(), "operator.write".to_owned()],
        label: None,
        seconds,
    };
    let made = store.run(move |tx| kept::add_token(tx, &actor(&["operator.admin"]), "ann", &wanted, NOW));
    made.await.unwrap()
}

async fn revoke(store: &Store, made: &Made) -> Ended {
    let id = made.id.clone();
    store.run(move |tx| kept::revoke_token(tx, &id)).await.unwrap()
}

fn phone(made: &Made) -> Asking {
    of("ann", made, asking(1, &["operator.read"]))
}

/// The end of the device and of its token, as the edge is told.
fn ends(table: &Table) -> Vec<Option<Timestamp>> {
    let tokens = table
        .credentials
        .iter()
        .filter(|row| row.id.starts_with("device/"));
    let devices = table.devices.iter().map(|row| row.expire_time_ms);
    let ends = devices.chain(tokens.map(|row| row.expire_time_ms));
    ends.map(|end| end.map(Timestamp::from_ms)).collect()
}

#[tokio::test]
async fn a_device_ends_with_the_token_of_the_user_that_it_was_paired_with() {
    let store = store();
    let (first, second) = (ann(&store).await, another(&store, None).await);
    store.paired(phone(&first)).await;
    store
        .paired(of(
            "ann",
            &first,
            Asking {
                local: true,
                ..node(1, "127.0.0.1")
            },
        ))
        .await;
    store.paired(asking(2, &["operator.read"])).await;

    let ended = revoke(&store, &first).await;

    let devices: Vec<String> = ended.devices.into_iter().map(|(device, _)| device).collect();
    assert_eq!((devices, ended.nodes), (vec![id(1)], vec![id(1)]));
    let table = store.table().await;
    assert_eq!(
        table.devices.len(),
        1,
        "what the owner vouched for stays: {table:?}"
    );
    assert_eq!(table.devices[0].device_id, id(2));
    assert_eq!(
        store.pending(phone(&second)).await.1,
        "not-paired",
        "with another token of the user it is approved again"
    );
    store.paired(phone(&second)).await;
}

#[tokio::test]
async fn a_role_that_another_token_vouched_for_stays() {
    let store = store();
    let (first, second) = (ann(&store).await, another(&store, None).await);
    store.paired(phone(&first)).await;
    store
        .paired(of(
            "ann",
            &second,
            Asking {
                local: true,
                ..node(1, "127.0.0.1")
            },
        ))
        .await;

    let ended = revoke(&store, &first).await;

    assert!(ended.devices.is_empty() && ended.nodes.is_empty(), "{ended:?}");
    assert_eq!(store.table().await.devices[0].role, "node");
}

#[tokio::test]
async fn a_device_is_over_when_the_token_is_and_is_then_forgotten() {
    let store = store();
    ann(&store).await;
    let short = another(&store, Some(60)).await;
    let token = store.paired(phone(&short)).await;
    let over = NOW.plus_ms(60_000);

    assert_eq!(ends(&store.table().await), [Some(over), Some(over)]);
    // A new token of the device is good no longer than the old one.
    let key = store.key.clone();
    let rotated = store.run(move |tx| {
        let all = actor(&["operator.admin"]);
        manage::rotate(tx, &key, &all, &id(1), "operator", &[], NOW)
    });
    assert_ne!(rotated.await.unwrap().1.expose(), token.expose());
    assert_eq!(ends(&store.table().await), [Some(over), Some(over)]);

    let key = store.key.clone();
    let later = store.run(move |tx| admit::admit(tx, &key, &asking_first(), &asking(2, &[]), over));
    later.await.unwrap();
    assert!(store.table().await.devices.is_empty());
    assert_eq!(store.run(|tx| rows::find_device(tx, &id(1))).await.unwrap(), None);
}

#[tokio::test]
async fn what_one_token_vouched_for_does_not_live_on_by_another() {
    let store = store();
    let (first, second) = (ann(&store).await, another(&store, Some(60)).await);
    store.paired(phone(&first)).await;

    // It asks for more with the other one: from here on it lives by that, with what that one vouched for.
    store
        .paired(of("ann", &second, asking(1, &["operator.write"])))
        .await;

    let table = store.table().await;
    assert_eq!(table.devices[0].scopes, ["operator.write"]);
    assert_eq!(
        ends(&table),
        [Some(NOW.plus_ms(60_000)), Some(NOW.plus_ms(60_000))]
    );
    assert!(revoke(&store, &first).await.devices.is_empty());
    assert_eq!(revoke(&store, &second).await.devices[0].0, id(1));
}

#[tokio::test]
async fn a_request_and_a_setup_code_end_with_the_token_that_they_were_made_with() {
    let store = store();
    ann(&store).await;
    let (short, long) = (another(&store, Some(60)).await, another(&store, None).await);
    let (request, ..) = store.pending(phone(&short)).await;
    let (other, ..) = store.pending(phone(&long)).await;
    assert_ne!(request, other, "whoever approves sees who asks");
    store.pending(phone(&short)).await;
    let ends = store.run(|tx| rows::all_requests(tx, NOW)).await.unwrap();
    assert_eq!(ends[0].expires_at, NOW.plus_ms(60_000), "and not in an hour");
    store
        .approve(actor(&["operator.admin"]), &ends[0].id)
        .await
        .unwrap();
    assert_eq!(
        store.table().await.devices[0].expire_time_ms,
        Some(NOW.plus_ms(60_000).as_ms())
    );

    let maker = |made: &Made| Actor {
        user_id: Some("ann".into()),
        credential: Some(format!("user/ann/{}", made.id)),
        ..actor(&["operator.admin"])
    };
    let (by, again) = (maker(&long), maker(&long));
    let code = store.run(move |tx| setup::create(tx, &by, Profile::Node, "u", NOW));
    let token = Secret::new(
        decoded(&code.await.unwrap().text)["bootstrapToken"]
            .as_str()
            .unwrap(),
    );
    let with_code = |n: u8| Asking {
        setup_digest: Some(hex::encode(&token.digest())),
        ..node(n, "192.0.2.1")
    };
    let used = store.admit(asking_first(), with_code(3)).await.unwrap();
    assert!(matches!(used, Admitted::Paired(_)), "{used:?}");
    let code = store.run(move |tx| setup::create(tx, &again, Profile::Node, "u", NOW));
    let unused = Secret::new(
        decoded(&code.await.unwrap().text)["bootstrapToken"]
            .as_str()
            .unwrap(),
    );
    assert_eq!(revoke(&store, &long).await.nodes, [id(3)]);
    let late = Asking {
        setup_digest: Some(hex::encode(&unused.digest())),
        ..node(4, "192.0.2.1")
    };
    let late = store.admit(asking_first(), late).await.unwrap();
    assert!(matches!(late, Admitted::CodeInvalid), "{late:?}");
}

#[tokio::test]
async fn a_token_that_is_gone_or_unknown_vouches_for_nothing() {
    let store = store();
    let made = ann(&store).await;
    revoke(&store, &made).await;

    for credential in [
        phone(&made).credential,
        Some("phone-1".to_owned()),
        Some(format!("device/{}/operator", id(1))),
        None,
    ] {
        let asking = Asking {
            credential,
            ..phone(&made)
        };
        let refused = store.admit(local(), asking).await;
        assert!(matches!(refused, Err(DeviceError::NoSuchToken(_))), "{refused:?}");
    }
    let proxied = Asking {
        credential: Some(format!("proxy/user/ann/{}", made.id)),
        ..phone(&made)
    };
    let refused = store.admit(local(), proxied).await;
    assert!(matches!(refused, Err(DeviceError::NoToken)), "{refused:?}");
    assert!(store.table().await.devices.is_empty());
}

#[test]
fn devices_that_users_paired_before_their_tokens_were_kept_pair_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("devices.db");
    drop(Database::open(&path, &MIGRATIONS[..1]).unwrap());
    let old = Connection::open(&path).unwrap();
    old.execute_batch(
        "INSERT INTO user VALUES ('ann', NULL, 1, 1);
         INSERT INTO device (id, public_key, user_id, approved_via, created_at, approved_at)
             VALUES ('hers', 'k', 'ann', 'silent', 1, 1), ('owners', 'k', NULL, 'silent', 1, 1);
         INSERT INTO device_role (device_id, role, scopes) VALUES ('hers', 'operator', ''), ('owners', 'operator', '');",
    )
    .unwrap();
    drop(old);

    drop(Database::open(&path, MIGRATIONS).unwrap());

    let now = Connection::open(&path).unwrap();
    let ids: String = now
        .query_row("SELECT group_concat(device_id) FROM device_role", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(ids, "owners");
}
