use std::{collections::HashSet, fs, sync::Arc};

use gatehouse_core::{Clock, Env, Home, publish::Published};
use prost::Message as _;
use serde_json::json;
use tokio::task::JoinSet;

use super::*;
use crate::{
    configuration::{sources_of, store_of},
    revision, text, watcher,
};

struct Running {
    home: tempfile::TempDir,
    handle: Handle,
    health: Health,
    events: Published,
    drain: Drain,
}

fn running(document: &str) -> Running {
    let home = tempfile::tempdir().expect("a folder");
    fs::write(home.path().join("gatehouse.json5"), document).expect("written");
    let env = Env::of([("GATEHOUSE_HOME", home.path().to_str().expect("UTF-8"))]);
    let paths = Home::read(&env);
    let configuration =
        Configuration::open(store_of(&paths), sources_of(&paths, &env), Clock::system()).expect("valid");
    let (publisher, events) = Publisher::for_tests();
    let (health, drain) = (Health::new(), Drain::new());
    let handle = spawn(
        configuration,
        watcher::watch(&[&paths.config]),
        publisher,
        health.clone(),
        Metrics::default(),
        &drain,
    );
    Running {
        home,
        handle,
        health,
        events,
        drain,
    }
}

impl Running {
    fn file(&self) -> std::path::PathBuf {
        self.home.path().join("gatehouse.json5")
    }

    async fn wait_for(&self, what: impl FnMut(&State) -> bool) -> State {
        let mut state = self.handle.watch();
        timeout(Duration::from_secs(20), state.wait_for(what))
            .await
            .expect("in time")
            .expect("alive")
            .clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_changes_at_once_leave_one_that_was_submitted() {
    let running = running("{}");
    let first = running.handle.state().revision.hash().to_owned();
    let submitted = Arc::new(std::sync::Mutex::new(HashSet::from(["{}".to_owned()])));

    let mut changes = JoinSet::new();
    for number in 0..1_000 {
        let (handle, submitted, file) = (running.handle.clone(), Arc::clone(&submitted), running.file());
        let first = first.clone();
        changes.spawn(async move {
            // Half of them start from the first revision, the others from whatever runs when they come.
            let state = handle.state();
            let (base, before) = if number % 2 == 0 {
                (first, "{}".to_owned())
            } else {
                (state.revision.hash().to_owned(), state.revision.text().to_owned())
            };
            let change = json!({"session": {"identityLinks": {"n": [number.to_string()]}}});
            submitted
                .lock()
                .expect("whole")
                .insert(text::merge_text(&before, &change).expect("editable"));
            let outcome = handle
                .patch(Patch {
                    raw: change.to_string(),
                    base_hash: Some(base),
                    ..Patch::default()
                })
                .await;
            let found = fs::read_to_string(file).expect("never gone");
            assert!(
                submitted.lock().expect("whole").contains(&found),
                "nobody submitted {found}"
            );
            match outcome {
                Ok(patched) => Some(patched.state.revision.hash().to_owned()),
                Err(Error::Changed { .. } | Error::Busy) => None,
                Err(error) => panic!("{error}"),
            }
        });
    }
    let taken: Vec<String> = changes.join_all().await.into_iter().flatten().collect();

    let found = fs::read_to_string(running.file()).expect("there");
    assert!(
        taken.contains(&revision::hash(&found)),
        "the file is a change that was acknowledged"
    );
    assert_eq!(running.handle.state().revision.text(), found);
    assert_eq!(
        taken.iter().collect::<HashSet<_>>().len(),
        taken.len(),
        "no two changes won at once"
    );
}

#[tokio::test]
async fn an_edit_by_hand_is_taken_and_an_event_names_what_changed() {
    let mut running = running("{gateway: {port: 2000}}");

    fs::write(
        running.file(),
        "{gateway: {port: 2001, auth: {token: 'a-new-token-0123456789'}}}",
    )
    .expect("written");
    let state = running
        .wait_for(|state| state.revision.document().gateway.port == 2001)
        .await;

    let event = timeout(Duration::from_secs(5), running.events.recv())
        .await
        .expect("in time")
        .expect("published");
    let event = ConfigChangedEvent::decode(event.payload).expect("decodes");
    assert_eq!(event.hash, state.revision.hash());
    assert_eq!(event.paths, ["gateway.port", "gateway.auth"]);
}

#[tokio::test]
async fn a_document_caught_in_the_middle_of_a_save_is_not_taken_and_nobody_hears_of_it() {
    let running = running("{gateway: {port: 2000}}");
    let states = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (seen, mut watch) = (Arc::clone(&states), running.handle.watch());
    let watching = tokio::spawn(async move {
        while watch.changed().await.is_ok() {
            let state = watch.borrow_and_update();
            let port = state.revision.document().gateway.port;
            seen.lock().expect("whole").push((port, state.file.valid));
        }
    });

    // A slow disk: emptied, half of it, the whole.
    fs::write(running.file(), "").expect("written");
    tokio::time::sleep(Duration::from_millis(400)).await;
    fs::write(running.file(), "{gateway: {port: 20").expect("written");
    tokio::time::sleep(Duration::from_millis(400)).await;
    fs::write(running.file(), "{gateway: {port: 2001}}").expect("written");
    running
        .wait_for(|state| state.revision.document().gateway.port == 2001)
        .await;

    timeout(Duration::from_secs(5), async {
        while states.lock().expect("whole").is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("seen");
    watching.abort();
    assert_eq!(*states.lock().expect("whole"), [(2001, true)]);
}

#[tokio::test]
async fn a_mistake_by_hand_degrades_health_until_it_is_mended() {
    let running = running("{gateway: {port: 2000}}");
    let hash = running.handle.state().revision.hash().to_owned();

    fs::write(running.file(), "{gateway: {port: 'x'}}").expect("written");
    let state = running.wait_for(|state| !state.file.valid).await;

    assert_eq!(state.revision.hash(), hash);
    let mut health = running.health.watch();
    let degraded = timeout(
        Duration::from_secs(5),
        health.wait_for(|state| matches!(state, health::State::Degraded(_))),
    );
    assert!(format!("{:?}", *degraded.await.expect("in time").expect("alive")).contains("gateway.port"));

    fs::write(running.file(), "{gateway: {port: 2002}}").expect("written");
    running.wait_for(|state| state.file.valid).await;
    let serving = timeout(
        Duration::from_secs(5),
        health.wait_for(|state| *state == health::State::Serving),
    )
    .await;
    serving.expect("in time").expect("alive");
}

#[tokio::test]
async fn after_the_drain_changes_are_refused() {
    let running = running("{}");
    let hash = running.handle.state().revision.hash().to_owned();
    running.drain.finish(Duration::from_secs(5)).await;

    let refused = running
        .handle
        .patch(Patch {
            raw: "{gateway: {port: 1}}".to_owned(),
            base_hash: Some(hash),
            ..Patch::default()
        })
        .await;

    assert!(matches!(refused, Err(Error::Ending)));
}
