//! What an account is configured with.

use super::{Callers, Machine, Settings};
use crate::connector::{Credential, Managed};

const APP: &str = "11111111-aaaa-4bbb-8ccc-222222222222";
const TENANT: &str = "99999999-aaaa-4bbb-8ccc-888888888888";

fn read(config: &str) -> Result<Settings, String> {
    let config = config.replace("APP", APP).replace("TENANT", TENANT);
    Settings::read(&config, &Machine::default(), None)
}

#[test]
fn a_bot_shows_itself_by_its_secret_in_its_own_tenant() {
    let settings = read(r#"{"appId": "APP", "tenantId": "TENANT", "clientSecret": "hunter2"}"#)
        .expect("they are in order");

    let Credential::Secret { token_url, .. } = &settings.credential else {
        panic!("{settings:?}");
    };
    assert_eq!(
        token_url.as_str(),
        format!("https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token")
    );
    assert!(!format!("{settings:?}").contains("hunter2"));
    assert!(settings.takes(Some(TENANT)) && !settings.takes(Some(APP)) && !settings.takes(None));
}

#[test]
fn a_bot_may_be_the_machines_identity() {
    let settings = read(r#"{"appId": "APP", "tenantId": "TENANT", "auth": "managedIdentity"}"#)
        .expect("they are in order");

    assert!(matches!(
        settings.credential,
        Credential::Managed { place: Managed::Machine(url), .. } if url.host_str() == Some("169.254.169.254")
    ));
}

#[test]
fn what_is_missing_or_does_not_go_together_is_said() {
    for (config, said) in [
        ("{}", "appId"),
        (r#"{"appId": "APP"}"#, "tenantId"),
        (
            r#"{"appId": "APP", "tenantId": "common", "clientSecret": "x"}"#,
            "tenantId",
        ),
        (r#"{"appId": "../..", "tenantId": "TENANT"}"#, "appId"),
        (r#"{"appId": "APP", "tenantId": "TENANT"}"#, "clientSecret"),
        (
            r#"{"appId": "APP", "tenantId": "TENANT", "clientSecret": " "}"#,
            "clientSecret",
        ),
        (
            r#"{"appId": "APP", "tenantId": "TENANT", "auth": "managedIdentity", "clientSecret": "x"}"#,
            "clientSecret",
        ),
        (r#"{"playground": true, "appId": "APP"}"#, "playground"),
        (r#"{"playground": true, "clientSecret": "x"}"#, "playground"),
        (r#"{"tokenUrl": "https://evil.example"}"#, "schema"),
        ("[", "JSON"),
    ] {
        let error = read(config).expect_err(config);
        assert!(error.contains(said), "{config}: {error}");
    }
}

#[test]
fn the_playground_is_asked_for_in_so_many_words() {
    let settings = read(r#"{"playground": true}"#).expect("they are in order");

    assert!(matches!(settings.callers, Callers::Anybody));
    assert!(matches!(settings.credential, Credential::None));
}
