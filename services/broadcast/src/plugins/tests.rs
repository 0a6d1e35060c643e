//! What broadcast knows of plugins, and what it lets them publish.

use gatehouse_proto::plugin::v1::PluginSummary;
use gatehouse_test_contract::descriptors;

use super::*;

fn plugins() -> Plugins {
    Plugins::new(watch::channel(Arc::clone(Map::core())).0)
}

fn reported(id: &str, state: PluginState) -> ReportedPlugin {
    let contract = format!(
        "message Done {{ option (gatehouse.options.v1.event) = {{ name: \"{id}.done\" access: ACCESS_OPERATOR_READ }};
           string dish = 1; }}"
    );
    ReportedPlugin {
        plugin: Some(PluginSummary {
            id: id.to_owned(),
            state: state.into(),
            ..PluginSummary::default()
        }),
        file_descriptor_set: descriptors(&contract),
        overrides: Vec::new(),
    }
}

fn shows(credential: &str) -> Caller {
    Caller {
        credential_id: Some(credential.to_owned()),
        ..Caller::default()
    }
}

async fn kitchen() -> Plugins {
    let plugins = plugins();
    let report = vec![reported("kitchen", PluginState::Serving)];
    plugins.report("edge-1".to_owned(), report).await.expect("taken");
    plugins
}

#[tokio::test]
async fn a_plugin_publishes_events_of_its_own_contract() {
    let plugins = kitchen().await;

    let event = plugins.event(
        Some(&shows("plugin/kitchen")),
        "kitchen.done",
        r#"{"dish": "soup"}"#,
    );

    let event = event.expect("its own event");
    assert_eq!(
        (&*event.r#type, &*event.payload),
        ("t.v1.Done", &b"\x0a\x04soup"[..])
    );
}

#[tokio::test]
async fn nobody_publishes_what_is_not_his() {
    let plugins = kitchen().await;
    let reason = |credential: Option<&str>, name: &str| {
        let caller = credential.map(shows);
        let refused = plugins.event(caller.as_ref(), name, "{}").expect_err("refused");
        refused
            .reason
            .map(|reason| reason.to_string())
            .unwrap_or_default()
    };

    assert_eq!(reason(Some("plugin/other"), "kitchen.done"), "NOT_ITS_EVENT");
    assert_eq!(reason(Some("plugin/kitchen"), "chat"), "NOT_ITS_EVENT");
    assert_eq!(reason(Some("plugin/kitchen"), "kitchen.burnt"), "NOT_ITS_EVENT");
    assert_eq!(reason(Some("shared"), "kitchen.done"), "NOT_A_PLUGIN");
    assert_eq!(reason(None, "kitchen.done"), "NOT_A_PLUGIN");
}

#[tokio::test]
async fn an_event_that_does_not_keep_its_contract_is_refused_with_the_place() {
    let plugins = kitchen().await;

    let refused = plugins.event(Some(&shows("plugin/kitchen")), "kitchen.done", r#"{"dish": 7}"#);

    let refused = refused.expect_err("a number is no text");
    assert_eq!(refused.path.as_deref(), Some("/payload/dish"), "{refused:?}");
}

#[tokio::test]
async fn what_two_edges_tell_is_listed_once_and_goes_with_the_last_of_them() {
    let plugins = kitchen().await;
    let report = vec![
        reported("kitchen", PluginState::Away),
        reported("cellar", PluginState::Refused),
    ];
    // The same message cannot be two plugins' event: the second is listed all the same.
    plugins.report("edge-2".to_owned(), report).await.expect("taken");

    let ids: Vec<String> = plugins.all().into_keys().collect();
    assert_eq!(ids, ["cellar", "kitchen"]);
    plugins.forget("edge-1");
    assert_eq!(
        plugins.all()["kitchen"].plugin.as_ref().map(PluginSummary::state),
        Some(PluginState::Away)
    );
    plugins.forget("edge-2");
    assert!(plugins.all().is_empty());
}

#[tokio::test]
async fn a_report_beyond_the_bounds_is_refused() {
    let plugins = plugins();
    let huge = ReportedPlugin {
        file_descriptor_set: vec![0; REPORT_BYTES_MAX + 1],
        ..reported("kitchen", PluginState::Serving)
    };

    assert!(plugins.report("edge".to_owned(), vec![huge]).await.is_err());
    for edge in 0..EDGES_MAX {
        plugins
            .report(format!("e{edge}"), Vec::new())
            .await
            .expect("room");
    }
    assert!(plugins.report("one-more".to_owned(), Vec::new()).await.is_err());
}
