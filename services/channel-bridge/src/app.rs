//! The bridge as a whole: the only file that knows all of its parts.

use std::{sync::Arc, time::Duration};

use gatehouse_core::{
    Chain, Clock, Drain, Env, Home, Service, ServiceSettings,
    backup::{Gate, NoFiles},
    drain::plan,
    server::MESSAGE_BYTES_MAX,
    service::{self, Life},
    settings::SettingsError,
};
use gatehouse_proto::{
    broadcast::v1::Component,
    channel::v1::channel_service_server::ChannelServiceServer,
    session::v1::{media_service_client::MediaServiceClient, session_service_client::SessionServiceClient},
};
use rustls::crypto::ring;
use tokio::{
    sync::watch,
    time::{self, MissedTickBehavior},
};

use crate::{
    account::{Manager, State, manager},
    config::Config,
    grpc::Channels,
    inbox::{Inbox, Session, store::OFFER_AGAIN},
    media::MediaReader,
    metrics::{AccountState, Direction, Fate, Metrics},
    outbox::{Outbox, dispatch::AGE_MAX, store::REST_KEPT},
    pairing,
    platform::{
        Platforms,
        isolated::{self, Isolation, Passed},
    },
    plugins,
    preview::Previews,
    store::{self, KEEP, Opened, Stores},
};

/// The file in the bridge's folder.
const DATABASE: &str = "bridge.db";
/// How often it is looked whether the last deliveries have left.
const SEND_LOOK: Duration = Duration::from_millis(20);
/// Deliveries of an account that are looked at then: they are ordered by time, so the first says whether any is due.
const SEND_HEADS: u32 = 1;
/// How long it is remembered how often somebody was answered: twice the longest pause.
const PARTNERS_KEPT: Duration = Duration::from_secs(2 * 24 * 3600);
/// Old rows go, and deliveries that nobody can send any more are given up on.
const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// The bridge.
#[derive(Debug)]
pub struct App {
    store: Opened,
    /// Where plugins listen.
    home: Home,
    isolation: Isolation,
}

impl service::App for App {
    const SERVICE: Service = Service::ChannelBridge;

    /// What the processes of isolated accounts may know of the environment.
    type Settings = Passed;

    fn read(env: &Env) -> Result<Passed, SettingsError> {
        Ok(isolated::passed(env))
    }

    async fn open(passed: Passed, common: &ServiceSettings) -> Result<Self, service::Error> {
        // The HTTP client asks for the process's TLS provider. Somebody may have installed it already: the same one.
        let _ = ring::default_provider().install_default();
        let path = common.home.folder(Service::ChannelBridge).join(DATABASE);
        let store = store::open(&path).await.map_err(service::Error::open)?;
        Ok(Self {
            store,
            home: common.home.clone(),
            isolation: Isolation::of(passed, &common.home),
        })
    }

    /// When the end is asked for, what is due is sent first, and calls are taken until then.
    fn assemble(self, life: &mut Life) {
        let Self {
            store,
            home,
            isolation,
        } = self;
        let Opened { stores, attach } = store;
        let clock = life.clock.clone();
        let metrics = Metrics::default();
        metrics.register(&mut life.registry);

        let config = life.config::<Config>();
        let outbox = Outbox::new(Arc::clone(&stores.outbox), clock.clone(), metrics.clone());
        // Made before the inbox, which reads it, and filled by the accounts, which need the inbox.
        let (view, seen) = watch::channel(None);
        let peer = life.peer(Service::Session);
        let session = Session {
            messages: SessionServiceClient::new(peer.service()).max_encoding_message_size(MESSAGE_BYTES_MAX),
            media: MediaServiceClient::new(peer.service()),
        };
        let session = Arc::new(session);
        let previews = Previews::new(
            &stores,
            session.clone(),
            outbox.clone(),
            clock.clone(),
            metrics.clone(),
            life.closing.clone(),
        );
        let inbox = Inbox::new(
            &stores,
            session.clone(),
            outbox.clone(),
            previews.clone(),
            seen,
            clock.clone(),
            metrics.clone(),
        );
        inbox.spawn(&life.closing);
        let media = MediaReader::new(session);
        let deps = manager::Deps {
            platforms: Platforms::all().isolated_by(&Arc::new(isolation)),
            brought: plugins::follow(config.clone(), home, &life.closing),
            stores: stores.clone(),
            outbox: outbox.clone(),
            inbox: Arc::new(inbox),
            clock: clock.clone(),
            metrics: metrics.clone(),
            previews,
            media: media.clone(),
        };
        let manager = Manager::spawn(config, deps, view, &life.closing);
        let parts = manager.clone();
        life.report.components(move || components(&parts));
        let (parts, stored, day, shown) = (manager.clone(), stores.clone(), clock.clone(), metrics.clone());
        life.on_scrape(move || {
            let (parts, stored, day, shown) = (parts.clone(), stored.clone(), day.clone(), shown.clone());
            async move { shown.accounts(accounts(&parts, &stored).await, day.now()) }
        });
        let gate = Gate::default();
        attach.attach(life, gate.clone(), Arc::new(NoFiles), Box::new(|| Ok(())));
        spawn_sweep(stores.clone(), clock.clone(), metrics, &life.closing);

        let (parts, outgoing, time) = (manager.clone(), stores.clone(), clock.clone());
        life.before_closing(|| plan::SEND, async move { sent(&parts, &outgoing, &time).await });
        life.serve(
            ChannelServiceServer::new(Channels::new(manager, outbox, stores, clock, gate, media))
                .max_decoding_message_size(MESSAGE_BYTES_MAX)
                .max_encoding_message_size(MESSAGE_BYTES_MAX),
        );
    }
}

