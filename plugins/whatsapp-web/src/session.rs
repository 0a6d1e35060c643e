//! One session with WhatsApp: the client with its credentials, how far it is, and what became of what was sent.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::{
    sync::{oneshot, watch},
    time,
};
use whatsapp_rust::{
    bot::Bot,
    pair_code::PairCodeOptions,
    prelude::{Client, Event, EventHandler, EventInterest, EventKind},
    store::SqliteStore,
    transport::TokioWebSocketTransportFactory,
    wacore::store::DevicePropsOverride,
};

use crate::{
    Network,
    durable::{self, Credentials, Lines},
    hear::Hearing,
    place::Place,
    report::Reports,
    settings::Settings,
    stage::{KINDS, Stage},
};

/// How long a session may take to say goodbye: the SDK has two seconds for all of it.
const GOODBYE: Duration = Duration::from_millis(1_500);
/// What waits for WhatsApp's word. More is not sent at the same time.
const ACKS_MAX: usize = 256;
/// Messages that a late refusal is told of. It comes within seconds, or when a device asks for a message again that it could not decrypt.
const SENT_MAX: usize = 500;

/// WhatsApp's word on something that was sent: `None`, or the code of a refusal.
pub(crate) type Word = Option<String>;

/// Who waits for WhatsApp's word.
#[derive(Debug, Default)]
pub(crate) struct Acks(Mutex<Sent>);

#[derive(Debug, Default)]
struct Sent {
    waiting: HashMap<String, oneshot::Sender<Word>>,
    /// What was sent lately, and the message that the bridge knows it by: the first one of its part.
    lately: VecDeque<(String, String)>,
}

impl Acks {
    /// From here on the word on a message is waited for, which belongs to the part that `first` begins. `None`: too many wait.
    pub(crate) fn wait(&self, id: &str, first: &str) -> Option<oneshot::Receiver<Word>> {
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sent.waiting.retain(|_, told| !told.is_closed());
        if sent.waiting.len() >= ACKS_MAX {
            return None;
        }
        sent.lately.retain(|(known, _)| known != id); // another attempt
        if sent.lately.len() >= SENT_MAX {
            sent.lately.pop_front();
        }
        sent.lately.push_back((id.to_owned(), first.to_owned()));
        let (tell, told) = oneshot::channel();
        sent.waiting.insert(id.to_owned(), tell);
        Some(told)
    }

    /// WhatsApp's word. What nobody waits for is given back where it is a refusal of something that was sent here: the message that the bridge
    /// knows it by, and the code.
    fn told(&self, id: &str, word: Word) -> Option<(String, String)> {
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let word = match sent.waiting.remove(id) {
            Some(tell) => tell.send(word).err()?,
            None => word,
        };
        let (_, first) = sent.lately.iter().find(|(known, _)| known == id)?;
        Some((first.clone(), word?))
    }
}

/// What hears the client's events, as they come.
struct Ear {
    stage: watch::Sender<Stage>,
    acks: Arc<Acks>,
    reports: Arc<Reports>,
}

impl EventHandler for Ear {
    fn handle_event(&self, event: Arc<Event>) {
        match &*event {
            Event::ServerAck(ack) => {
                if ack.class.as_deref() == Some("message")
                    && let Some((id, code)) = self.acks.told(&ack.id, ack.error.clone())
                {
                    self.reports.refused(&id, &code);
                }
            }
            Event::Receipt(receipt) => self.reports.receipt(receipt),
            event => self.stage.send_modify(|stage| stage.hear(event, now_ms())),
        }
    }

    fn interest(&self) -> EventInterest {
        EventInterest::of(&KINDS)
            .with(EventKind::ConnectFailure)
            .with(EventKind::ServerAck)
            .with(EventKind::Receipt)
    }
}

/// A session. It ends when it is dropped, though only [`Session::end`] waits for that.
pub(crate) struct Session {
    pub(crate) client: Arc<Client>,
    pub(crate) acks: Arc<Acks>,
    stage: watch::Sender<Stage>,
}

