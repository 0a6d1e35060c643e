//! Programs by OpenAI's API, through the whole gateway.

use std::time::Duration;

use futures::future::join_all;
use gatehouse_tests::{Gateway, http, model::Model, until};
use serde_json::json;

/// More than one connection may let wait in the session service (512 of its 2,048 places).
const PROGRAMS: usize = 600;

#[tokio::test]
async fn as_many_programs_of_one_host_as_the_gateway_has_places_for_wait_beside_each_other() {
    let model = Model::start(1, Duration::from_secs(3_600)).await;
    let gateway = Gateway::start(&model.config(&json!({
        "agents": {"defaults": {"model": "slow/words", "maxConcurrent": 1000}},
        "gateway": {"http": {"endpoints": {"chatCompletions": {"enabled": true}}}},
    })))
    .await;
    let url = format!("{}/v1/chat/completions", gateway.http());
    let asked = json!({"model": "openclaw", "messages": [{"role": "user", "content": "go"}]}).to_string();
    let client = http::client();

    let answers = join_all((0..PROGRAMS).map(|_| {
        let request = client.post(&url).bearer_auth(gateway.token());
        request.body(asked.clone()).send()
    }));
    let all_wait = until("the model to be asked for each of them", async || {
        (model.asked() == PROGRAMS).then_some(())
    });

    tokio::select! {
        answers = answers => panic!("nobody waited: {:?}", answers.first()),
        () = all_wait => {}
    }
}
