//! The store on one SQLite file. One process opens it, one thread writes it, so a transaction here never waits for a lock.
//! Lists read the session's row alone: previews, titles, counts and the state of the newest turn are kept on it, and no list
//! ever looks into a transcript.

mod admit;
mod deliveries;
mod entries;
mod fork;
mod groups;
mod invocations;
mod lists;
mod media;
mod nodes;
mod reclaim;
mod rows;
mod schedules;
mod schema;
mod sessions;
mod steer;
mod steps;
mod surplus;
mod tasks;
mod texts;
mod turns;
mod usage;

use std::path::Path;

use async_trait::async_trait;
use gatehouse_core::sqlite::{self, Database};
use gatehouse_core::store;

use super::*;
use crate::id::{EntryId, Owner, RunId, SessionId};
use crate::key::{AgentId, SessionKey};
use crate::viewer::Viewer;

/// The most bytes of messages that are merged into one turn: they must fit into one request to the agent service.
const MERGE_BYTES_MAX: i64 = 1024 * 1024;
/// The schema that this version writes.
pub const SCHEMA: usize = schema::MIGRATIONS.len();
/// Turns taken from dead owners in one transaction.
const RECLAIM_MAX: u32 = 64;
/// Rows that one call of `prune` forgets of each kind, so that the writer is not held up.
const PRUNE_MAX: u32 = 2000;

/// The store on one SQLite file.
#[derive(Clone, Debug)]
pub(crate) struct SqliteStore {
    database: Database,
}

impl SqliteStore {
    /// Opens the file, bringing its schema up to date.
    ///
    /// # Errors
    /// When the file cannot be used or another process has it open.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let database = Database::open(path, schema::MIGRATIONS)?;
        Ok(Self { database })
    }

    /// The database itself, for its health and its copies.
    pub(crate) fn database(&self) -> &Database {
        &self.database
    }
}

impl From<sqlite::Error> for Error {
    fn from(error: sqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(store::Error::from(sqlite::Error::from(error)))
    }
}

#[async_trait]
impl Sessions for SqliteStore {
    async fn find(&self, key: &SessionKey) -> Result<Option<SessionRecord>, Error> {
        let key = key.clone();
        self.database.read(move |conn| sessions::find(conn, &key)).await
    }

    async fn list(&self, filter: SessionFilter) -> Result<SessionPage, Error> {
        self.database.read(move |conn| lists::page(conn, &filter)).await
    }

    async fn look_up(&self, lookup: Lookup) -> Result<Vec<SessionRecord>, Error> {
        self.database
            .read(move |conn| lists::look_up(conn, &lookup))
            .await
    }

    async fn counts(&self) -> Result<Vec<(AgentId, i64)>, Error> {
        self.database.read(lists::counts).await
    }

    async fn had(&self, session: &SessionRecord, id: &SessionId) -> Result<bool, Error> {
        let (session, id) = (session.clone(), id.clone());
        self.database
            .read(move |conn| sessions::had(conn, &session, &id))
            .await
    }

    async fn create(
        &self,
        key: &SessionKey,
        patch: SessionPatch,
        once: Option<Once>,
        now: Timestamp,
    ) -> Result<(SessionRecord, Made), Error> {
        let key = key.clone();
        self.database
            .write(move |tx| sessions::create(tx, &key, &patch, once.as_ref(), now))
            .await
    }

    async fn patch(
        &self,
        key: &SessionKey,
        patch: SessionPatch,
        now: Timestamp,
    ) -> Result<SessionRecord, Error> {
        let key = key.clone();
        self.database
            .write(move |tx| sessions::patch(tx, &key, &patch, now))
            .await
    }

    async fn fork(
        &self,
        source: &SessionKey,
        key: &SessionKey,
        from: ForkFrom,
        patch: SessionPatch,
        once: Option<Once>,
        now: Timestamp,
    ) -> Result<Forked, Error> {
        let (source, key) = (source.clone(), key.clone());
        self.database
            .write(move |tx| fork::fork(tx, (&source, &from), &key, &patch, once.as_ref(), now))
            .await
    }

    async fn reset(
        &self,
        key: &SessionKey,
        boundary: NewEntry,
        expected: Option<SessionId>,
        now: Timestamp,
    ) -> Result<(SessionRecord, Entry), Error> {
        let key = key.clone();
        self.database
            .write(move |tx| sessions::reset(tx, &key, boundary, expected.as_ref(), now))
            .await
    }

    async fn expired(&self, now: Timestamp) -> Result<Vec<SessionRecord>, Error> {
        self.database.read(move |conn| sessions::expired(conn, now)).await
    }

    async fn surplus(&self, kept: Kept) -> Result<Vec<SessionRecord>, Error> {
        self.database
            .read(move |conn| surplus::surplus(conn, &kept))
            .await
    }

