//! The recipe of docs/getting-started.md, run as it is written, with a `curl` that shows what it was given.

use std::process::Command;

use super::*;

const DOCS: &str = include_str!("../../../../../../docs/getting-started.md");

/// What comes before the recipe: instead of sending, each argument on a line of its own.
const SHOW: &str = "curl() { for argument in \"$@\"; do printf '%s\\n' \"$argument\"; done; }\n";

#[tokio::test]
async fn the_recipe_of_the_docs_signs_a_message_that_is_taken() {
    let mut blocks = DOCS.split("```sh\n").filter_map(|rest| rest.split("```").next());
    let recipe = blocks
        .find(|block| block.contains(signature::SIGNATURE))
        .expect("a recipe");
    let output = Command::new("sh")
        .args(["-c", &format!("{SHOW}{recipe}")])
        .env("WEBHOOK_SECRET", SECRET)
        .output()
        .expect("a shell with openssl");
    let shown = String::from_utf8(output.stdout).unwrap();
    let arguments: Vec<&str> = shown.lines().collect();
    let after = |flag: &'static str| {
        let pairs = arguments.windows(2).filter(move |pair| pair[0] == flag);
        pairs.map(|pair| pair[1])
    };
    let headers = after("-H").filter_map(|header| header.split_once(": "));
    let url = arguments
        .iter()
        .find_map(|argument| argument.strip_prefix("http://127.0.0.1:18789"));
    let request = HttpRequest {
        head: HttpHead {
            method: "POST".into(),
            target: url.expect("an address").into(),
            headers: headers.map(|(name, value)| (name.into(), value.into())).collect(),
            peer: "127.0.0.1".into(),
        },
        body: after("--data").next().expect("a body").to_owned().into(),
    };
    let (_folder, stores) = stores();
    let default = AccountKey::new("webhook", "default");
    let config = WebhookConfig::read(&json!({"secret": SECRET})).unwrap();
    let adapter: Arc<dyn Adapter> = Arc::new(Webhook::new(default, config, Clock::system()));
    let bench = Bench::run(&stores, Clock::system(), Arc::clone(&adapter));

    let answer = adapter.http(request, &bench.inbound).await.unwrap();

    assert_eq!(
        answer.status,
        202,
        "{}: {}",
        answer.body,
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(bench.heard.texts(), ["hello"]);
}
