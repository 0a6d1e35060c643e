//! The suites of what platforms show, with the account as a process of its own: a stage is started within [`Isolated`], and opens its
//! account with [`opened`], which sees that.

use std::{
    cell::{Cell, RefCell},
    sync::Arc,
};

use serde_json::Value;
use tempfile::TempDir;

use super::apart::open;
use crate::{
    adapter::{
        Adapter,
        contract::{choices, faults, files, previews},
    },
    platform::{Deps, Platform},
    preview::Place,
    testing::{Bench, Memory},
};

thread_local! {
    /// Whether accounts are opened as processes. A test is one thread.
    static APART: Cell<bool> = const { Cell::new(false) };
    /// Where the processes of this test are spoken to.
    static FOLDERS: RefCell<Vec<TempDir>> = const { RefCell::new(Vec::new()) };
}

/// An account on a built-in platform.
pub(crate) fn opened<S: Platform>(account: &Value, deps: Deps) -> Arc<dyn Adapter> {
    if !APART.get() {
        let config = S::read(account).expect("an account");
        return S::open(&config, deps);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let adapter = open::<S>(account.clone(), deps, folder.path());
    FOLDERS.with_borrow_mut(|folders| folders.push(folder));
    adapter
}

async fn apart<T>(begun: impl Future<Output = T>) -> T {
    APART.set(true);
    let begun = begun.await;
    APART.set(false);
    begun
}

/// A stage whose account is a process.
pub(crate) struct Isolated<S>(S);

impl<S: choices::Offers> choices::Offers for Isolated<S> {
    async fn start() -> Self {
        Self(apart(S::start()).await)
    }

    fn bench(&self) -> &Bench {
        self.0.bench()
    }

    fn to(&self) -> String {
        self.0.to()
    }

    fn said(&self) -> Vec<choices::Said> {
        self.0.said()
    }

    async fn press(&self, value: &str) {
        self.0.press(value).await;
    }

    fn answered(&self) -> Option<usize> {
        self.0.answered()
    }
}

impl<S: files::Sends> files::Sends for Isolated<S> {
    const LAST: &str = S::LAST;

    async fn start() -> Self {
        Self(apart(S::start()).await)
    }

    fn bench(&self) -> &Bench {
        self.0.bench()
    }

    fn files(&self) -> &Memory {
        self.0.files()
    }

    fn to(&self) -> String {
        self.0.to()
    }

    fn said(&self) -> Vec<files::Said> {
        self.0.said()
    }

    fn calls(&self, call: &str) -> usize {
        self.0.calls(call)
    }

    fn refuse(&self) {
        self.0.refuse();
    }

    fn too_fast(&self, call: &str) {
        self.0.too_fast(call);
    }
}

impl<S: previews::Stage> previews::Stage for Isolated<S> {
    const GROWS: &str = S::GROWS;
    const BECOMES: &str = S::BECOMES;

    async fn start() -> Self {
        Self(apart(S::start()).await)
    }

    fn bench(&self) -> &Bench {
        self.0.bench()
    }

    fn adapter(&self) -> &Arc<dyn Adapter> {
        self.0.adapter()
    }

    fn place(&self) -> Place {
        self.0.place()
    }

    fn seen(&self) -> Vec<(String, String)> {
        self.0.seen()
    }

    fn calls(&self, method: &str) -> usize {
        self.0.calls(method)
    }

    fn fault(&self, method: &str, wrong: previews::Wrong) {
        self.0.fault(method, wrong);
    }

    fn delete(&self, id: &str) {
        self.0.delete(id);
    }

    async fn again(self) -> Self {
        Self(apart(self.0.again()).await)
    }
}

impl<S: faults::Falters> faults::Falters for Isolated<S> {
    const KNOWS_REPEATS: bool = S::KNOWS_REPEATS;

    async fn start() -> Self {
        Self(apart(S::start()).await)
    }

    fn bench(&self) -> &Bench {
        self.0.bench()
    }

    fn chats(&self) -> [String; 2] {
        self.0.chats()
    }

    fn said(&self) -> Vec<String> {
        self.0.said()
    }

    fn tried(&self) -> usize {
        self.0.tried()
    }

    fn goes(&self, wrong: faults::Wrong) {
        self.0.goes(wrong);
    }
}