    async fn delete(&self, key: &SessionKey, expected: Option<SessionId>) -> Result<bool, Error> {
        let key = key.clone();
        self.database
            .write(move |tx| sessions::delete(tx, &key, expected.as_ref()))
            .await
    }
}

#[async_trait]
impl Groups for SqliteStore {
    async fn groups(&self) -> Result<GroupsOf, Error> {
        self.database.read(groups::groups).await
    }

    async fn change_groups(
        &self,
        change: GroupChange,
        viewer: Viewer,
    ) -> Result<(GroupsOf, Vec<SessionKey>), Error> {
        self.database
            .write(move |tx| groups::change(tx, change, &viewer))
            .await
    }
}

#[async_trait]
impl Transcripts for SqliteStore {
    async fn history(&self, key: &SessionKey, query: HistoryQuery) -> Result<HistoryPage, Error> {
        let key = key.clone();
        self.database
            .read(move |conn| entries::history(conn, &key, &query))
            .await
    }

    async fn entry(&self, key: &SessionKey, seq: i64) -> Result<Option<Entry>, Error> {
        let key = key.clone();
        self.database
            .read(move |conn| entries::find(conn, &key, seq))
            .await
    }

    async fn message(&self, key: &SessionKey, id: &EntryId) -> Result<Option<Entry>, Error> {
        let (key, id) = (key.clone(), id.clone());
        self.database
            .read(move |conn| entries::message(conn, &key, &id))
            .await
    }

    async fn append(&self, key: &SessionKey, entry: NewEntry) -> Result<(SessionRecord, Entry), Error> {
        let key = key.clone();
        self.database
            .write(move |tx| {
                let id = sessions::ensure(tx, &key, &Seed::default(), entry.timestamp)?;
                let entry = entries::append(tx, id, entry)?;
                Ok::<_, Error>((sessions::by_id(tx, id)?, entry))
            })
            .await
    }

    async fn context(&self, key: &SessionKey, rows_max: u32) -> Result<Vec<ContextRow>, Error> {
        let key = key.clone();
        self.database
            .read(move |conn| entries::context(conn, &key, rows_max))
            .await
    }
}

#[async_trait]
impl Turns for SqliteStore {
    async fn admit(&self, admission: Admission, lease: Option<Lease>) -> Result<Admitted, Error> {
        self.database
            .write(move |tx| admit::admit(tx, admission, lease.as_ref()))
            .await
    }

    async fn known(&self, admission: &Admission) -> Result<Option<Turn>, Error> {
        let admission = admission.clone();
        self.database
            .read(move |conn| admit::known(conn, &admission))
            .await
    }

    async fn answer(&self, admission: Admission, answer: GatewayAnswer) -> Result<Answered, Error> {
        self.database
            .write(move |tx| admit::answer(tx, admission, answer))
            .await
    }

    async fn find(&self, run: &RunId) -> Result<Option<Turn>, Error> {
        let run = run.clone();
        self.database.read(move |conn| turns::find(conn, &run)).await
    }

    async fn claim(&self, lease: Lease, now: Timestamp) -> Result<Option<Claimed>, Error> {
        self.database.write(move |tx| turns::claim(tx, &lease, now)).await
    }

    async fn outlook(&self, held: Vec<RunId>, now: Timestamp) -> Result<Outlook, Error> {
        self.database
            .read(move |conn| turns::outlook(conn, &held, now))
            .await
    }

    async fn renew(&self, run: &RunId, owner: &Owner, lease_until: Timestamp) -> Result<Hold, Error> {
        let (run, owner) = (run.clone(), owner.clone());
        self.database
            .write(move |tx| turns::renew(tx, &run, &owner, lease_until))
            .await
    }

    async fn show(&self, run: &RunId, owner: &Owner, text: &str, asked: Option<&str>) -> Result<Hold, Error> {
        let (run, owner, text) = (run.clone(), owner.clone(), text.to_owned());
        let asked = asked.map(str::to_owned);
        self.database
            .write(move |tx| texts::show(tx, &run, &owner, &text, asked.as_deref()))
            .await
    }

    async fn keep_text(&self, run: &RunId, owner: &Owner, text: &str) -> Result<Hold, Error> {
        let (run, owner, text) = (run.clone(), owner.clone(), text.to_owned());
        self.database
            .write(move |tx| texts::keep(tx, &run, &owner, &text))
            .await
    }

    async fn kept_text(&self, run: &RunId) -> Result<String, Error> {
        let run = run.clone();
        self.database.read(move |conn| texts::kept(conn, &run)).await
    }

    async fn record(&self, record: Record) -> Result<Recorded, Error> {
        self.database.write(move |tx| steps::record(tx, record)).await
    }

    async fn steps(&self, run: &RunId) -> Result<Vec<Entry>, Error> {
        let run = run.clone();
        self.database.read(move |conn| steps::said(conn, &run)).await
    }

