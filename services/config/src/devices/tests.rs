mod codes;

use gatehouse_contract::{Grants, Role};
use gatehouse_core::{Secret, Timestamp, hex, sqlite::Database};
use gatehouse_document::nodes::Pairing;
use rusqlite::Transaction;
use tempfile::TempDir;

use super::{
    actor::Actor,
    admit::{self, Admitted, Asking, Rules},
    error::DeviceError,
    manage::{self, Arrived},
    rows::{self, Labels},
    schema::MIGRATIONS,
    setup::{self, Profile},
    table::Table,
};

mod authority;
mod users;
mod vouchers;

const NOW: Timestamp = Timestamp::from_ms(1_000_000_000);

struct Store {
    database: Database,
    key: Secret,
    _folder: TempDir,
}

fn store() -> Store {
    let folder = tempfile::tempdir().unwrap();
    Store {
        database: Database::open(&folder.path().join("devices.db"), MIGRATIONS).unwrap(),
        key: Secret::new("the key"),
        _folder: folder,
    }
}

impl Store {
    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Transaction<'_>) -> Result<T, DeviceError> + Send + 'static,
    ) -> Result<T, DeviceError> {
        self.database.write(job).await
    }

    async fn admit(&self, rules: Rules, asking: Asking) -> Result<Admitted, DeviceError> {
        let key = self.key.clone();
        self.run(move |tx| admit::admit(tx, &key, &rules, &asking, NOW))
            .await
    }

    /// Pairs a device without asking, and answers with its token.
    async fn paired(&self, asking: Asking) -> Secret {
        match self.admit(local(), asking).await.unwrap() {
            Admitted::Paired(paired) => paired.token,
            other => panic!("{other:?}"),
        }
    }

    async fn pending(&self, asking: Asking) -> (String, String, bool) {
        match self.admit(asking_first(), asking).await.unwrap() {
            Admitted::Pending { request, new, .. } => (request.id, request.reason, new),
            other => panic!("{other:?}"),
        }
    }

    async fn table(&self) -> Table {
        self.run(|tx| Table::read(tx)).await.unwrap()
    }

    async fn approve(&self, actor: Actor, id: &str) -> Result<manage::Whole, DeviceError> {
        let (key, id) = (self.key.clone(), id.to_owned());
        self.run(move |tx| manage::approve(tx, &key, &actor, &id, NOW))
            .await
    }

    async fn welcome(&self) -> Option<String> {
        let key = self.key.clone();
        let arrived = Arrived {
            device: id(1),
            role: Role::Operator,
            ip: "127.0.0.1".into(),
            has_token: false,
        };
        let told = self
            .run(move |tx| manage::welcome(tx, &key, &arrived, NOW))
            .await
            .unwrap();
        told.map(|(token, _)| token.expose().to_owned())
    }
}

fn rules(auto_approve_local: bool, cidrs: &[&str]) -> Rules {
    Rules::from(&Pairing {
        auto_approve_local,
        auto_approve_cidrs: cidrs.iter().map(|&range| range.to_owned()).collect(),
    })
}

fn local() -> Rules {
    rules(true, &[])
}

fn asking_first() -> Rules {
    rules(false, &[])
}

fn operator(scopes: &[&str]) -> Grants {
    Grants::new(Role::Operator, scopes.iter().copied())
}

fn id(n: u8) -> String {
    format!("{n:064x}")
}

fn asking(n: u8, scopes: &[&str]) -> Asking {
    Asking {
        device_id: id(n),
        public_key: format!("key-{n}"),
        wanted: operator(scopes),
        labels: Labels {
            platform: Some("linux".into()),
            ..Labels::default()
        },
        remote_ip: "127.0.0.1".into(),
        local: true,
        setup_digest: None,
        user_id: None,
        credential: None,
    }
}

fn node(n: u8, ip: &str) -> Asking {
    Asking {
        wanted: Grants::new(Role::Node, []),
        remote_ip: ip.into(),
        local: false,
        ..asking(n, &[])
    }
}

fn actor(scopes: &[&str]) -> Actor {
    Actor {
        grants: operator(scopes),
        device: None,
        user_id: None,
        credential: None,
        bound: operator(scopes),
    }
}

