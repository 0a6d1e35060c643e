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

#[test]
fn the_credential_of_a_plugin_is_looked_for_in_its_own_folder_where_there_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::read(&Env::of([("GATEHOUSE_HOME", folder.path().to_str().unwrap())]));
    assert_eq!(
        home.plugin_token("matrix"),
        folder.path().join("config/plugins/matrix.token")
    );

    std::fs::create_dir_all(folder.path().join("credential/plugin-matrix")).unwrap();

    assert_eq!(
        home.plugin_token("matrix"),
        folder.path().join("credential/plugin-matrix/secret")
    );
    assert_eq!(
        home.plugin_token("kitchen"),
        folder.path().join("config/plugins/kitchen.token")
    );
}
