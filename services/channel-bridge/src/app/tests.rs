use std::time::Duration;

use gatehouse_core::{
    Credentials, Drain, Failure, Identity, Kind, Service, ServiceSettings,
    credential::Credential,
    service::{Error, Settings},
};
use gatehouse_proto::channel::v1::{GetChannelsStatusRequest, channel_service_client::ChannelServiceClient};

use super::App;
use crate::testing::until;

#[tokio::test]
async fn the_bridge_serves_without_its_peers_and_ends_when_asked() {
    let home = tempfile::tempdir().unwrap();
    let settings = ServiceSettings::for_tests(home.path(), Service::ChannelBridge);
    let build = || {
        let common = settings.clone();
        Settings::<App> {
            common,
            own: Vec::new(),
        }
        .build()
    };
    // It waits for its credential, which somebody else makes.
    let waits = tokio::spawn(build());
    tokio::task::yield_now().await;
    Credentials::make(&settings).unwrap();
    let app = waits.await.unwrap().unwrap();
    let operator = Credential::load(&settings.home, Identity::Operator).unwrap();
    let second = build().await;
    assert!(
        matches!(second, Err(Error::Open(_))),
        "one process owns the store"
    );
    let (address, drain) = (app.address().unwrap(), Drain::new());
    let running = tokio::spawn(app.run(drain.clone()));

    let client = ChannelServiceClient::new(operator.peer(Service::ChannelBridge, &address).service());
    let refusal = until("an answer of its own", async || {
        let status = client
            .clone()
            .get_channels_status(GetChannelsStatusRequest::default())
            .await
            .unwrap_err();
        Some(Failure::from_status(&status)).filter(|failure| failure.message.contains("configuration"))
    })
    .await;
    assert_eq!(refusal.kind, Kind::Unavailable);

    drain.start();
    tokio::time::timeout(Duration::from_secs(10), running)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}
