//! Pictures of one album that Telegram brings one by one, each over a connection of its own: together they are one message. Whoever
//! brings the first waits for the others, and all are answered when that message is committed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::{Notify, watch},
    time,
};

use super::{poll::ALBUM_WAIT, update::Message, whole::ALBUM_MAX};

/// A chat, and the album in it.
type Key = (i64, String);

/// The albums that are being brought: as many as there are requests at the same time, which the edge bounds. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Albums(Arc<Mutex<HashMap<Key, Album>>>);

#[derive(Debug)]
struct Album {
    messages: Vec<Message>,
    more: Arc<Notify>,
    taken: watch::Receiver<Option<bool>>,
}

/// What whoever brings a picture does.
pub(super) enum Turn {
    /// Takes care of the album.
    First(Gathering),
    /// Waits until whoever brought the first has.
    Other(Waiting),
}

impl Albums {
    pub(super) fn join(&self, chat: i64, album: &str, message: &Message) -> Turn {
        let key = (chat, album.to_owned());
        let mut albums = self.lock();
        if let Some(album) = albums.get_mut(&key) {
            let is_new = |known: &Message| known.message_id != message.message_id;
            if album.messages.iter().all(is_new) {
                album.messages.push(message.clone());
            }
            album.more.notify_one();
            return Turn::Other(Waiting(album.taken.clone()));
        }
        let (told, taken) = watch::channel(None);
        let more = Arc::new(Notify::new());
        let album = Album {
            messages: vec![message.clone()],
            more: Arc::clone(&more),
            taken,
        };
        albums.insert(key.clone(), album);
        Turn::First(Gathering {
            albums: self.clone(),
            key,
            more,
            told,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Album>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first of an album. Dropped without a word, the others are brought again as it is.
pub(super) struct Gathering {
    albums: Albums,
    key: Key,
    more: Arc<Notify>,
    told: watch::Sender<Option<bool>>,
}

impl Gathering {
    /// All of it, in the order in which it was sent. What comes later is another message.
    pub(super) async fn messages(&self) -> Vec<Message> {
        for _ in 1..ALBUM_MAX {
            if time::timeout(ALBUM_WAIT, self.more.notified()).await.is_err() {
                break;
            }
        }
        let mut messages = self.take().unwrap_or_default();
        messages.sort_by_key(|message| message.message_id);
        messages
    }

    /// Says whether it was committed.
    pub(super) fn tell(&self, taken: bool) {
        self.told.send_replace(Some(taken));
    }

    fn take(&self) -> Option<Vec<Message>> {
        let mut albums = self.albums.lock();
        let is_ours = |album: &Album| Arc::ptr_eq(&album.more, &self.more);
        albums.get(&self.key).is_some_and(is_ours).then_some(())?;
        albums.remove(&self.key).map(|album| album.messages)
    }
}

impl Drop for Gathering {
    fn drop(&mut self) {
        drop(self.take());
    }
}

/// Another of an album.
pub(super) struct Waiting(watch::Receiver<Option<bool>>);

impl Waiting {
    /// Whether it was committed.
    pub(super) async fn taken(mut self) -> bool {
        let told = self.0.wait_for(Option::is_some).await;
        told.is_ok_and(|taken| *taken == Some(true))
    }
}
