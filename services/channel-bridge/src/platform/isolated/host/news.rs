//! What the adapter says of its connection, until it is on its way to the bridge: the last word on each thing, so that a platform that talks
//! fast fills no memory.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use gatehouse_proto::channel::v1::{Connected, Heard, Rooms, run_account_response::Message as Said};
use tokio::{sync::Notify, time::Instant};

use super::said;
use crate::{
    account::{
        progress::{Ear, Topic, Word},
        room::Room,
    },
    adapter::Remark,
};

/// The bridge is told at most so often that the platform was heard: it counts silence in tens of seconds.
const HEARD_EVERY: Duration = Duration::from_secs(1);
/// What happened beside words and is not told yet. Nothing depends on it, and the oldest is forgotten first.
const REMARKS_MAX: usize = 256;

#[derive(Debug, Default)]
struct Untold {
    connected: bool,
    heard: bool,
    last_heard: Option<Instant>,
    notices: BTreeMap<Option<Topic>, Option<String>>,
    rooms: Option<Vec<Room>>,
    remarks: VecDeque<(String, Vec<String>, Remark)>,
}

#[derive(Debug, Default)]
pub(super) struct News {
    untold: Mutex<Untold>,
    any: Notify,
}

impl News {
    /// What an account's progress is told to.
    pub(super) fn ear(self: &Arc<Self>) -> Ear {
        let news = Arc::clone(self);
        Ear::new(move |word| news.hear(word))
    }

    fn hear(&self, word: Word) {
        let mut untold = self.lock();
        match word {
            Word::Heard => {
                let is_news = untold.last_heard.is_none_or(|last| last.elapsed() >= HEARD_EVERY);
                if !is_news {
                    return;
                }
                untold.last_heard = Some(Instant::now());
                untold.heard = true;
            }
            Word::Connected => untold.connected = true,
            Word::Rooms(rooms) => untold.rooms = Some(rooms),
            Word::Notice(topic, text) => drop(untold.notices.insert(Some(topic), text)),
            Word::Warning(text) => drop(untold.notices.insert(None, Some(text))),
        }
        drop(untold);
        self.any.notify_one();
    }

    /// The platform is to be asked, and its next sign counts however soon it comes.
    pub(super) fn is_asked(&self) {
        self.lock().last_heard = None;
    }

    pub(super) fn remark(&self, chat: &str, by: &[&str], remark: Remark) {
        let mut untold = self.lock();
        if untold.remarks.len() >= REMARKS_MAX {
            untold.remarks.pop_front();
        }
        let by = by.iter().map(|id| (*id).to_owned()).collect();
        untold.remarks.push_back((chat.to_owned(), by, remark));
        drop(untold);
        self.any.notify_one();
    }

    /// Waits until there is something to tell.
    pub(super) async fn next(&self) -> Vec<Said> {
        loop {
            let untold = self.take();
            if !untold.is_empty() {
                return untold;
            }
            self.any.notified().await;
        }
    }

    /// What there is to tell.
    pub(super) fn take(&self) -> Vec<Said> {
        let mut untold = self.lock();
        let mut all = Vec::new();
        if std::mem::take(&mut untold.connected) {
            all.push(Said::Connected(Connected {}));
        }
        let notices = std::mem::take(&mut untold.notices);
        all.extend(notices.into_iter().map(|(topic, text)| said::notice(topic, text)));
        if let Some(rooms) = untold.rooms.take() {
            let rooms = rooms.into_iter().map(said::room).collect();
            all.push(Said::Rooms(Rooms { rooms }));
        }
        all.extend(
            untold
                .remarks
                .drain(..)
                .map(|(chat, by, remark)| said::remark(chat, by, remark)),
        );
        // Everything else says it as well.
        if std::mem::take(&mut untold.heard) && all.is_empty() {
            all.push(Said::Heard(Heard {}));
        }
        all
    }

    fn lock(&self) -> MutexGuard<'_, Untold> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_last_word_on_each_thing_is_told_and_a_fast_platform_once_a_second() {
        let news = Arc::new(News::default());
        let ear = |word| news.hear(word);
        ear(Word::Connected);
        ear(Word::Notice(Topic::Login, Some("who?".to_owned())));
        ear(Word::Notice(Topic::Login, None));
        for _ in 0..REMARKS_MAX * 2 {
            news.remark("anna", &[], Remark::TakenBack);
        }
        let told = news.next().await;
        assert_eq!(told.len(), 2 + REMARKS_MAX);
        assert!(matches!(&told[0], Said::Connected(_)));
        assert!(matches!(&told[1], Said::Notice(notice) if notice.text.is_none()));

        ear(Word::Heard);
        ear(Word::Heard);
        assert_eq!(news.take().len(), 1);
        ear(Word::Heard);
        assert!(news.take().is_empty(), "the bridge knows");
        news.is_asked();
        ear(Word::Heard);
        assert_eq!(news.take().len(), 1, "it was asked");
        tokio::time::advance(HEARD_EVERY).await;
        ear(Word::Heard);
        assert_eq!(news.take().len(), 1);
    }
}
