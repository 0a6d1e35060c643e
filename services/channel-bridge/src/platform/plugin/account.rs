//! One account of a plugin's channel, as an adapter like every other.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use gatehouse_proto::channel::v1::{
    AddReaction, HttpAnswered, HttpHeader, ShowPreview, StartAccount, TakeHttp, WithdrawPreview,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{
    Channel,
    calls::Ask,
    media,
    stream::{Account, STATE, run},
};
use crate::{
    adapter::{
        Adapter, Capabilities, Ended, FetchError, HttpAnswer, HttpHead, HttpRequest, InboundSink, Limits,
        Link, Preview, PreviewError, Remote, Shown,
    },
    id::{Address, MessageId},
    platform::Deps,
};

/// Questions that wait for the connection: beyond that a plugin does not keep up, and a preview is left out.
const ASKS_MAX: usize = 64;
/// How long a plugin may take for what nobody keeps: a preview, a reaction.
const SHOW_WITHIN: Duration = Duration::from_secs(30);
/// The same for a request: less than the edge waits for the bridge.
const HTTP_WITHIN: Duration = Duration::from_secs(25);
/// When a preview is tried again while there is no connection.
const PAUSE: Duration = Duration::from_secs(2);

/// One account.
#[derive(Debug)]
pub(crate) struct PluginAdapter {
    channel: Arc<Channel>,
    limits: Limits,
    /// What the plugin is told: JSON. Holds secrets.
    settings: Hidden,
    fetch_bytes_max: u64,
    deps: Deps,
    /// Leads to the connection there is.
    asks: Mutex<Option<mpsc::Sender<Ask>>>,
    /// The plugin's life that was tried last.
    tried: AtomicU64,
}

/// A text that is not shown.
struct Hidden(String);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hidden")
    }
}

impl PluginAdapter {
    pub(crate) fn new(
        channel: Arc<Channel>,
        limits: Limits,
        settings: String,
        fetch_bytes_max: u64,
        deps: Deps,
    ) -> Self {
        Self {
            channel,
            limits,
            settings: Hidden(settings),
            fetch_bytes_max,
            deps,
            asks: Mutex::default(),
            tried: AtomicU64::new(0),
        }
    }

    fn away(&self) -> String {
        format!("{} is not there", self.channel.who())
    }

    /// Whether there is a connection to ask.
    pub(crate) fn is_led(&self) -> bool {
        self.line().is_some()
    }

    fn line(&self) -> Option<mpsc::Sender<Ask>> {
        self.asks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn lead(&self, asks: Option<mpsc::Sender<Ask>>) {
        *self.asks.lock().unwrap_or_else(PoisonError::into_inner) = asks;
    }

    /// Asks the connection there is. `None`: there is none, it does not keep up, or it ended before it answered.
    async fn ask<T>(
        &self,
        within: Duration,
        ask: impl FnOnce(oneshot::Sender<T>) -> Ask,
    ) -> Result<T, Unasked> {
        let line = self.line().ok_or(Unasked::Before)?;
        let (answer, answered) = oneshot::channel();
        line.try_send(ask(answer)).map_err(|_| Unasked::Before)?;
        match timeout(within, answered).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) | Err(_) => Err(Unasked::Behind),
        }
    }

    async fn show(
        &self,
        ask: impl FnOnce(oneshot::Sender<Result<Shown, PreviewError>>) -> Ask,
    ) -> Result<Shown, PreviewError> {
        match self.ask(SHOW_WITHIN, ask).await {
            Ok(shown) => shown,
            Err(Unasked::Before) => Err(PreviewError::Busy {
                after: PAUSE,
                reason: "the adapter is not asked now".into(),
            }),
            Err(Unasked::Behind) => Err(PreviewError::Unknown("the adapter did not answer".into())),
        }
    }

    async fn start(&self) -> Result<StartAccount, String> {
        let Deps {
            account,
            state,
            media,
            ..
        } = &self.deps;
        let remembered = state.get(STATE).await;
        let remembered = remembered.map_err(|_| "what it remembers cannot be read".to_owned())?;
        Ok(StartAccount {
            channel: account.channel.clone(),
            account_id: account.account.clone(),
            config: self.settings.0.clone(),
            state: remembered.unwrap_or_default().into(),
            http_path: format!("/webhooks/{account}"),
            public_origin: media.origin().unwrap_or_default(),
        })
    }
}

/// No answer.
enum Unasked {
    /// The plugin was not asked.
    Before,
    /// It was asked, and nobody knows what it did.
    Behind,
}

/// Takes the way to a connection away when that ends, in whatever way.
struct Leading<'a>(&'a PluginAdapter);

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        self.0.lead(None);
    }
}