/// Waits until no account that is connected has a delivery that is due.
async fn sent(manager: &Manager, stores: &Stores, clock: &Clock) {
    loop {
        let accounts = manager
            .view()
            .map(|view| view.accounts.clone())
            .unwrap_or_default();
        let connected = accounts
            .iter()
            .filter(|(_, entry)| matches!(entry.progress.snapshot().state, State::Connected));
        let mut due = false;
        for (account, _) in connected {
            due |= match stores.outbox.heads(stores.lease(account), SEND_HEADS).await {
                Ok(heads) => heads.iter().any(|delivery| delivery.next_at <= clock.now()),
                Err(error) => {
                    tracing::error!(error = %Chain(&error), "the outbox cannot be read");
                    false
                }
            };
        }
        if !due {
            return;
        }
        time::sleep(SEND_LOOK).await;
    }
}

/// How each account is, for the metrics.
async fn accounts(manager: &Manager, stores: &Stores) -> Vec<AccountState> {
    let view = manager.view();
    let entries = view.map(|view| view.accounts.clone()).unwrap_or_default();
    let mut accounts = Vec::with_capacity(entries.len());
    for (key, entry) in entries.into_iter().filter(|(_, entry)| entry.config.enabled) {
        // A database that fails says so by itself.
        let counts = stores.outbox.counts(key.clone()).await.ok();
        let inbox = stores.inbox.waiting(key.clone()).await.ok();
        let up = matches!(entry.progress.snapshot().state, State::Connected);
        accounts.push(AccountState {
            key,
            up,
            counts,
            inbox,
        });
    }
    accounts
}

/// Channel accounts, as parts that can fail alone. What nobody wants to run is no fault.
fn components(manager: &Manager) -> Vec<Component> {
    let Ok(view) = manager.view() else {
        return Vec::new();
    };
    let component = |(key, entry): (&crate::adapter::AccountKey, &crate::account::Entry)| {
        let snapshot = entry.progress.snapshot();
        let ok = !entry.config.enabled
            || matches!(snapshot.state, State::Connected | State::Stopped | State::Standby);
        let detail = (!ok).then(|| {
            snapshot
                .last_error
                .unwrap_or_else(|| snapshot.state.as_str().to_owned())
        });
        Component {
            name: key.to_string(),
            ok,
            detail,
        }
    };
    view.accounts.iter().map(component).collect()
}

fn spawn_sweep(stores: Stores, clock: Clock, metrics: Metrics, drain: &Drain) {
    let end = drain.clone();
    drain.spawn("store sweep", async move {
        let mut every = time::interval(SWEEP_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! { _ = every.tick() => {}, () = end.requested() => return }
            let now = clock.now();
            match stores.outbox.expire(clock.before(AGE_MAX), now).await {
                Ok(channels) => {
                    if !channels.is_empty() {
                        tracing::warn!(
                            count = channels.len(),
                            "replies waited for more than a day and were given up on: dead letters, `channels.status` counts them"
                        );
                    }
                    channels
                        .iter()
                        .for_each(|channel| metrics.count(channel, Direction::Out, Fate::Expired));
                }
                Err(error) => tracing::error!(error = %Chain(&error), "old deliveries cannot be given up on"),
            }
            if let Err(error) = pairing::waiting(stores.pairing.as_ref(), &clock).await {
                tracing::error!(error = %Chain(&error), "old pairing requests cannot be removed");
            }
            let partners = stores.pace.prune_partners(clock.before(PARTNERS_KEPT));
            let inbox = stores.inbox.prune(clock.before(KEEP), clock.before(OFFER_AGAIN));
            let outbox = stores.outbox.prune(clock.before(KEEP), clock.before(REST_KEPT));
            let previews = stores.previews.prune_previews(clock.before(KEEP));
            for error in [inbox.await, outbox.await, partners.await, previews.await].into_iter().filter_map(Result::err) {
                tracing::error!(error = %Chain(&error), "old rows cannot be removed");
            }
        }
    });
}

#[cfg(test)]
mod tests;
