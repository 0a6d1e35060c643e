//! A bot without a secret: Azure gives its machine a token.

use gatehouse_msteams::{
    Secret,
    connector::{ConnectorError, Credential, Managed, Tokens},
};

use crate::microsoft::Microsoft;

async fn token(place: Managed) -> Result<Option<Secret>, ConnectorError> {
    let credential = Credential::Managed {
        client_id: "the-bot".into(),
        place,
    };
    Tokens::new(credential, false).expect("a client").get().await
}

#[tokio::test]
async fn a_machine_of_azure_needs_no_secret() {
    let microsoft = Microsoft::start().await;
    let endpoint = microsoft.origin.join("machine").expect("a URL");
    let service = |key: &str| Managed::Service {
        endpoint: endpoint.clone(),
        key: Secret::new(key),
    };

    let expected = Ok(Some(Secret::new("of the machine")));
    assert_eq!(token(Managed::Machine(endpoint.clone())).await, expected);
    assert_eq!(token(service("the key")).await, expected);
    let refused = token(service("another")).await;
    assert!(
        matches!(refused, Err(ConnectorError::Credential(_))),
        "{refused:?}"
    );
}
