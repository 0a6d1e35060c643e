//! A platform that is read from an offset, counts UTF-16 and renders Markdown.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use gatehouse_core::{Content, Timestamp};
use serde_json::Value;
use tokio::{sync::Notify, time};

use crate::{
    account::AccountState,
    adapter::{
        Adapter, Capabilities, Case, ChatKind, Ended, InboundMessage, Limits, Link, Liveness, Origin,
        ParentChat, Rate, Receipt, TextLimit, TextShape, TextUnit, Typing,
    },
    platform::{Deps, Platform},
};

/// What every message of this platform belongs to.
pub(super) const KIND: ChatKind = ChatKind::Channel;
pub(super) const PARENT: &str = "the-forum";
pub(super) const GUILD: &str = "the-guild";
pub(super) const TEAM: &str = "the-team";
pub(super) const ROLES: [&str; 2] = ["member", "admin"];

static SERVERS: LazyLock<Mutex<HashMap<String, Server>>> = LazyLock::new(Mutex::default);

#[derive(Debug, Default)]
struct State {
    /// Id and text.
    said: Vec<(String, String)>,
    heard: Vec<String>,
    /// The names of the media that came with it.
    shown: Vec<String>,
    typed: Vec<Typing>,
    /// From where the account reads on, as it last told.
    read_from: usize,
    connections: u64,
}

/// The platform's side.
#[derive(Clone, Debug)]
pub(super) struct Server {
    name: String,
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

impl Server {
    pub(super) fn start() -> Self {
        let name = uuid::Uuid::now_v7().to_string();
        let server = Self {
            name: name.clone(),
            state: Arc::default(),
            changed: Arc::default(),
        };
        SERVERS.lock().unwrap().insert(name, server.clone());
        server
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn say(&self, id: &str, text: &str) {
        self.lock().said.push((id.into(), text.into()));
        self.changed.notify_waiters();
    }

    pub(super) fn heard(&self) -> Vec<String> {
        self.lock().heard.clone()
    }

    pub(super) fn shown(&self) -> Vec<String> {
        self.lock().shown.clone()
    }

    pub(super) fn read_from(&self) -> usize {
        self.lock().read_from
    }

    /// Ends the connection there is.
    pub(super) fn cut(&self) {
        self.lock().connections += 1;
        self.changed.notify_waiters();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self, connection: u64, from: usize) -> Option<Option<(String, String)>> {
        let mut state = self.lock();
        state.read_from = from;
        if state.connections != connection {
            return Some(None);
        }
        state.said.get(from).cloned().map(Some)
    }

    /// The message at this place, or nothing once the connection is cut.
    async fn read(&self, connection: u64, from: usize) -> Option<(String, String)> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(step) = self.look(connection, from) {
                return step;
            }
            changed.await;
        }
    }
}

pub(super) struct Relay {
    server: Server,
    state: AccountState,
}

impl Platform for Relay {
    const NAME: &'static str = "relay";
    const LABEL: &'static str = "Relay";
    type Config = String;

    fn read(account: &Value) -> Result<String, String> {
        let server = account.get("server").and_then(Value::as_str);
        server
            .map(str::to_owned)
            .ok_or_else(|| "server: must be set".into())
    }

    fn open(config: &String, deps: Deps) -> Arc<dyn Adapter> {
        let server = SERVERS.lock().unwrap()[config].clone();
        Arc::new(Self {
            server,
            state: deps.state,
        })
    }
}

impl Relay {
    async fn offset(&self) -> usize {
        let kept = self.state.get("offset").await.unwrap();
        kept.map_or(0, |bytes| String::from_utf8(bytes).unwrap().parse().unwrap())
    }
}

#[async_trait]
impl Adapter for Relay {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            media: true,
            threads: true,
            typing: true,
            ..Capabilities::text_only(TextLimit::new(TextUnit::Utf16, 2000, TextShape::Markdown))
        }
    }

    fn limits(&self) -> Limits {
        let rate = Rate {
            burst: 1000,
            per_second: 1000.0,
        };
        Limits {
            parts_max: 100,
            account_rate: rate,
            chat_rate: rate,
            concurrency: 4,
            send_timeout: Duration::from_secs(10),
            liveness: Some(Liveness {
                degraded_after: Duration::from_secs(60),
                dead_after: Duration::from_secs(90),
            }),
        }
    }

    async fn run(&self, mut link: Link) -> Ended {
        let mut offset = self.offset().await;
        let connection = self.server.lock().connections;
        link.progress.connected();
        loop {
            tokio::select! {
                said = self.server.read(connection, offset) => {
                    let Some((id, text)) = said else { return Ended::Retry("cut".into()) };
                    // Not read on before it is committed, and the offset is kept only then.
                    match link.inbound.receive(message(&id, text)).await {
                        Ok(_) => offset += 1,
                        Err(_) => time::sleep(Duration::from_millis(10)).await,
                    }
                    self.state.put("offset", offset.to_string().into_bytes()).await.unwrap();
                }
                request = link.outgoing.recv() => {
                    let Some(mut request) = request else { return Ended::Retry("asked to end".into()) };
                    request.begin();
                    let part = request.part().clone();
                    let mut server = self.server.lock();
                    server.heard.push(part.text);
                    server.shown.extend(part.media.into_iter().filter_map(|media| media.name));
                    drop(server);
                    request.answer(Ok(Receipt::default()));
                }
                Some(hint) = link.typing.recv() => {
                    self.server.lock().typed.push(hint);
                }
            }
        }
    }
}

fn message(id: &str, text: String) -> InboundMessage {
    InboundMessage {
        message_id: id.into(),
        chat_kind: KIND,
        chat_id: "the-thread".into(),
        chat_aliases: Vec::new(),
        case: Case::default(),
        origin: Origin {
            parent: Some(ParentChat {
                kind: KIND,
                id: PARENT.into(),
            }),
            guild_id: Some(GUILD.into()),
            team_id: Some(TEAM.into()),
            roles: ROLES.map(Into::into).to_vec(),
        },
        reply_to: "anna".into(),
        thread_id: None,
        sender_id: "anna".into(),
        sender_aliases: Vec::new(),
        sender_name: None,
        content: Content::text(text),
        mentioned: true,
        from_bot: false,
        sent_at: Timestamp::EPOCH,
    }
}
