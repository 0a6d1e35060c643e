//! A platform that loses receipts and connections.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use gatehouse_core::Content;
use serde_json::Value;
use tokio::{sync::Notify, time};

use crate::{
    adapter::{
        Adapter, Capabilities, Ended, InboundMessage, Limits, Link, Preview, PreviewError, Previews, Rate,
        Receipt, SendError, SendPart, Shown, TextLimit, TextShape, TextUnit,
    },
    id::Address,
    platform::{Deps, Platform},
    testing::message,
};

static SERVERS: LazyLock<Mutex<HashMap<String, Server>>> = LazyLock::new(Mutex::default);

/// Connections that end by themselves: each next one is waited for a little longer.
const CUTS_MAX: u32 = 3;

#[derive(Debug, Default)]
struct State {
    /// Chat and text, in order; the first is the next to be heard.
    said: VecDeque<(String, String)>,
    count: u64,
    /// By their ids.
    messages: Vec<(u64, String, String)>,
    random: u64,
    cuts: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Server {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

/// What becomes of a message.
enum Luck {
    Taken,
    /// Not now.
    Refused,
    /// Taken, and the connection ends before anybody hears of it.
    Lost,
    /// The connection ends.
    Cut,
}

impl Server {
    pub(super) fn start(name: &str, seed: u64) -> Self {
        let server = Self {
            state: Arc::default(),
            changed: Arc::default(),
        };
        server.lock().random = seed;
        SERVERS.lock().unwrap().insert(name.to_owned(), server.clone());
        server
    }

    pub(super) fn say(&self, chat: &str, text: &str) {
        self.lock().said.push_back((chat.to_owned(), text.to_owned()));
        self.changed.notify_waiters();
    }

    /// Chat and words of what stands there.
    pub(super) fn messages(&self) -> Vec<(String, String)> {
        let state = self.lock();
        let messages = state.messages.iter();
        messages
            .map(|(_, chat, text)| (chat.clone(), text.clone()))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn luck(&self) -> Luck {
        let mut state = self.lock();
        // xorshift64: any will do, as long as a run can be repeated.
        let mut random = state.random;
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        state.random = random;
        let may_cut = state.cuts < CUTS_MAX;
        match random % 40 {
            0 | 1 => Luck::Refused,
            2 if may_cut => {
                state.cuts += 1;
                Luck::Lost
            }
            3 if may_cut => {
                state.cuts += 1;
                Luck::Cut
            }
            _ => Luck::Taken,
        }
    }

    fn post(&self, chat: &str, text: &str) -> u64 {
        let mut state = self.lock();
        state.count += 1;
        let id = state.count;
        state.messages.push((id, chat.to_owned(), text.to_owned()));
        id
    }

    fn edit(&self, id: &str, chat: &str, text: &str) -> bool {
        let mut state = self.lock();
        let mut messages = state.messages.iter_mut();
        let found = messages.find(|(known, place, _)| known.to_string() == id && place == chat);
        found.map(|(_, _, words)| text.clone_into(words)).is_some()
    }

    fn take(&self, part: &SendPart) -> Result<Receipt, SendError> {
        let id = match &part.replaces {
            Some(id) if self.edit(id, part.to.as_str(), &part.text) => id.clone(),
            Some(_) => {
                let reason = "gone".to_owned();
                return Err(SendError::PreviewGone { reason });
            }
            None => self.post(part.to.as_str(), &part.text).to_string(),
        };
        Ok(Receipt {
            platform_id: Some(id),
            ..Receipt::default()
        })
    }

    async fn next(&self) -> (String, String) {
        loop {
            let changed = self.changed.notified();
            if let Some(next) = self.lock().said.front().cloned() {
                return next;
            }
            changed.await;
        }
    }
}

/// The platform number `N`.
pub(super) struct Chaos<const N: usize>(Server);

impl<const N: usize> Platform for Chaos<N> {
    const NAME: &'static str = super::CHANNELS[N];
    const LABEL: &'static str = "Chaos";
    type Config = String;

    fn read(account: &Value) -> Result<String, String> {
        let server = account.get("server").and_then(Value::as_str);
        server
            .map(str::to_owned)
            .ok_or_else(|| "server: must be set".into())
    }

    fn open(config: &String, _: Deps) -> Arc<dyn Adapter> {
        Arc::new(Self(SERVERS.lock().unwrap()[config].clone()))
    }
}

#[async_trait]
impl<const N: usize> Adapter for Chaos<N> {
    fn capabilities(&self) -> Capabilities {
        let every = Duration::from_millis(10);
        Capabilities {
            previews: Some(Previews {
                every,
                every_shared: every,
                vanish: false,
            }),
            ..Capabilities::text_only(TextLimit::new(TextUnit::Chars, 500, TextShape::Plain))
        }
    }

    fn limits(&self) -> Limits {
        let rate = Rate {
            burst: 1000,
            per_second: 1000.0,
        };
        Limits {
            parts_max: 10,
            account_rate: rate,
            chat_rate: rate,
            concurrency: 8,
            send_timeout: Duration::from_secs(10),
            liveness: None,
        }
    }

    async fn preview(&self, preview: &Preview) -> Result<Shown, PreviewError> {
        time::sleep(Duration::from_millis(2)).await;
        let to = preview.to.as_str();
        let id = match &preview.shown {
            Some(id) if self.0.edit(id, to, &preview.text) => id.clone(),
            Some(_) => return Err(PreviewError::Never("gone".into())),
            None => self.0.post(to, &preview.text).to_string(),
        };
        Ok(Shown { id: Some(id) })
    }

    async fn withdraw(&self, _: &Address, _: Option<&str>, shown: &str) -> Result<(), PreviewError> {
        self.0
            .lock()
            .messages
            .retain(|(id, _, _)| id.to_string() != shown);
        Ok(())
    }

    async fn run(&self, mut link: Link) -> Ended {
        link.progress.connected();
        let ended = || Ended::Retry("cut".into());
        loop {
            tokio::select! {
                (chat, text) = self.0.next() => {
                    let said = InboundMessage {
                        content: Content::text(text.clone()),
                        ..message(&text, &chat, &text)
                    };
                    match link.inbound.receive(said).await {
                        // Acknowledged: it is not said again.
                        Ok(_) => drop(self.0.lock().said.pop_front()),
                        Err(_) => time::sleep(Duration::from_millis(10)).await,
                    }
                }
                request = link.outgoing.recv() => {
                    let Some(mut request) = request else { return ended() };
                    if request.abandoned() {
                        continue;
                    }
                    request.begin();
                    match self.0.luck() {
                        Luck::Taken => {
                            let taken = self.0.take(request.part());
                            request.answer(taken);
                        }
                        Luck::Refused => request.answer(Err(SendError::retry("not now"))),
                        Luck::Lost => {
                            let _ = self.0.take(request.part());
                            return ended();
                        }
                        Luck::Cut => {
                            request.answer(Err(SendError::retry("the connection ended")));
                            return ended();
                        }
                    }
                }
            }
        }
    }
}