impl Session {
    /// Begins a session with the credentials of this place. It holds the place until nothing of it is left.
    ///
    /// # Errors
    /// When the credentials cannot be read: why, for a person.
    pub(crate) async fn begin(
        network: &Network,
        place: Arc<Place>,
        settings: &Settings,
        hearing: Hearing,
    ) -> Result<Self, String> {
        let file = place
            .login()
            .map_err(|error| format!("the credentials cannot be kept: {error}"))?;
        let file = file
            .to_str()
            .ok_or("the folder of the credentials has a name that is no text")?;
        let store = SqliteStore::with_config(file, durable::config())
            .await
            .map_err(|error| format!("the credentials cannot be read: {error}"))?;
        let stage = watch::Sender::new(Stage::default());
        let acks = Arc::new(Acks::default());
        let (reports, link) = (
            Arc::new(Reports::new(hearing.missed.clone())),
            Arc::clone(&hearing.link),
        );
        let mut inner = TokioWebSocketTransportFactory::new();
        if let Some(url) = &network.url {
            inner = inner.with_url(url.clone());
        }
        let credentials = Credentials::default();
        let lines = Lines {
            inner,
            credentials: credentials.clone(),
            reports: Arc::clone(&reports),
        };
        let mut builder = Bot::builder()
            .with_backend(store)
            .with_transport_factory(lines)
            .with_http_client(Network::files())
            .with_inbound_durability_hook(hearing)
            .with_event_handler(Ear {
                stage: stage.clone(),
                acks: Arc::clone(&acks),
                reports: Arc::clone(&reports),
            })
            .with_device_props(DevicePropsOverride::new().with_os(settings.device_name.clone()))
            .skip_history_sync();
        if let Some(version) = network.version {
            builder = builder.with_version(version);
        }
        if let Some(phone_number) = &settings.phone_number {
            builder = builder.with_pair_code(PairCodeOptions {
                phone_number: phone_number.clone(),
                ..PairCodeOptions::default()
            });
        }
        let bot = builder
            .build()
            .await
            .map_err(|error| format!("the credentials cannot be read: {error}"))?;
        credentials.of(&bot.client().persistence_manager());
        reports.of(&bot.client());
        let handle = bot.spawn();
        let client = handle.client();
        let over = stage.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = handle => {}
                () = async {
                    reports.tell(&link).await;
                    std::future::pending().await
                } => {}
            }
            over.send_modify(|stage| stage.stopped = true);
            drop(place);
        });
        Ok(Self { client, acks, stage })
    }

    /// Whether it has credentials.
    pub(crate) fn is_linked(&self) -> bool {
        self.client.pn().is_some()
    }

    /// How far it is, as it changes.
    pub(crate) fn stage(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    /// Ends it, and waits until nothing of it is left.
    pub(crate) async fn end(&self) {
        let ended = async {
            self.client.disconnect().await;
            let _ = self.stage.subscribe().wait_for(|stage| stage.stopped).await; // we hold the sender
        };
        if time::timeout(GOODBYE, ended).await.is_err() {
            tracing::warn!("a session with WhatsApp does not end in time");
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.stage.borrow().stopped {
            return;
        }
        let client = Arc::clone(&self.client);
        client.signal_shutdown_sync();
        // What is in memory goes to the disk.
        tokio::spawn(async move { client.disconnect().await });
    }
}

/// Now, milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_that_nobody_waits_for_is_of_the_part_that_was_sent_or_of_nothing() {
        let acks = Acks::default();
        let refused = || Some("479".to_owned());
        let mut first = acks.wait("one", "one").expect("room");
        let second = acks.wait("two", "one").expect("room");

        assert_eq!(acks.told("one", None), None);
        assert_eq!(first.try_recv(), Ok(None));
        assert_eq!(acks.told("one", None), None, "said again");
        let late = Some(("one".to_owned(), "479".to_owned()));
        assert_eq!(acks.told("one", refused()), late);
        drop(second);
        assert_eq!(acks.told("two", refused()), late, "whoever waited has gone");
        assert_eq!(acks.told("a reaction", refused()), None);
        for number in 0..SENT_MAX {
            drop(acks.wait(&number.to_string(), "one"));
        }
        assert_eq!(acks.told("one", refused()), None, "forgotten");
    }
}
