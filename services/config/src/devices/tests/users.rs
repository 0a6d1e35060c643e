//! Named users.

use super::{
    super::users::{self, Made, Wanted},
    *,
};

fn wanted(scopes: &[&str]) -> Wanted {
    Wanted {
        scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
        label: None,
        seconds: None,
    }
}

pub(super) async fn add(
    store: &Store,
    id: &'static str,
    by: &[&str],
    scopes: &[&str],
) -> Result<Made, DeviceError> {
    let (by, wanted) = (actor(by), wanted(scopes));
    let made = store
        .run(move |tx| users::create(tx, &by, id, Some("Ann"), &wanted, NOW))
        .await;
    made.map(|(_, made)| made)
}

/// A device that shows a user's token.
pub(super) fn of(user: &str, made: &Made, asking: Asking) -> Asking {
    Asking {
        user_id: Some(user.to_owned()),
        credential: Some(format!("user/{user}/{}", made.id)),
        ..asking
    }
}

#[tokio::test]
async fn a_users_token_is_in_the_table_with_who_it_is_and_goes_with_the_user() {
    let store = store();
    let made = add(&store, "ann", &["operator.admin"], &["operator.read"])
        .await
        .unwrap();
    store
        .paired(of("ann", &made, asking(1, &["operator.read"])))
        .await;

    let table = store.table().await;
    let row = |table: &Table, start: &str| {
        table
            .credentials
            .iter()
            .find(|row| row.id.starts_with(start))
            .cloned()
    };
    let own = row(&table, "user/ann/").unwrap();
    assert_eq!(own.digest, hex::encode(&made.token.digest()));
    assert_eq!(
        (own.user_id.as_deref(), own.user_name.as_deref()),
        (Some("ann"), Some("Ann"))
    );
    assert_eq!(own.scopes, ["operator.read"]);
    let device = row(&table, "device/").unwrap();
    assert_eq!(
        device.user_name.as_deref(),
        Some("Ann"),
        "and so is the user's device"
    );

    store.run(|tx| users::remove(tx, "ann")).await.unwrap();

    assert_eq!(store.table().await, Table::default());
}

#[tokio::test]
async fn nobody_makes_a_token_for_more_than_they_hold_and_no_user_twice() {
    let store = store();
    let refused = add(&store, "ann", &["operator.write"], &["operator.admin"]).await;
    assert!(matches!(refused, Err(DeviceError::NotHeld("operator.admin"))));
    assert!(
        store.run(|tx| users::find(tx, "ann")).await.unwrap().is_none(),
        "nothing is left behind"
    );
    add(&store, "ann", &["operator.admin"], &[]).await.unwrap();

    assert!(matches!(
        add(&store, "ann", &["operator.admin"], &[]).await,
        Err(DeviceError::UserExists)
    ));
    for bad in ["", "Ann", "a b", "../x"] {
        assert!(
            matches!(
                add(&store, bad, &["operator.admin"], &[]).await,
                Err(DeviceError::Invalid(_))
            ),
            "{bad}"
        );
    }
    let owner = add(&store, users::OWNER, &["operator.admin"], &[]).await;
    assert!(matches!(owner, Err(DeviceError::OwnerStays)));
    let gone = store.run(|tx| users::remove(tx, users::OWNER)).await;
    assert!(matches!(gone, Err(DeviceError::OwnerStays)));
    let unknown = add(&store, "bob", &["operator.admin"], &["operator.everything"]).await;
    assert!(matches!(unknown, Err(DeviceError::Invalid(_))));
}

#[tokio::test]
async fn a_token_of_a_user_is_revoked_alone_and_may_have_an_end() {
    let store = store();
    add(&store, "ann", &["operator.admin"], &["operator.read"])
        .await
        .unwrap();
    let short = Wanted {
        seconds: Some(60),
        ..wanted(&["operator.write"])
    };
    let made = store
        .run(move |tx| users::add_token(tx, &actor(&["operator.admin"]), "ann", &short, NOW))
        .await
        .unwrap();

    let table = store.table().await;
    let row = table
        .credentials
        .iter()
        .find(|row| row.id.ends_with(&made.id))
        .unwrap();
    assert_eq!(row.expire_time_ms, Some(NOW + 60_000));
    store
        .run(move |tx| users::revoke_token(tx, &made.id))
        .await
        .unwrap();
    assert_eq!(store.table().await.credentials.len(), 1);
}
