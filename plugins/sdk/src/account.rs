//! One login on a platform while it is connected, and those that are.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use futures::stream::BoxStream;
use gatehouse_proto::channel::v1::{
    AddReaction, Ended, HttpAnswered, MediaHead, SendPart, ShowPreview, ShowTyping, TakeHttp, WithdrawPreview,
};
use tokio::sync::watch;
use tonic::Status;

use crate::{PartOutcome, PreviewOutcome};

/// A file that somebody sent.
pub struct Fetched {
    /// Its media type, as the platform says.
    pub mime_type: Option<String>,
    /// Its bytes, in pieces of any size.
    pub data: BoxStream<'static, Result<Bytes, Status>>,
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched")
            .field("mime_type", &self.mime_type)
            .finish_non_exhaustive()
    }
}

/// One login on a platform, connected. Each call runs beside the others and beside [`Account::run`]; what a platform cannot do is left as it
/// is here, and is left out of what the channel says of itself.
pub trait Account: Send + Sync + 'static {
    /// What the account does by itself for as long as it is connected: it reads from its platform and hands that to its link. It returns why
    /// it is over. A platform that calls us has nothing to do here. It is dropped when the bridge wants the end.
    fn run(&self) -> impl Future<Output = Ended> + Send {
        std::future::pending()
    }

    /// Says one part of an answer.
    fn send(&self, part: SendPart) -> impl Future<Output = PartOutcome> + Send;

    /// Shows that somebody is being answered.
    fn typing(&self, _typing: ShowTyping) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// Shows the beginning of an answer.
    fn show(&self, _preview: ShowPreview) -> impl Future<Output = PreviewOutcome> + Send {
        async { PreviewOutcome::Never("nothing is shown here before it is whole".into()) }
    }

    /// Takes back what no answer takes the place of.
    fn withdraw(&self, _preview: WithdrawPreview) -> impl Future<Output = PreviewOutcome> + Send {
        async { PreviewOutcome::Shown(String::new()) }
    }

    /// Reacts to a message.
    fn react(&self, _reaction: AddReaction) -> impl Future<Output = Result<(), String>> + Send {
        async { Err("nobody can react here".into()) }
    }

    /// Whether the platform gives a sign of life. False: the bridge goes on waiting for one.
    fn probe(&self) -> impl Future<Output = bool> + Send {
        async { true }
    }

    /// Answers a request of the platform, or of whoever claims to be it.
    fn http(&self, _request: TakeHttp) -> impl Future<Output = HttpAnswered> + Send {
        async {
            HttpAnswered {
                status: 404,
                ..HttpAnswered::default()
            }
        }
    }

    /// A file that somebody sent, by the address that the message named.
    fn fetch(&self, _address: String) -> impl Future<Output = Result<Fetched, Status>> + Send {
        async { Err(Status::unimplemented("nobody sends files here")) }
    }

    /// Takes a file that the next message is to carry, and answers how the message names it.
    fn take(
        &self,
        _head: MediaHead,
        _data: BoxStream<'static, Result<Bytes, Status>>,
    ) -> impl Future<Output = Result<String, Status>> + Send {
        async {
            Err(Status::unimplemented(
                "files go out as links: the channel takes none",
            ))
        }
    }

    /// Ends what the platform would see as still there. It has a second or two.
    fn close(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// The accounts that are connected. Clones share them.
#[derive(Debug)]
pub struct Accounts<A>(Arc<Inner<A>>);

#[derive(Debug)]
struct Inner<A> {
    open: Mutex<HashMap<String, Arc<A>>>,
    ending: watch::Sender<bool>,
}

impl<A> Clone for Accounts<A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<A> Default for Accounts<A> {
    fn default() -> Self {
        Self(Arc::new(Inner {
            open: Mutex::default(),
            ending: watch::channel(false).0,
        }))
    }
}

impl<A> Accounts<A> {
    /// The account with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Arc<A>> {
        self.open().get(id).cloned()
    }

    /// The account with this id; where none is named, the only one, or the one that is called `default`.
    #[must_use]
    pub fn only(&self, id: Option<&str>) -> Option<Arc<A>> {
        match id {
            Some(id) => self.get(id),
            None => {
                let open = self.open();
                match open.len() {
                    1 => open.values().next().cloned(),
                    _ => open.get("default").cloned(),
                }
            }
        }
    }

    /// The process ends: the streams of all accounts finish what they have begun, and none begins.
    pub fn end(&self) {
        self.0.ending.send_replace(true);
    }

    /// Comes when [`Accounts::end`] was said.
    pub(crate) async fn ending(&self) {
        let mut ending = self.0.ending.subscribe();
        let _ = ending.wait_for(|ending| *ending).await; // we hold the sender
    }

    /// From here on it is called. Whatever had its id is not any more.
    pub(crate) fn join(&self, id: &str, account: &Arc<A>) {
        self.open().insert(id.to_owned(), Arc::clone(account));
    }

    /// It is not called any more. Another one with its id is not meant.
    pub(crate) fn leave(&self, id: &str, account: &Arc<A>) {
        let mut open = self.open();
        if open.get(id).is_some_and(|known| Arc::ptr_eq(known, account)) {
            open.remove(id);
        }
    }

    fn open(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<A>>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Accounts;

    #[test]
    fn an_account_that_came_again_is_not_taken_away_by_the_end_of_the_one_before() {
        let accounts = Accounts::default();
        let (before, after) = (Arc::new("before"), Arc::new("after"));

        accounts.join("default", &before);
        accounts.join("default", &after);
        accounts.leave("default", &before);

        assert_eq!(accounts.get("default").as_deref(), Some(&"after"));
        accounts.leave("default", &after);
        assert_eq!(accounts.get("default"), None);
    }

    #[test]
    fn the_only_account_needs_no_name_and_of_several_the_default_one_does_not() {
        let accounts = Accounts::default();
        accounts.join("office", &Arc::new("office"));
        assert_eq!(accounts.only(None).as_deref(), Some(&"office"));

        accounts.join("club", &Arc::new("club"));
        assert_eq!(accounts.only(None), None);
        assert_eq!(accounts.only(Some("club")).as_deref(), Some(&"club"));

        accounts.join("default", &Arc::new("default"));
        assert_eq!(accounts.only(None).as_deref(), Some(&"default"));
    }
}
