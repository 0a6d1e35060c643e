//! What the tests of several modules share: a platform that does as it is told, and a session service that remembers.

mod deps;
mod heard;
mod memory;
mod recorded;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use futures::StreamExt;
use gatehouse_core::{Clock, Content, Drain, Timestamp};
use tempfile::TempDir;
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{self, Instant},
};
use tokio_util::sync::CancellationToken;

pub(crate) use self::{deps::deps, heard::Heard, memory::Memory};
use crate::{
    account::supervisor::{Lines, supervise},
    adapter::{
        AccountKey, Adapter, Capabilities, Case, ChatKind, Ended, FetchError, Hints, InboundMessage,
        InboundSink, Limits, Link, Origin, Preview, PreviewError, Progress, Rate, Receipt, Receive, Remote,
        SendError, SendPart, Shown, TextLimit, TextShape, TextUnit, Typing,
    },
    id::{Address, MessageId},
    media::MediaReader,
    metrics::{Direction, Fate, Metrics},
    outbox::{Outbox, dispatch::Worker, store::NewDelivery},
    platform::plugin::Brought,
    preview::Previews,
    store::{self, Stores},
};

pub(crate) const NOW: Timestamp = Timestamp::from_ms(1_790_000_000_000);

/// No plugin brings a channel.
pub(crate) fn nothing_brought() -> watch::Receiver<Brought> {
    watch::channel(Brought::default()).1
}

/// A store whose owner has the accounts that most tests use.
pub(crate) fn stores() -> (TempDir, Stores) {
    let folder = tempfile::tempdir().unwrap();
    // The store has threads of its own, so waiting for them here holds up nothing that it needs.
    let stores = futures::executor::block_on(async {
        let opened = store::open(&folder.path().join("bridge.db")).await.unwrap();
        claim(&opened.stores, &["a", "b"]).await;
        opened.stores
    });
    (folder, stores)
}

/// Takes these accounts, as the manager does.
pub(crate) async fn claim(stores: &Stores, accounts: &[&str]) {
    let accounts: Vec<AccountKey> = accounts.iter().map(|account| key(account)).collect();
    let claimed = stores
        .accounts
        .claim(stores.owner.clone(), accounts.clone(), NOW, Timestamp::MAX)
        .await
        .unwrap();
    assert_eq!(claimed, accounts);
}

pub(crate) fn key(account: &str) -> AccountKey {
    AccountKey::new("webhook", account)
}

pub(crate) fn message(id: &str, chat: &str, text: &str) -> InboundMessage {
    InboundMessage {
        message_id: id.into(),
        chat_kind: ChatKind::Direct,
        chat_id: chat.into(),
        chat_aliases: Vec::new(),
        case: Case::default(),
        origin: Origin::default(),
        reply_to: chat.into(),
        thread_id: None,
        sender_id: chat.into(),
        sender_aliases: Vec::new(),
        sender_name: Some(format!("name of {chat}")),
        content: Content::text(text),
        mentioned: true,
        from_bot: false,
        sent_at: NOW,
    }
}

pub(crate) fn delivery(key: &str, to: &str, text: &str, now: Timestamp) -> NewDelivery {
    NewDelivery {
        key: key.into(),
        run_id: "run".into(),
        account: self::key("a"),
        to: to.into(),
        thread_id: None,
        reply_to_id: None,
        message: Content::text(text),
        created_at: now,
        session_key: None,
        parts: 1,
    }
}

/// Waits for a value with a deadline.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(value) = look().await {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        time::sleep(Duration::from_millis(10)).await;
    }
}

/// Shows answers as this session service writes them.
pub(crate) fn previews(stores: &Stores, session: &Arc<Memory>, outbox: &Outbox) -> Previews {
    let (session, outbox, metrics) = (session.clone(), outbox.clone(), Metrics::default());
    Previews::new(stores, session, outbox, Clock::system(), metrics, Drain::new())
}

/// What a [`Puppet`] does with the next connection or part.
type Script<T> = Mutex<Vec<T>>;

/// How one connection of a [`Puppet`] goes.
#[derive(Clone, Debug)]
pub(crate) enum Life {
    /// It stays and sends.
    Serve,
    /// It panics.
    Panic,
    /// It connects and is never heard again.
    BlackHole,
    /// It ends at once.
    End(Ended),
    /// It takes a request, says that it began, and dies.
    DieSending,
}

