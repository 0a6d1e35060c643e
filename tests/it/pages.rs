//! What pages and commands ask beside chats: settings, agents, logs, tasks, usage, the machine. Each answer comes from a fact.

use gatehouse_tests::{Gateway, http, until};
use serde_json::{Value, json};

async fn ask(gateway: &Gateway, method: &str, params: Value) -> Result<Value, Value> {
    let request = http::client().post(format!("{}/rpc/{method}", gateway.http()));
    let sent = request.bearer_auth(gateway.token()).json(&params).send().await;
    let response = sent.expect("an answer");
    let is_ok = response.status().is_success();
    let body: Value = response.json().await.expect("JSON");
    if is_ok {
        Ok(body)
    } else {
        Err(body["error"].clone())
    }
}

async fn answer(gateway: &Gateway, method: &str, params: Value) -> Value {
    ask(gateway, method, params).await.expect(method)
}

/// Waits until a run of a job has ended well.
async fn wait_for_run(gateway: &Gateway, job: &Value, run: &Value) {
    until("the end of the job's run", async || {
        let params = json!({"id": job, "runId": run, "limit": 1});
        let runs = ask(gateway, "cron.runs", params).await.ok()?;
        (runs["entries"][0]["status"] == "ok").then_some(())
    })
    .await;
}