    async fn take_in(&self, take_in: TakeIn) -> Result<TakenIn, Error> {
        self.database.write(move |tx| steer::take_in(tx, take_in)).await
    }

    async fn give_back(&self, run: &RunId, owner: &Owner, limits: RunLimits) -> Result<GaveBack, Error> {
        let (run, owner) = (run.clone(), owner.clone());
        self.database
            .write(move |tx| reclaim::give_back(tx, &run, &owner, limits))
            .await
    }

    async fn finish(&self, finish: Finish) -> Result<Option<Ended>, Error> {
        self.database.write(move |tx| turns::finish(tx, finish)).await
    }

    async fn finish_and_claim(
        &self,
        finish: Finish,
        lease: Lease,
    ) -> Result<(Option<Ended>, Option<Claimed>), Error> {
        self.database
            .write(move |tx| {
                let now = finish.now;
                Ok::<_, Error>((turns::finish(tx, finish)?, turns::claim(tx, &lease, now)?))
            })
            .await
    }

    async fn abort(
        &self,
        key: &SessionKey,
        run: Option<&RunId>,
        origin: Origin,
        now: Timestamp,
    ) -> Result<Aborted, Error> {
        let (key, run) = (key.clone(), run.cloned());
        self.database
            .write(move |tx| turns::abort(tx, &key, run.as_ref(), origin, now))
            .await
    }

    async fn abort_in_chat(
        &self,
        key: &SessionKey,
        chat: &Target,
        origin: Origin,
        now: Timestamp,
    ) -> Result<Aborted, Error> {
        let (key, chat) = (key.clone(), chat.clone());
        self.database
            .write(move |tx| turns::abort_in_chat(tx, &key, &chat, origin, now))
            .await
    }

    async fn reclaim(&self, reclaim: Reclaim) -> Result<Reclaimed, Error> {
        self.database
            .write(move |tx| reclaim::reclaim(tx, &reclaim))
            .await
    }

    async fn unknown(&self, keys: Vec<InboundKey>) -> Result<Vec<u32>, Error> {
        self.database.read(move |conn| admit::unknown(conn, &keys)).await
    }
}

#[async_trait]
impl Deliveries for SqliteStore {
    async fn waiting(&self, now: Timestamp, rows_max: u32) -> Result<Vec<Delivery>, Error> {
        self.database
            .read(move |conn| deliveries::waiting(conn, now, rows_max))
            .await
    }

    async fn next_due(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        self.database
            .read(move |conn| deliveries::next_due(conn, now))
            .await
    }

    async fn is_made(&self, run: &RunId) -> Result<bool, Error> {
        let run = run.clone();
        self.database
            .read(move |conn| deliveries::is_made(conn, &run))
            .await
    }

    async fn settle(&self, delivery: i64, outcome: DeliveryOutcome) -> Result<bool, Error> {
        self.database
            .write(move |tx| deliveries::settle(tx, delivery, &outcome))
            .await
    }

    async fn recall(&self, session: SessionKey, recalled: Recalled, now: Timestamp) -> Result<i64, Error> {
        self.database
            .write(move |tx| deliveries::recall(tx, &session, &recalled, now))
            .await
    }
}

#[async_trait]
impl MediaRows for SqliteStore {
    async fn keep(&self, row: MediaRow, total_max: i64) -> Result<(), Error> {
        self.database
            .write(move |tx| media::keep(tx, &row, total_max))
            .await
    }

    async fn find(&self, id: &MediaId) -> Result<Option<MediaRow>, Error> {
        let id = id.clone();
        self.database.read(move |conn| media::find(conn, &id)).await
    }

    async fn forget_unnamed(&self, before: Timestamp) -> Result<Vec<MediaId>, Error> {
        self.database
            .write(move |tx| media::forget_unnamed(tx, before))
            .await
    }
}

#[async_trait]
impl Tasks for SqliteStore {
    async fn tasks(&self, filter: TaskFilter) -> Result<TaskPage, Error> {
        self.database.read(move |conn| tasks::page(conn, &filter)).await
    }
}

#[async_trait]
impl Usage for SqliteStore {
    async fn usage(&self, query: UsageQuery) -> Result<Vec<SessionCells>, Error> {
        self.database.read(move |conn| usage::count(conn, &query)).await
    }

    async fn answers(&self, key: &SessionKey) -> Result<Option<(SessionId, Vec<Metered>)>, Error> {
        let key = key.clone();
        self.database.read(move |conn| usage::answers(conn, &key)).await
    }
}

#[async_trait]
impl Upkeep for SqliteStore {
    async fn prune(&self, before: Timestamp) -> Result<u64, Error> {
        self.database.write(move |tx| reclaim::prune(tx, before)).await
    }

    async fn depths(&self) -> Result<Depths, Error> {
        self.database.read(turns::depths).await
    }
}

#[cfg(test)]
mod scale;
#[cfg(test)]
mod tests;
