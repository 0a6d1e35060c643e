//! Programs by OpenAI's API, through the whole gateway.

use std::time::Duration;

use futures::future::join_all;
use gatehouse_tests::{Gateway, http, model::Model, until};
use serde_json::{Value, json};

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

/// What a model says first, and what it says when it is asked again: other words, slowly.
const FIRST: &[&str] = &[
    "one ", "one ", "one ", "one ", "one ", "one ", "one ", "one ", "one ", "one ", "one ", "one ",
];
const SECOND: &[&str] = &["two ", "two ", "two ", "two ", "two ", "two "];

struct Programs {
    model: Model,
    gateway: Gateway,
}

impl Programs {
    /// A gateway with a slow model, whose first answer is another one than its second.
    async fn start() -> Self {
        let model = Model::start(1, Duration::from_millis(250)).await;
        model.says(&[FIRST, SECOND]);
        let endpoints = json!({"chatCompletions": {"enabled": true}, "responses": {"enabled": true}});
        let gateway =
            Gateway::start(&model.config(&json!({"gateway": {"http": {"endpoints": endpoints}}}))).await;
        Self { model, gateway }
    }

    fn post(&self, path: &str, body: &Value) -> reqwest::RequestBuilder {
        let request = http::client().post(format!("{}{path}", self.gateway.http()));
        request.bearer_auth(self.gateway.token()).body(body.to_string())
    }

    async fn rpc(&self, method: &str, params: Value) -> Value {
        let answer = self.post(&format!("/rpc/{method}"), &params).send().await;
        answer.expect("an answer").json().await.expect("JSON")
    }

    /// Waits until words of an answer are seen in this session, and kills a service in the middle of it.
    async fn kill_in_the_middle(&self, service: &str, session: &str) {
        until("words of the answer", async || {
            let history = self.rpc("chat.history", json!({"sessionKey": session})).await;
            let text = history["inFlightRun"]["text"].as_str().unwrap_or_default();
            text.contains("one").then_some(())
        })
        .await;
        self.gateway.kill(service).await;
    }

    /// The answers in this session.
    async fn answers(&self, session: &str) -> Vec<String> {
        let history = self.rpc("chat.history", json!({"sessionKey": session})).await;
        let messages = history["messages"].as_array().cloned().unwrap_or_default();
        let answers = messages.iter().filter(|message| message["role"] == "assistant");
        answers.map(|message| message["content"].to_string()).collect()
    }
}

#[tokio::test]
async fn an_answer_whose_service_is_killed_in_the_middle_is_waited_for_and_comes_whole_and_once() {
    for service in ["agent", "session"] {
        let programs = Programs::start().await;
        let asked =
            json!({"model": "openclaw", "user": "ann", "messages": [{"role": "user", "content": "go"}]});
        let asking = programs.post("/v1/chat/completions", &asked).send();
        let killing = programs.kill_in_the_middle(service, "agent:main:openai-user:ann");

        let (answer, ()) = tokio::join!(asking, killing);

        let answer = answer.expect("an answer");
        assert_eq!(
            answer.status(),
            200,
            "{service}: {}",
            answer.text().await.unwrap()
        );
        let answer: Value = answer.json().await.expect("JSON");
        assert_eq!(
            answer["choices"][0]["message"]["content"],
            SECOND.concat(),
            "{service}: all of the second answer and nothing of the first: {answer}"
        );
        let answers = programs.answers("agent:main:openai-user:ann").await;
        assert_eq!(answers.len(), 1, "{service}: {answers:?}");
        assert_eq!(programs.model.asked(), 2);
    }
}

#[tokio::test]
async fn a_stream_that_cannot_take_back_its_words_says_what_became_of_the_run() {
    let programs = Programs::start().await;
    let asked = json!({"model": "openclaw", "user": "ann", "stream": true, "input": "go"});
    let asking = async || {
        let answer = programs
            .post("/v1/responses", &asked)
            .send()
            .await
            .expect("an answer");
        answer.text().await.expect("a stream")
    };
    let killing = programs.kill_in_the_middle("agent", "agent:main:openai-user:ann");

    let (stream, ()) = tokio::join!(asking(), killing);

    let last = stream.trim().rsplit("data: ").next().unwrap_or_default();
    let last: Value = serde_json::from_str(last).expect("an event");
    assert_eq!(last["type"], "response.failed", "{stream}");
    let error = &last["response"]["error"];
    assert_eq!(error["code"], "answer_begun_anew", "{error}");
    let message = error["message"].as_str().unwrap_or_default();
    assert!(
        message.contains("is stopped") && !message.to_lowercase().contains("key"),
        "nobody sent a key: {message}"
    );
    until("the end of the run", async || {
        let history = programs
            .rpc(
                "chat.history",
                json!({"sessionKey": "agent:main:openai-user:ann"}),
            )
            .await;
        history["inFlightRun"].is_null().then_some(())
    })
    .await;
}
