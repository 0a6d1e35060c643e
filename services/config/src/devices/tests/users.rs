//! Named users.

use super::{
    super::users::{self, Made, New, Wanted},
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
    create(store, new(id), by, scopes).await
}

fn new(id: &str) -> New {
    New {
        id: id.to_owned(),
        name: Some("Ann".to_owned()),
        again: false,
    }
}

async fn create(store: &Store, new: New, by: &[&str], scopes: &[&str]) -> Result<Made, DeviceError> {
    let (by, wanted) = (actor(by), wanted(scopes));
    let made = store
        .run(move |tx| users::create(tx, &by, &new, &wanted, NOW))
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

    store.run(|tx| users::remove(tx, "ann", NOW)).await.unwrap();

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
    let gone = store.run(|tx| users::remove(tx, users::OWNER, NOW)).await;
    assert!(matches!(gone, Err(DeviceError::OwnerStays)));
    let unknown = add(&store, "bob", &["operator.admin"], &["operator.everything"]).await;
    assert!(matches!(unknown, Err(DeviceError::Invalid(_))));
}

#[tokio::test]
async fn nobody_gets_what_a_removed_user_left_by_having_the_same_id_unless_somebody_says_so() {
    let store = store();
    let admin = ["operator.admin"];
    add(&store, "ann", &admin, &[]).await.unwrap();
    store.run(|tx| users::remove(tx, "ann", NOW)).await.unwrap();

    for _ in 0..2 {
        let refused = add(&store, "ann", &admin, &[]).await;
        assert!(matches!(refused, Err(DeviceError::UserWasRemoved)), "{refused:?}");
    }
    let again = |id: &str| New {
        again: true,
        ..new(id)
    };
    create(&store, again("ann"), &admin, &[]).await.unwrap();
    create(&store, again("bob"), &admin, &[]).await.unwrap(); // nobody had the name

    let twice = create(&store, again("ann"), &admin, &[]).await;
    assert!(matches!(twice, Err(DeviceError::UserExists)), "{twice:?}");
    store.run(|tx| users::remove(tx, "ann", NOW)).await.unwrap();
    let refused = add(&store, "ann", &admin, &[]).await;
    assert!(
        matches!(refused, Err(DeviceError::UserWasRemoved)),
        "and so each time"
    );
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
    assert_eq!(row.expire_time_ms, Some(NOW.plus_ms(60_000).as_ms()));
    store
        .run(move |tx| users::revoke_token(tx, &made.id))
        .await
        .unwrap();
    assert_eq!(store.table().await.credentials.len(), 1);
}

#[test]
fn a_name_is_changed_by_whom_it_names_and_another_ones_by_an_administrator_alone() {
    let who = |scope: &str, user: Option<&str>| Actor {
        user_id: user.map(str::to_owned),
        ..actor(&[scope])
    };
    let bob = || Some("bob".to_owned());

    for (actor, meant, named) in [
        (who("operator.write", Some("ann")), None, Some("ann")),
        (
            who("operator.write", Some("ann")),
            Some("ann".to_owned()),
            Some("ann"),
        ),
        (who("operator.admin", Some("ann")), bob(), Some("bob")),
        (who("operator.admin", None), bob(), Some("bob")),
    ] {
        assert_eq!(actor.names(meant).ok().as_deref(), named);
    }
    for (actor, meant) in [
        (who("operator.write", Some("ann")), bob()),
        (who("operator.write", None), bob()),
        (who("operator.write", Some("ann")), Some(users::OWNER.to_owned())),
    ] {
        assert!(matches!(actor.names(meant), Err(DeviceError::NotYourName)));
    }
    for meant in [None, Some(users::OWNER.to_owned())] {
        let owner = who("operator.admin", None).names(meant);
        assert!(matches!(owner, Err(DeviceError::OwnerHasNoName)));
    }
}

#[tokio::test]
async fn a_new_name_is_that_of_the_user_and_of_what_the_user_shows() {
    let store = store();
    add(&store, "ann", &["operator.admin"], &["operator.read"])
        .await
        .unwrap();

    let renamed = store
        .run(|tx| users::rename(tx, "ann", "Anna", NOW.plus_ms(1)))
        .await
        .unwrap();

    assert_eq!(
        (renamed.id.as_str(), renamed.name.as_deref()),
        ("ann", Some("Anna"))
    );
    let table = store.table().await;
    let names: Vec<_> = table
        .credentials
        .iter()
        .map(|row| row.user_name.as_deref())
        .collect();
    assert_eq!(names, [Some("Anna")]);
    let nobody = store.run(|tx| users::rename(tx, "bob", "Bob", NOW)).await;
    assert!(matches!(nobody, Err(DeviceError::NoSuchUser(_))));
}