#[async_trait]
impl Adapter for PluginAdapter {
    fn capabilities(&self) -> Capabilities {
        self.channel.capabilities().clone()
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    async fn run(&self, link: Link) -> Ended {
        let life = self.channel.lives().now();
        self.tried.store(life.number, Ordering::Relaxed);
        let Some(peer) = life.peer else {
            return Ended::Retry(self.away());
        };
        let start = match self.start().await {
            Ok(start) => start,
            Err(problem) => return Ended::Retry(problem),
        };
        let (asks, asked) = mpsc::channel(ASKS_MAX);
        self.lead(Some(asks));
        let _leading = Leading(self);
        let account = Account {
            peer: &peer,
            key: &self.deps.account,
            clock: &self.deps.clock,
            state: &self.deps.state,
            media: &self.deps.media,
            typing: self.channel.capabilities().typing,
        };
        run(account, start, link, asked).await
    }

    async fn again(&self) {
        self.channel
            .lives()
            .after(self.tried.load(Ordering::Relaxed))
            .await;
    }

    async fn fetch(&self, address: &str) -> Result<Remote, FetchError> {
        let peer = self.channel.lives().now().peer;
        let peer = peer.ok_or_else(|| FetchError::Retry(self.away()))?;
        media::fetch(&peer, &self.deps.account, address, self.fetch_bytes_max).await
    }

    async fn preview(&self, preview: &Preview) -> Result<Shown, PreviewError> {
        let wire = ShowPreview {
            id: 0,
            run: preview.run.clone(),
            to: preview.to.as_str().to_owned(),
            thread_id: preview.thread_id.clone(),
            reply_to_id: preview.reply_to_id.as_ref().map(|id| id.as_str().to_owned()),
            shown: preview.shown.clone(),
            text: preview.text.clone(),
            may_last: preview.may_last,
        };
        self.show(|answer| Ask::Preview(wire, answer)).await
    }

    async fn withdraw(&self, to: &Address, thread_id: Option<&str>, shown: &str) -> Result<(), PreviewError> {
        let wire = WithdrawPreview {
            id: 0,
            to: to.as_str().to_owned(),
            thread_id: thread_id.map(str::to_owned),
            shown: shown.to_owned(),
        };
        self.show(|answer| Ask::Withdraw(wire, answer)).await.map(drop)
    }

    async fn react(
        &self,
        to: &Address,
        thread_id: Option<&str>,
        message: &MessageId,
        emoji: &str,
    ) -> Result<(), String> {
        let wire = AddReaction {
            id: 0,
            to: to.as_str().to_owned(),
            thread_id: thread_id.map(str::to_owned),
            message_id: message.as_str().to_owned(),
            emoji: emoji.to_owned(),
        };
        let reacted = self.ask(SHOW_WITHIN, |answer| Ask::React(wire, answer)).await;
        reacted.unwrap_or_else(|_| Err("the adapter did not answer".into()))
    }

    /// What the plugin does not want at all is refused before its body is read; whether it is genuine, the plugin says.
    fn http_head(&self, _: &HttpHead, _: &InboundSink) -> Option<Result<usize, HttpAnswer>> {
        match (self.channel.http_bytes_max(), self.line()) {
            (0, _) => None,
            (_, None) => Some(Err(unavailable(&self.away()))),
            (bytes, Some(_)) => Some(Ok(bytes)),
        }
    }

    async fn http(&self, request: HttpRequest, _: &InboundSink) -> Option<HttpAnswer> {
        let bytes_max = self.channel.http_bytes_max();
        if bytes_max == 0 || request.body.len() > bytes_max {
            return None;
        }
        let HttpRequest { head, body } = request;
        let headers = head
            .headers
            .into_iter()
            .map(|(name, value)| HttpHeader { name, value });
        let wire = TakeHttp {
            id: 0,
            method: head.method,
            target: head.target,
            headers: headers.collect(),
            body,
            peer_address: head.peer,
        };
        Some(
            match self.ask(HTTP_WITHIN, |answer| Ask::Http(wire, answer)).await {
                Ok(answered) => answer(answered),
                Err(Unasked::Before | Unasked::Behind) => unavailable("the adapter did not answer"),
            },
        )
    }
}

fn answer(answered: HttpAnswered) -> HttpAnswer {
    /// The contract has the same bound.
    const BODY_BYTES_MAX: usize = 65_536;
    let HttpAnswered {
        id: _,
        status,
        body,
        retry_after_seconds,
    } = answered;
    match u16::try_from(status) {
        Ok(status @ 200..=599) if body.len() <= BODY_BYTES_MAX => HttpAnswer {
            status,
            retry_after: retry_after_seconds.map(u64::from),
            body,
        },
        _ => unavailable("the adapter gave an answer that is none"),
    }
}

fn unavailable(message: &str) -> HttpAnswer {
    let error = serde_json::json!({"code": "UNAVAILABLE", "message": message});
    HttpAnswer {
        status: 503,
        retry_after: Some(PAUSE.as_secs()),
        body: serde_json::json!({"accepted": false, "error": error}).to_string(),
    }
}