/// Says something, and waits until it is answered.
async fn say(gateway: &Gateway, run: &str, text: &str) {
    let params = json!({"sessionKey": "main", "message": text, "idempotencyKey": run});
    answer(gateway, "chat.send", params).await;
    until("the end of the run", async || {
        let task = ask(gateway, "tasks.get", json!({"taskId": run})).await.ok()?;
        (task["task"]["status"] == "completed").then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_was_done_and_what_it_cost_is_told_from_turns_and_transcripts() {
    let gateway = Gateway::start(&json!({})).await;
    say(&gateway, "one", "hello").await;

    let tasks = answer(
        &gateway,
        "tasks.list",
        json!({"status": ["completed"], "limit": 5}),
    )
    .await;
    assert_eq!(tasks["tasks"][0]["runId"], "one", "{tasks}");
    assert_eq!(tasks["tasks"][0]["sessionKey"], "agent:main:main", "{tasks}");
    let none = answer(&gateway, "tasks.list", json!({"status": "running"})).await;
    assert_eq!(none["tasks"], json!([]));
    let ended = answer(&gateway, "tasks.cancel", json!({"taskId": "one"})).await;
    assert_eq!(
        (&ended["found"], &ended["cancelled"]),
        (&json!(true), &json!(false)),
        "{ended}"
    );
    let lanes = answer(&gateway, "diagnostics.lanes", json!({})).await;
    assert_eq!(lanes["lanes"][0]["activeCount"], 0, "{lanes}");

    let usage = answer(&gateway, "sessions.usage", json!({"range": "7d"})).await;
    assert_eq!(usage["sessions"][0]["key"], "agent:main:main", "{usage}");
    assert_eq!(usage["aggregates"]["messages"]["user"], 1, "{usage}");
    assert_eq!(usage["aggregates"]["messages"]["assistant"], 1, "{usage}");
    let cost = answer(&gateway, "usage.cost", json!({"days": 2})).await;
    assert_eq!(
        (&cost["days"], &cost["totals"]),
        (&json!(2), &usage["totals"]),
        "{cost}"
    );
    let wrong = ask(&gateway, "usage.cost", json!({"startDate": "2026-02-30"})).await;
    assert!(
        wrong.expect_err("no day")["message"]
            .to_string()
            .contains("/startDate")
    );
}

#[tokio::test]
async fn the_log_of_all_services_is_read_and_followed_by_a_cursor() {
    let gateway = Gateway::start(&json!({})).await;
    let first = answer(&gateway, "logs.tail", json!({})).await;
    let services = |answer: &Value| {
        let lines = answer["lines"].as_array().expect("lines").clone();
        let service = |line: &Value| {
            let line: Value = serde_json::from_str(line.as_str().expect("text")).expect("JSON");
            line["subsystem"].as_str().unwrap_or_default().to_owned()
        };
        lines
            .iter()
            .map(service)
            .collect::<std::collections::BTreeSet<_>>()
    };
    assert!(services(&first).len() > 1, "{first}");

    say(&gateway, "two", "hello").await;
    let next = until("the turn's line", async || {
        let next = answer(&gateway, "logs.tail", json!({"cursor": first["cursor"]})).await;
        services(&next).contains("session").then_some(next)
    })
    .await;

    assert_eq!(next["reset"], false, "{next}");
    let end = answer(
        &gateway,
        "logs.tail",
        json!({"cursor": next["cursor"], "limit": 1}),
    )
    .await;
    assert!(
        end["lines"].as_array().is_some_and(|lines| lines.len() <= 1),
        "{end}"
    );
    let health = until("each service", async || {
        let told = answer(&gateway, "diagnostics.stability", json!({})).await;
        (told["count"].as_i64()? >= 6).then_some(told)
    })
    .await;
    assert_eq!(health["events"][0]["type"], "service.health", "{health}");
}

#[tokio::test]
async fn an_agent_is_made_given_a_file_and_asked_to_be_so() {
    let gateway = Gateway::start(&json!({})).await;
    let made = answer(
        &gateway,
        "agents.create",
        json!({"name": "Front Desk", "emoji": "🛎"}),
    )
    .await;
    assert_eq!(made["agentId"], "front-desk");
    until("the new agent", async || {
        let all = answer(&gateway, "agents.list", json!({})).await;
        let ids: Vec<&str> = all["agents"]
            .as_array()?
            .iter()
            .filter_map(|agent| agent["id"].as_str())
            .collect();
        (ids.contains(&"front-desk") && ids.contains(&"main")).then_some(())
    })
    .await;

    let file = json!({"agentId": "front-desk", "name": "SOUL.md", "content": "be kind"});
    let written = answer(&gateway, "agents.files.set", file).await;
    let read = answer(
        &gateway,
        "agents.files.get",
        json!({"agentId": "front-desk", "name": "SOUL.md"}),
    )
    .await;
    assert_eq!(read["file"]["content"], "be kind", "{read}");
    assert_eq!(read["file"]["hash"], written["file"]["hash"]);
    assert!(
        read["workspace"]
            .as_str()
            .is_some_and(|folder| made["workspace"] == folder),
        "{made} {read}"
    );
    for outside in ["../../gatehouse.json5", "/etc/passwd", "config/token"] {
        let params = json!({"agentId": "front-desk", "name": outside});
        let refused = ask(&gateway, "agents.files.get", params)
            .await
            .expect_err("no name of a file");
        assert_eq!(refused["details"]["reason"], "NO_SUCH_FILE", "{refused}");
    }
    let nobody = json!({"agentId": "nobody", "name": "SOUL.md", "content": "x"});
    assert!(ask(&gateway, "agents.files.set", nobody).await.is_err());
    let gone = answer(&gateway, "agents.delete", json!({"agentId": "front-desk"})).await;
    assert_eq!(gone["ok"], true);
}

#[tokio::test]
async fn a_form_saves_and_what_there_is_none_of_is_an_empty_list() {
    let gateway = Gateway::start(&json!({"gateway": {"controlUi": {"allowedOrigins": []}}})).await;
    let read = answer(&gateway, "config.get", json!({})).await;
    let mut form = read["sourceConfig"].clone();
    form["session"] = json!({"dmScope": "per-peer"});
    let set = json!({"raw": form.to_string(), "baseHash": read["hash"]});
    let saved = answer(&gateway, "config.set", set.clone()).await;
    assert_eq!(
        (&saved["noop"], &saved["config"]["session"]["dmScope"]),
        (&json!(false), &json!("per-peer"))
    );
    let stale = ask(&gateway, "config.set", set)
        .await
        .expect_err("somebody was faster");
    assert!(
        stale["message"]
            .to_string()
            .contains("config changed since last load"),
        "{stale}"
    );

    let schema = answer(&gateway, "config.schema", json!({})).await;
    assert_eq!(schema["uiHints"]["gateway.port"]["label"], "Port");
    let port = answer(&gateway, "config.schema.lookup", json!({"path": "gateway.port"})).await;
    assert_eq!(port["reloadKind"], "restart", "{port}");
    for (method, empty) in [
        ("question.list", json!({"questions": []})),
        ("taskSuggestions.list", json!({"suggestions": []})),
        ("exec.approval.list", json!([])),
        ("plugin.approval.list", json!([])),
        ("openclaw.approval.list", json!([])),
        ("last-heartbeat", json!(null)),
        ("approval.history", json!({"items": []})),
        ("exec.approval.grants.list", json!({"grants": []})),
        ("skills.search", json!({"results": []})),
        (
            "plugins.list",
            json!({"plugins": [], "diagnostics": [], "mutationAllowed": false}),
        ),
        ("plugins.catalog.browse", json!({"items": [], "categories": []})),
        (
            "cron.status",
            json!({"enabled": true, "jobs": 0, "storage": "sqlite", "triggersEnabled": false}),
        ),
    ] {
        assert_eq!(answer(&gateway, method, json!({})).await, empty, "{method}");
    }
    // The page refuses a list of automations without these.
    for (method, list) in [("cron.list", "jobs"), ("cron.runs", "entries")] {
        let empty = answer(&gateway, method, json!({"limit": 20})).await;
        assert_eq!(
            (&empty[list], &empty["limit"], &empty["hasMore"]),
            (&json!([]), &json!(20), &json!(false)),
            "{method}: {empty}"
        );
        assert_eq!(empty.get("nextOffset"), Some(&json!(null)), "{method}: {empty}");
    }
    // As OpenClaw's command line adds one.
    let job = json!({
        "name": "lab1", "enabled": true, "schedule": {"kind": "every", "everyMs": 3_600_000}, "sessionTarget": "isolated",
        "wakeMode": "now", "payload": {"kind": "agentTurn", "message": "cron hi", "toolsAllow": ["*"]},
        "delivery": {"mode": "announce", "channel": "last", "bestEffort": true},
    });
    let added = answer(&gateway, "cron.add", job).await;
    assert_eq!(
        added["payload"]["message"], "cron hi",
        "the answer is the job: {added}"
    );
    let run = answer(&gateway, "cron.run", json!({"id": added["id"], "mode": "force"})).await;
    wait_for_run(&gateway, &added["id"], &run["runId"]).await;
    let listed = answer(&gateway, "cron.list", json!({"includeDisabled": true})).await;
    assert_eq!(listed["jobs"][0]["state"]["lastRunStatus"], "ok", "{listed}");
    assert_eq!(
        answer(&gateway, "cron.remove", json!({"id": added["id"]})).await["removed"],
        true
    );
    let hooks = answer(&gateway, "hooks.status", json!({"agentId": "main"})).await;
    let skills = answer(&gateway, "skills.status", json!({})).await;
    assert_eq!(
        (&hooks["hooks"], &skills["skills"], &skills["agentId"]),
        (&json!([]), &json!([]), &json!("main"))
    );
    assert_eq!(hooks["workspaceDir"], skills["workspaceDir"]);
    for method in [
        "hooks.status",
        "skills.status",
        "doctor.memory.status",
        "webSearch.status",
    ] {
        let nobody = ask(&gateway, method, json!({"agentId": "nobody"}))
            .await
            .expect_err("no such agent");
        assert!(
            nobody["message"].to_string().contains("nobody"),
            "{method}: {nobody}"
        );
    }
    let machines = answer(&gateway, "environments.list", json!({})).await;
    assert_eq!(
        (&machines["environments"][0]["id"], &machines["environments"][1]),
        (&json!("gateway"), &json!(null)),
        "{machines}"
    );
    let system = answer(&gateway, "system.info", json!({})).await;
    assert!(
        system["cpuCount"].as_i64().is_some_and(|count| count > 0),
        "{system}"
    );
    let update = answer(&gateway, "update.status", json!({})).await;
    assert_eq!(
        (&update["sentinel"], &update["updateAvailable"]),
        (&json!(null), &json!(null)),
        "{update}"
    );
    let auth = answer(&gateway, "models.authStatus", json!({"agentId": "main"})).await;
    assert_eq!(auth["providers"], json!([]), "{auth}");
    // A whole number is one however a program writes it.
    let limit = http::client()
        .post(format!("{}/rpc/tasks.list", gateway.http()))
        .bearer_auth(gateway.token())
        .body(r#"{"limit": 10.0}"#)
        .send()
        .await
        .expect("an answer");
    assert!(limit.status().is_success(), "{}", limit.status());
}
