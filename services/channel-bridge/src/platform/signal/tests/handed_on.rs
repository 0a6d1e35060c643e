//! What people hand on beside words.

use super::*;

#[tokio::test]
async fn somebody_who_is_handed_on_is_named_in_words() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let contact = json!({"name": {"display": null, "given": "Bert", "family": "Roe"}, "phone": [{"value": "+4930", "type": "HOME"}]});
    let message = json!({"timestamp": scene.daemon.moment(), "contacts": [contact]});

    scene.daemon.envelope(ANNA, json!({"dataMessage": message}));

    assert_eq!(scene.hears(1).await, ["[contact: Bert Roe, +4930]"]);
    scene.bench.stop().await;
}
