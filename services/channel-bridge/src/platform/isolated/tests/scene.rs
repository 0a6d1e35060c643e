//! An account on that platform, which is a process.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use gatehouse_core::{Clock, content::Media};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    apart::open,
    trouble::{SECRET, Software, spoken},
};
use crate::{
    account::State,
    adapter::{Adapter, contract},
    outbox::store::NewDelivery,
    store::Stores,
    testing::{Bench, Memory, delivery, deps, stores, until},
};

/// The platform, and an account on it that is a process.
pub(super) struct Trouble {
    pub(super) adapter: Arc<dyn Adapter>,
    pub(super) stores: Stores,
    pub(super) files: Arc<Memory>,
    before: Option<u32>,
    folders: (TempDir, TempDir),
}

impl Trouble {
    fn new() -> Self {
        let ((kept, stores), folder) = (stores(), tempfile::tempdir().expect("a folder"));
        let files = Arc::new(Memory::default());
        let account = json!({"folder": folder.path(), "secret": SECRET});
        let deps = deps(&stores, Clock::system(), &files);
        Self {
            adapter: open::<Software>(account, deps, folder.path()),
            stores,
            files,
            before: None,
            folders: (kept, folder),
        }
    }

    pub(super) fn folder(&self) -> &Path {
        self.folders.1.path()
    }

    fn now(&self) -> Option<u32> {
        let pid = fs::read_to_string(self.folder().join("pid")).ok()?;
        pid.parse().ok()
    }

    /// The process.
    pub(super) fn pid(&self) -> u32 {
        self.now().expect("a process")
    }

    /// Waits for another process than this.
    pub(super) async fn another(&self, before: u32) {
        until("another process", async || {
            self.now().filter(|now| *now != before)
        })
        .await;
    }

    fn heard_now(&self) -> Vec<String> {
        let heard = fs::read_to_string(self.folder().join("heard")).unwrap_or_default();
        let text = |line: &str| serde_json::from_str(line).expect("a line");
        heard.lines().map(text).collect()
    }
}

/// Kills a process as the kernel does that has no memory left.
pub(super) fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.try_into().expect("a number")).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("killed");
}

impl contract::Platform for Trouble {
    const REDELIVERS: bool = true;

    async fn start() -> Self {
        Self::new()
    }

    fn adapter(&self) -> Arc<dyn Adapter> {
        Arc::clone(&self.adapter)
    }

    fn person(&self) -> String {
        "anna".into()
    }

    async fn say(&self, bench: &Bench, id: &str, text: &str) {
        let said = json!(crate::testing::message(id, "anna", text)).to_string();
        until("an acknowledgement", async || {
            let answer = self.adapter.http(spoken("/say", &said), &bench.inbound).await;
            (answer?.status == 202).then_some(())
        })
        .await;
    }

    async fn heard(&self) -> Vec<String> {
        self.heard_now()
    }

    async fn cut(&mut self) {
        self.before = self.now();
        kill(self.pid());
    }

    async fn mended(&mut self) {
        self.another(self.before.expect("a process that was killed"))
            .await;
    }
}

/// The platform with a running account.
pub(super) struct Scene {
    pub(super) bench: Bench,
    platform: Trouble,
}

impl std::ops::Deref for Scene {
    type Target = Trouble;

    fn deref(&self) -> &Trouble {
        &self.platform
    }
}

impl Scene {
    pub(super) async fn start() -> Self {
        let platform = Trouble::new();
        let bench = Bench::run(&platform.stores, Clock::system(), Arc::clone(&platform.adapter));
        let scene = Self { bench, platform };
        scene.connected().await;
        scene
    }

    pub(super) async fn connected(&self) {
        until("a connection", async || {
            (self.bench.progress.snapshot().state == State::Connected).then_some(())
        })
        .await;
    }

    /// Sends a request, and tells how it was answered.
    pub(super) async fn post(&self, target: &str, body: &Value) -> u16 {
        let request = spoken(target, &body.to_string());
        let answer = self.adapter.http(request, &self.bench.inbound).await;
        answer.expect("an answer").status
    }

    /// What stands in a file of the platform.
    pub(super) async fn read(&self, name: &str) -> String {
        let path = self.folder().join(name);
        until(name, async || fs::read_to_string(&path).ok()).await
    }

    /// The folder of the process.
    pub(super) fn place(&self) -> PathBuf {
        let mut all = fs::read_dir(self.folder()).expect("the folder").flatten();
        let place = all.find(|entry| entry.file_name().to_string_lossy().starts_with("c-"));
        place.expect("its folder").path()
    }

    /// Kills the process, and waits for the next.
    pub(super) async fn kill(&self) {
        let before = self.pid();
        kill(before);
        self.another(before).await;
        self.connected().await;
    }

    /// Something is said to Anna, with files.
    pub(super) async fn say_with(&self, id: &str, text: &str, media: Vec<Media>) {
        let said = delivery(id, "anna", text, self.bench.clock.now());
        let media = media.into_iter().map(gatehouse_core::content::Block::Media);
        let message = said
            .message
            .clone()
            .into_blocks()
            .into_iter()
            .chain(media)
            .collect();
        let whole = NewDelivery { message, ..said };
        self.bench.outbox.enqueue(whole).await.expect("taken");
    }
}