#[tokio::test]
async fn a_device_of_this_machine_is_paired_at_once_and_its_token_is_in_the_table_as_a_digest() {
    let store = store();

    let token = store.paired(asking(1, &["operator.read"])).await;

    let table = store.table().await;
    assert_eq!(table.credentials[0].digest, hex::encode(&token.digest()));
    assert!(table.credentials[0].needs_device_key);
    assert_eq!(table.credentials[0].scopes, ["operator.read"]);
    assert_eq!(
        (&*table.devices[0].device_id, &*table.devices[0].platform),
        (&*id(1), "linux")
    );
    let path = store
        .database
        .read(|connection| Ok::<_, DeviceError>(connection.path().unwrap_or_default().to_owned()));
    let path = path.await.unwrap();
    for file in [path.clone(), format!("{path}-wal")] {
        let bytes = std::fs::read(file).unwrap_or_default();
        let shown = token.expose().as_bytes();
        assert!(
            !bytes.windows(shown.len()).any(|piece| piece == shown),
            "the token is on the disk"
        );
    }
}

#[tokio::test]
async fn the_same_token_is_told_again_until_it_is_revoked() {
    let store = store();
    let token = store.paired(asking(1, &["operator.read"])).await;
    assert_eq!(store.welcome().await.as_deref(), Some(token.expose()));

    store
        .run(|tx| manage::revoke(tx, &actor(&["operator.admin"]), &id(1), "operator", NOW))
        .await
        .unwrap();

    let table = store.table().await;
    assert!(table.credentials.is_empty(), "nothing opens by it");
    assert_eq!(table.devices[0].generation, 1, "connections of before end");
    let next = store.welcome().await.unwrap();
    assert_ne!(next, token.expose(), "it stays paired, and gets another one");
    assert_eq!(
        store.table().await.devices[0].generation,
        1,
        "which ends no connection"
    );
}

#[tokio::test]
async fn a_token_is_no_option_of_a_command_line() {
    let store = store();
    store.paired(asking(1, &[])).await;
    let key = store.key.clone();

    let tokens = store.run(move |tx| {
        let all = actor(&["operator.admin"]);
        let rotate = |_| manage::rotate(tx, &key, &all, &id(1), "operator", &[], NOW).map(|(_, token)| token);
        (0..1_000).map(rotate).collect::<Result<Vec<_>, _>>()
    });

    assert!(
        tokens
            .await
            .unwrap()
            .iter()
            .all(|token| !token.looks_like_option())
    );
}

#[tokio::test]
async fn another_key_costs_the_old_tokens_nothing_until_a_new_one_is_asked_for() {
    let mut store = store();
    let token = store.paired(asking(1, &[])).await;
    store.key = Secret::new("made anew");

    assert_eq!(
        store.table().await.credentials[0].digest,
        hex::encode(&token.digest())
    );
    assert_ne!(store.welcome().await.as_deref(), Some(token.expose()));
}

#[tokio::test]
async fn each_reason_to_wait_is_told_and_the_request_keeps_its_name_while_it_asks_for_the_same() {
    let store = store();
    let (first, reason, new) = store.pending(asking(1, &["operator.read"])).await;
    assert_eq!((&*reason, new), ("not-paired", true));
    assert_eq!(
        store.pending(asking(1, &["operator.read"])).await,
        (first.clone(), "not-paired".into(), false)
    );
    let (other, _, new) = store.pending(asking(1, &["operator.admin"])).await;
    assert!(other != first && new, "whoever approves sees what is granted");

    store.paired(asking(1, &["operator.read"])).await;
    let upgrade = store.pending(asking(1, &["operator.write"])).await;
    assert_eq!(upgrade.1, "scope-upgrade");
    assert_eq!(store.pending(node(1, "127.0.0.1")).await.1, "role-upgrade");
    let moved = Asking {
        labels: Labels {
            platform: Some("windows".into()),
            ..Labels::default()
        },
        ..asking(1, &["operator.read"])
    };
    assert_eq!(store.pending(moved).await.1, "metadata-upgrade");
    let ann = users::add(&store, "ann", &["operator.admin"], &["operator.read"]).await;
    let anothers = users::of("ann", &ann.unwrap(), asking(1, &["operator.read"]));
    assert_eq!(store.pending(anothers).await.1, "not-paired");
}

