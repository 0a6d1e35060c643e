use super::*;

#[test]
fn every_mistake_is_reported_at_once() {
    let env = Env::of([
        ("GATEHOUSE_LISTEN", "nowhere"),
        ("GATEHOUSE_AGENT_ADDRESS", "unix:"),
        ("GATEHOUSE_METRICS_LISTEN", "x"),
    ]);

    let SettingsError(mistakes) = ServiceSettings::read(&env, Service::Session).unwrap_err();

    assert_eq!(mistakes.len(), 3, "{mistakes:?}");
}

#[test]
fn a_service_listens_where_its_peers_look_for_it() {
    let settings =
        ServiceSettings::read(&Env::of([("GATEHOUSE_HOME", "/h")]), Service::ChannelBridge).unwrap();

    assert_eq!(
        settings.listen,
        Address::Unix("/h/run/channel-bridge.sock".into())
    );
    assert_eq!(settings.peers.address(Service::ChannelBridge), &settings.listen);
}