/// A platform that does as it is told.
#[derive(Debug)]
pub(crate) struct Puppet {
    pub(crate) capabilities: Capabilities,
    pub(crate) limits: Limits,
    pub(crate) lives: Script<Life>,
    pub(crate) results: Script<Result<Receipt, SendError>>,
    pub(crate) sent: Mutex<Vec<(Instant, SendPart)>>,
    /// Every part that was begun, whatever became of it.
    pub(crate) tried: Mutex<Vec<SendPart>>,
    /// Ends the connection.
    pub(crate) cut: Notify,
    pub(crate) typed: Mutex<Vec<Typing>>,
    /// What comes of fetching; nothing more: it is a file of a few bytes.
    pub(crate) files: Script<Result<Vec<u8>, FetchError>>,
    pub(crate) fetched: Mutex<Vec<String>>,
    /// What the platform says of the account when it is asked; nothing more: it cannot be asked.
    pub(crate) knows: Script<Result<(), Ended>>,
    /// What comes of previews; nothing more: they are shown, as `p0`, `p1`, ...
    pub(crate) showings: Script<Result<Shown, PreviewError>>,
    /// Previews as they were to be shown, and messages that were taken back.
    pub(crate) shown: Mutex<Vec<(Instant, Preview)>>,
    pub(crate) withdrawn: Mutex<Vec<String>>,
    /// What was reacted to, and how.
    pub(crate) reacted: Mutex<Vec<(String, String)>>,
    /// How long the platform takes for a preview.
    pub(crate) showing_takes: Mutex<Duration>,
    pub(crate) open: Mutex<(usize, usize, usize)>,
}

impl Puppet {
    pub(crate) fn new() -> Self {
        let fast = Rate {
            burst: 1000,
            per_second: 1000.0,
        };
        let text = TextLimit::new(TextUnit::Bytes, 1000, TextShape::Line);
        Self {
            capabilities: Capabilities {
                typing: true,
                threads: true,
                reactions: true,
                ..Capabilities::text_only(text)
            },
            limits: Limits {
                parts_max: 5,
                account_rate: fast,
                chat_rate: fast,
                concurrency: 4,
                send_timeout: Duration::from_secs(30),
                liveness: Some(crate::adapter::Liveness {
                    degraded_after: Duration::from_secs(60),
                    dead_after: Duration::from_secs(90),
                }),
            },
            lives: Mutex::default(),
            results: Mutex::default(),
            sent: Mutex::default(),
            tried: Mutex::default(),
            cut: Notify::default(),
            typed: Mutex::default(),
            files: Mutex::default(),
            fetched: Mutex::default(),
            knows: Mutex::default(),
            showings: Mutex::default(),
            shown: Mutex::default(),
            withdrawn: Mutex::default(),
            reacted: Mutex::default(),
            showing_takes: Mutex::default(),
            open: Mutex::default(),
        }
    }

    /// Key and text of every attempt.
    pub(crate) fn tries(&self) -> Vec<(String, String)> {
        let tried = self.tried.lock().unwrap();
        tried
            .iter()
            .map(|part| (part.key.clone(), part.text.clone()))
            .collect()
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        self.sent
            .lock()
            .unwrap()
            .iter()
            .map(|(_, part)| part.text.clone())
            .collect()
    }

    fn next<T>(script: &Script<T>) -> Option<T> {
        let mut script = script.lock().unwrap();
        if script.is_empty() {
            None
        } else {
            Some(script.remove(0))
        }
    }
}

/// Counts open connections: now, at most, ever.
struct Open<'a>(&'a Puppet);

impl<'a> Open<'a> {
    fn new(puppet: &'a Puppet) -> Self {
        let mut open = puppet.open.lock().unwrap();
        open.0 += 1;
        open.1 = open.1.max(open.0);
        open.2 += 1;
        Self(puppet)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.lock().unwrap().0 -= 1;
    }
}