#[tokio::test]
async fn an_approval_gives_what_was_asked_for_and_keeps_what_was_there() {
    let store = store();
    let token = store.paired(asking(1, &["operator.read"])).await;
    let (request, ..) = store.pending(asking(1, &["operator.write"])).await;

    store.approve(actor(&["operator.admin"]), &request).await.unwrap();

    let table = store.table().await;
    assert_eq!(table.devices[0].scopes, ["operator.read", "operator.write"]);
    assert_eq!(table.credentials[0].scopes, ["operator.read", "operator.write"]);
    assert_eq!(
        table.credentials[0].digest,
        hex::encode(&token.digest()),
        "its token grows with it"
    );
    let again = store.approve(actor(&["operator.admin"]), &request).await;
    assert!(
        matches!(again, Err(DeviceError::NoSuchRequest(_))),
        "a request is granted once"
    );
}

#[tokio::test]
async fn what_was_taken_from_a_token_does_not_come_back_with_an_approval_of_something_else() {
    let store = store();
    store
        .paired(asking(1, &["operator.read", "operator.admin"]))
        .await;
    let key = store.key.clone();
    store
        .run(move |tx| {
            let admin = actor(&["operator.admin"]);
            let narrowed = ["operator.read".to_owned()];
            manage::rotate(tx, &key, &admin, &id(1), "operator", &narrowed, NOW)
        })
        .await
        .unwrap();

    // Another platform is asked about again; the scopes that it asks for are those that its token has.
    let moved = Asking {
        labels: Labels {
            platform: Some("windows".into()),
            ..Labels::default()
        },
        ..asking(1, &["operator.read"])
    };
    let (request, reason, _) = store.pending(moved).await;
    assert_eq!(reason, "metadata-upgrade");
    store.approve(actor(&["operator.admin"]), &request).await.unwrap();

    assert_eq!(store.table().await.credentials[0].scopes, ["operator.read"]);
}

#[tokio::test]
async fn nobody_approves_more_than_they_hold() {
    let store = store();
    let (request, ..) = store.pending(asking(1, &["operator.admin"])).await;

    let refused = store
        .approve(actor(&["operator.pairing", "operator.write"]), &request)
        .await;

    assert!(matches!(refused, Err(DeviceError::NotHeld("operator.admin"))));
    assert!(store.table().await.devices.is_empty());
    let (request, ..) = store.pending(asking(2, &["operator.read"])).await;
    store
        .approve(actor(&["operator.pairing", "operator.write"]), &request)
        .await
        .expect("writing contains reading");
}

#[tokio::test]
async fn a_device_without_admin_manages_itself_alone() {
    let store = store();
    store.paired(asking(1, &["operator.pairing"])).await;
    store.paired(asking(2, &["operator.pairing"])).await;
    let phone = || Actor {
        device: Some(id(1)),
        ..actor(&["operator.pairing"])
    };

    let other = store.run(move |tx| manage::remove(tx, &phone(), &id(2))).await;
    assert!(matches!(other, Err(DeviceError::NotYours)));
    let other = store
        .run(move |tx| manage::revoke(tx, &phone(), &id(2), "operator", NOW))
        .await;
    assert!(matches!(other, Err(DeviceError::NotYours)));
    let (request, ..) = store.pending(asking(3, &[])).await;
    assert!(matches!(
        store.approve(phone(), &request).await,
        Err(DeviceError::NotYours)
    ));
    store
        .run(move |tx| manage::remove(tx, &phone(), &id(1)))
        .await
        .unwrap();
    assert_eq!(store.table().await.devices.len(), 1);
}

#[tokio::test]
async fn a_range_vouches_for_new_nodes_that_ask_for_nothing_and_for_nobody_else() {
    let store = store();
    let ranges = || rules(false, &["192.168.1.0/24", "not a range"]);
    let is_paired =
        async |asking: Asking| matches!(store.admit(ranges(), asking).await.unwrap(), Admitted::Paired(_));

    assert!(is_paired(node(1, "192.168.1.7")).await);
    assert!(!is_paired(node(2, "192.168.2.7")).await);
    let operator = Asking {
        remote_ip: "192.168.1.7".into(),
        local: false,
        ..asking(3, &["operator.read"])
    };
    assert!(!is_paired(operator).await);
    let changed = Asking {
        labels: Labels::default(),
        ..node(1, "192.168.1.7")
    };
    assert!(
        !is_paired(changed).await,
        "one that is known and says something else of itself"
    );
}

fn decoded(code: &str) -> serde_json::Value {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(code).unwrap()).unwrap()
}
