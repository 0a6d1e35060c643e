//! Bounds of requests, setup codes, and how a device goes.

use super::*;

#[tokio::test]
async fn requests_are_bounded_for_each_address_and_are_over_after_an_hour() {
    let store = store();
    let from = |n: u8, ip: &str| Asking {
        remote_ip: ip.into(),
        local: false,
        ..asking(n, &[])
    };
    for n in 0..10 {
        store.pending(from(n, "192.0.2.1")).await;
    }

    let full = store.admit(asking_first(), from(10, "192.0.2.1")).await;
    assert!(matches!(full, Err(DeviceError::TooManyRequests)));
    store.pending(from(10, "192.0.2.2")).await;
    store.pending(from(0, "192.0.2.1")).await; // one that waits may ask again

    let later = store
        .run(|tx| rows::all_requests(tx, NOW.plus_ms(3_600_001)).map(|left| left.len()))
        .await
        .unwrap();
    assert_eq!(later, 0);
}

#[tokio::test]
async fn a_setup_code_pairs_one_device_once_in_its_role() {
    let store = store();
    let code = store
        .run(|tx| {
            setup::create(
                tx,
                &actor(&["operator.admin"]),
                Profile::Limited,
                "https://home.example",
                NOW,
            )
        })
        .await
        .unwrap();
    let text = decoded(&code.text);
    assert_eq!(text["url"], "https://home.example");
    let token = Secret::new(text["bootstrapToken"].as_str().unwrap());
    let with_code = |n: u8, role: Grants| Asking {
        setup_digest: Some(hex::encode(&token.digest())),
        wanted: role,
        local: false,
        ..asking(n, &[])
    };
    let ask = async |asking: Asking| store.admit(asking_first(), asking).await.unwrap();

    let as_node = ask(with_code(1, Grants::new(Role::Node, []))).await;
    assert!(matches!(as_node, Admitted::CodeInvalid), "it is for an operator");
    let greedy = ask(with_code(1, operator(&["operator.admin"]))).await;
    let Admitted::Paired(paired) = greedy else {
        panic!("{greedy:?}");
    };
    assert_eq!(
        paired.role.approved,
        operator(&["operator.read", "operator.write"]),
        "and no more"
    );
    let again = ask(with_code(2, operator(&[]))).await;
    assert!(matches!(again, Admitted::CodeInvalid));
    let status = store
        .run(move |tx| setup::status(tx, &code.id))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((status.device, &*status.access), (id(1), "limited"));
}

#[tokio::test]
async fn a_setup_code_is_over_after_ten_minutes_and_gives_no_more_than_its_maker_has() {
    let store = store();
    let reader = || actor(&["operator.read"]);
    let refused = store
        .run(move |tx| setup::create(tx, &reader(), Profile::Limited, "u", NOW))
        .await;
    assert!(matches!(refused, Err(DeviceError::NotHeld("operator.write"))));
    let code = store
        .run(|tx| {
            setup::create(
                tx,
                &actor(&["operator.admin"]),
                Profile::Node,
                "u",
                NOW.plus_ms(-600_001),
            )
        })
        .await
        .unwrap();
    let token = Secret::new(decoded(&code.text)["bootstrapToken"].as_str().unwrap());

    let late = Asking {
        setup_digest: Some(hex::encode(&token.digest())),
        ..node(1, "192.0.2.1")
    };

    assert!(matches!(
        store.admit(asking_first(), late).await.unwrap(),
        Admitted::CodeInvalid
    ));
}

#[tokio::test]
async fn a_role_is_taken_alone_and_with_the_last_one_the_device_goes() {
    let store = store();
    store.paired(asking(1, &["operator.read"])).await;
    let node = Asking {
        local: true,
        ..node(1, "127.0.0.1")
    };
    store.paired(node).await;

    assert!(
        store
            .run(|tx| manage::remove_role(tx, &id(1), Role::Node))
            .await
            .unwrap()
    );
    assert_eq!(store.table().await.devices.len(), 1);
    assert!(
        store
            .run(|tx| manage::remove_role(tx, &id(1), Role::Operator))
            .await
            .unwrap()
    );
    assert!(
        store
            .run(|tx| rows::find_device(tx, &id(1)))
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        !store
            .run(|tx| manage::remove_role(tx, &id(1), Role::Node))
            .await
            .unwrap()
    );
}
