//! Files that the assistant makes.

use super::*;
use crate::adapter::contract::files::{Said, Sends, files};

/// A chat with a person.
struct Chat(Scene);

impl Sends for Chat {
    const LAST: &str = "send";

    async fn start() -> Self {
        let scene = Scene::start().await;
        scene.is(State::Connected).await;
        Self(scene)
    }

    fn bench(&self) -> &Bench {
        &self.0.bench
    }

    fn files(&self) -> &Memory {
        &self.0.files
    }

    fn to(&self) -> String {
        ANNA.to_owned()
    }

    fn said(&self) -> Vec<Said> {
        let file = |address: String| {
            let rest = address.strip_prefix("data:image/png;filename=").unwrap();
            let (name, bytes) = rest.split_once(";base64,").unwrap();
            (name.to_owned(), BASE64_STANDARD.decode(bytes).unwrap())
        };
        let seen = self.0.daemon.seen().into_iter();
        seen.map(|seen| (seen.text, seen.file.map(file))).collect()
    }

    fn calls(&self, call: &str) -> usize {
        self.0.daemon.calls(call).len()
    }

    fn refuse(&self) {
        let error = json!({"code": -1, "message": "Failed to add attachment: too large"});
        let refusal = json!({"jsonrpc": "2.0", "id": 1, "error": error});
        self.0.daemon.fault("send", Fault::Refuse(200, refusal));
    }

    fn too_fast(&self, call: &str) {
        let refusal = json!({"error": "not now"});
        self.0.daemon.fault(call, Fault::Refuse(404, refusal));
    }
}

files!(holds_for_files, Chat);
