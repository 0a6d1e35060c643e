use gatehouse_core::config::ConfigHandle;
use gatehouse_proto::config::v1::Credential;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::testing::until;

struct Scene {
    _folder: TempDir,
    config: watch::Sender<Option<Arc<Revision<Config>>>>,
    known: watch::Receiver<Brought>,
    drain: Drain,
}

fn revision(value: &Value) -> Arc<Revision<Config>> {
    Arc::new(Revision {
        hash: value.to_string(),
        credentials: vec![Credential {
            id: "plugin/tell".to_owned(),
            digest: "shown".to_owned(),
            ..Credential::default()
        }],
        devices: Vec::new(),
        left_out: Vec::new(),
        value: serde_json::from_value(value.clone()).expect("a configuration"),
    })
}

fn scene(value: &Value) -> Scene {
    let folder = tempfile::tempdir().expect("a folder");
    let (handle, config) = ConfigHandle::fixed(Config::default());
    config.send_replace(Some(revision(value)));
    let drain = Drain::new();
    let home = Home {
        path: folder.path().to_owned(),
        run: folder.path().to_owned(),
        credentials: folder.path().to_owned(),
        credential: None,
        config: folder.path().to_owned(),
    };
    Scene {
        _folder: folder,
        known: follow(handle, home, &drain),
        config,
        drain,
    }
}

fn waits(scene: &Scene, plugins: &Value) -> Vec<(String, String)> {
    let plugins = serde_json::from_value(plugins.clone()).expect("plugins");
    let entries = scene.known.borrow().entries(&plugins);
    entries
        .iter()
        .filter_map(|entry| Some((entry.name.clone().into_owned(), entry.waits.clone()?)))
        .collect()
}

#[tokio::test]
async fn a_channel_whose_plugin_is_not_there_waits_and_says_why() {
    let plugins =
        json!({"entries": {"tell": {"endpoint": "unix:/nowhere/plugin.sock", "channels": ["lines"]}}});
    let scene = scene(&json!({"plugins": plugins}));

    let why = until("a reason", async || {
        let waiting = waits(&scene, &plugins);
        waiting
            .into_iter()
            .find(|(_, why)| why.contains("nobody answers"))
    })
    .await;

    assert_eq!(why.0, "lines");
    assert!(why.1.starts_with("its plugin tell: "), "{}", why.1);
    scene.config.send_replace(Some(revision(&json!({}))));
    assert_eq!(waits(&scene, &json!({})), []);
    scene.drain.start();
}