#[async_trait]
impl Adapter for Puppet {
    fn capabilities(&self) -> Capabilities {
        self.capabilities.clone()
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    async fn ask(&self) -> Option<Result<(), Ended>> {
        Self::next(&self.knows)
    }

    async fn fetch(&self, address: &str) -> Result<Remote, FetchError> {
        self.fetched.lock().unwrap().push(address.to_owned());
        let bytes = Self::next(&self.files).unwrap_or_else(|| Ok(b"a file".to_vec()))?;
        let parts: Vec<_> = bytes.chunks(4).map(|part| Ok(part.to_vec().into())).collect();
        Ok(Remote {
            declared: Some("image/png".into()),
            bytes_max: 1000,
            bytes: futures::stream::iter(parts).boxed(),
        })
    }

    async fn preview(&self, preview: &Preview) -> Result<Shown, PreviewError> {
        let takes = *self.showing_takes.lock().unwrap();
        time::sleep(takes).await;
        let count = {
            let mut shown = self.shown.lock().unwrap();
            shown.push((Instant::now(), preview.clone()));
            shown.len() - 1
        };
        let id = preview.shown.clone().unwrap_or_else(|| format!("p{count}"));
        Self::next(&self.showings).unwrap_or(Ok(Shown { id: Some(id) }))
    }

    async fn react(
        &self,
        _: &Address,
        _: Option<&str>,
        message: &MessageId,
        emoji: &str,
    ) -> Result<(), String> {
        let reacted = (message.as_str().to_owned(), emoji.to_owned());
        self.reacted.lock().unwrap().push(reacted);
        Ok(())
    }

    async fn withdraw(&self, _: &Address, _: Option<&str>, shown: &str) -> Result<(), PreviewError> {
        self.withdrawn.lock().unwrap().push(shown.to_owned());
        Ok(())
    }

    async fn run(&self, mut link: Link) -> Ended {
        let _open = Open::new(self);
        let life = Self::next(&self.lives).unwrap_or(Life::Serve);
        let mut questions = link.progress.questions();
        match life {
            Life::Panic => panic!("on purpose"),
            Life::End(ended) => return ended,
            Life::BlackHole => {
                link.progress.connected();
                return std::future::pending().await;
            }
            Life::Serve | Life::DieSending => link.progress.connected(),
        }
        let mut alive = time::interval(Duration::from_secs(30));
        loop {
            let request = tokio::select! {
                request = link.outgoing.recv() => request,
                () = self.cut.notified() => return Ended::Retry("cut".into()),
                Some(hint) = link.typing.recv() => {
                    self.typed.lock().unwrap().push(hint);
                    continue;
                }
                _ = alive.tick() => {
                    link.progress.heard();
                    continue;
                }
                Ok(()) = questions.changed() => {
                    link.progress.heard();
                    continue;
                }
            };
            let Some(mut request) = request else {
                return Ended::Retry("asked to end".into());
            };
            request.begin();
            self.tried.lock().unwrap().push(request.part().clone());
            if matches!(life, Life::DieSending) {
                return Ended::Retry("died".into());
            }
            let result = Self::next(&self.results).unwrap_or(Ok(Receipt::default()));
            if result.is_ok() {
                self.sent
                    .lock()
                    .unwrap()
                    .push((Instant::now(), request.part().clone()));
            }
            request.answer(result);
        }
    }
}

/// One account that runs, with everything around it.
pub(crate) struct Bench {
    pub(crate) stores: Stores,
    pub(crate) outbox: Outbox,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
    pub(crate) progress: Progress,
    pub(crate) heard: Arc<Heard>,
    pub(crate) inbound: InboundSink,
    pub(crate) hints: Hints,
    pub(crate) session: Arc<Memory>,
    pub(crate) previews: Previews,
    pub(crate) media: MediaReader,
    pub(crate) end: CancellationToken,
    pub(crate) task: tokio::task::JoinHandle<()>,
}

impl Bench {
    /// Runs an adapter as account `a` over this store.
    pub(crate) fn run(stores: &Stores, clock: Clock, adapter: Arc<dyn Adapter>) -> Self {
        let metrics = Metrics::default();
        let outbox = Outbox::new(Arc::clone(&stores.outbox), clock.clone(), metrics.clone());
        let progress = Progress::new(clock.clone());
        let heard = Arc::new(Heard::default());
        let (requests, line) = watch::channel::<Option<mpsc::Sender<_>>>(None);
        let hints = Hints::default();
        let lines = Lines {
            requests,
            hints: hints.clone(),
        };
        outbox.shape(&key("a"), adapter.capabilities(), adapter.limits());
        let session = Arc::new(Memory::default());
        let previews = previews(stores, &session, &outbox);
        let media = MediaReader::new(session.clone());
        let worker = Worker {
            account: key("a"),
            lease: stores.lease(&key("a")),
            look_every: None,
            capabilities: adapter.capabilities(),
            limits: adapter.limits(),
            adapter,
            store: Arc::clone(&stores.outbox),
            clock: clock.clone(),
            progress: progress.clone(),
            metrics: metrics.clone(),
            wake: outbox.wake(&key("a")),
            drops: outbox.drops(),
            media: media.clone(),
            previews: previews.clone(),
            line,
        };
        let sink: Arc<dyn Receive> = heard.clone();
        let inbound = InboundSink::new(key("a"), sink, progress.clone());
        let end = CancellationToken::new();
        let task = tokio::spawn(supervise(worker, lines, inbound.clone(), end.clone()));
        Self {
            stores: stores.clone(),
            outbox,
            clock,
            metrics,
            progress,
            heard,
            inbound,
            hints,
            session,
            previews,
            media,
            end,
            task,
        }
    }

    pub(crate) async fn say(&self, id: &str, to: &str, text: &str) {
        self.outbox
            .enqueue(delivery(id, to, text, self.clock.now()))
            .await
            .unwrap();
    }

    /// What a message that was heard says with what happened before it, where whoever spoke may talk and nobody else.
    pub(crate) fn told(&self, at: usize) -> String {
        let message = self.heard.messages.lock().unwrap()[at].clone();
        let (kind, sender) = (message.chat_kind, message.sender_id.clone());
        let admits =
            |by: &[String]| kind == ChatKind::Direct || by.first().is_some_and(|id| *id == sender.as_str());
        self.inbound.with_remarks(message, admits).0.content.words()
    }

    pub(crate) async fn settled(&self) {
        until("an empty outbox", async || {
            (self.stores.outbox.counts(key("a")).await.unwrap().waiting == 0).then_some(())
        })
        .await;
    }

    /// Waits until so many deliveries ended in this way: they are counted just after they are settled.
    pub(crate) async fn counts(&self, fate: Fate, count: u64) {
        let seen = async || (self.metrics.get("webhook", Direction::Out, fate) == count).then_some(());
        until(&format!("{count} {fate:?}"), seen).await;
    }

    pub(crate) async fn stop(self) {
        self.end.cancel();
        self.task.await.unwrap();
    }
}
