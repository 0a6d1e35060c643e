//! A store of another make, as far as the service can tell: it passes everything on and remembers what was asked, once it is answered.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use crate::error::Error;
use crate::id::{EntryId, Owner, RunId, SessionId};
use crate::key::{AgentId, SessionKey};
use crate::nodes::store::Connected;
use crate::nodes::{
    Asker, Begun, End, Expired, Facts, HostStats, InvocationRecord, NewInvocation, NodeId, NodeRecord,
    Settled, Surface, Waiting,
};
use crate::schedules::{
    Claim, EndedRun, Job, JobChange, JobId, NewHook, NewJob, Planned, Post, PostEnd, Replaced, RunEnd,
    RunFilter, RunNow, Settle, Slot, SlotRow, TakenHook,
};
use crate::store::*;
use crate::viewer::Viewer;
use gatehouse_core::Timestamp;
use jiff::tz::TimeZone;

/// What was asked of a store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked(Arc<Mutex<Vec<&'static str>>>);

impl Asked {
    /// What was asked since this was asked before, without the nouns.
    pub(crate) fn take(&self) -> Vec<&'static str> {
        let asked = self.take_whole().into_iter();
        asked
            .map(|method| method.split_once('.').map_or(method, |(_, name)| name))
            .collect()
    }

    fn take_whole(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

#[derive(Debug)]
struct Recorded {
    inner: Stores,
    asked: Asked,
}

/// The same stores, remembering what is asked of them.
pub(crate) fn recorded(inner: Stores) -> (Stores, Asked) {
    let (asked, sharing) = (Asked::default(), inner.sharing.clone());
    let store = Recorded {
        inner,
        asked: asked.clone(),
    };
    (Stores::of(Arc::new(store), sharing), asked)
}

macro_rules! pass_on {
    ($($noun:ident as $trait:ident { $(fn $name:ident($($arg:ident: $type:ty),*) -> $out:ty;)* })*) => { $(
        #[async_trait]
        impl $trait for Recorded {
            $(async fn $name(&self, $($arg: $type),*) -> Result<$out, Error> {
                let answer = self.inner.$noun.$name($($arg),*).await;
                self.asked.0.lock().unwrap().push(concat!(stringify!($noun), ".", stringify!($name)));
                answer
            })*
        }
    )*
        /// All that can be asked.
        const METHODS: &[&str] = &[$($(concat!(stringify!($noun), ".", stringify!($name)),)*)*];
    };
}

pass_on! {
    sessions as Sessions {
        fn find(key: &SessionKey) -> Option<SessionRecord>;
        fn had(session: &SessionRecord, id: &SessionId) -> bool;
        fn list(filter: SessionFilter) -> SessionPage;
        fn expired(now: Timestamp) -> Vec<SessionRecord>;
        fn look_up(lookup: Lookup) -> Vec<SessionRecord>;
        fn counts() -> Vec<(AgentId, i64)>;
        fn create(key: &SessionKey, patch: SessionPatch, once: Option<Once>, now: Timestamp) -> (SessionRecord, Made);
        fn patch(key: &SessionKey, patch: SessionPatch, now: Timestamp) -> SessionRecord;
        fn fork(source: &SessionKey, key: &SessionKey, from: ForkFrom, patch: SessionPatch, once: Option<Once>, now: Timestamp) -> Forked;
        fn reset(key: &SessionKey, boundary: NewEntry, expected: Option<SessionId>, now: Timestamp) -> (SessionRecord, Entry);
        fn surplus(kept: Kept) -> Vec<SessionRecord>;
        fn delete(key: &SessionKey, expected: Option<SessionId>) -> bool;
    }
    groups as Groups {
        fn groups() -> GroupsOf;
        fn change_groups(change: GroupChange, viewer: Viewer) -> (GroupsOf, Vec<SessionKey>);
    }
    transcripts as Transcripts {
        fn history(key: &SessionKey, query: HistoryQuery) -> HistoryPage;
        fn entry(key: &SessionKey, seq: i64) -> Option<Entry>;
        fn message(key: &SessionKey, id: &EntryId) -> Option<Entry>;
        fn append(key: &SessionKey, entry: NewEntry) -> (SessionRecord, Entry);
        fn context(key: &SessionKey, rows_max: u32) -> Vec<ContextRow>;
    }
    turns as Turns {
        fn admit(admission: Admission, lease: Option<Lease>) -> Admitted;
        fn known(admission: &Admission) -> Option<Turn>;
        fn answer(admission: Admission, answer: GatewayAnswer) -> Answered;
        fn find(run: &RunId) -> Option<Turn>;
        fn claim(lease: Lease, now: Timestamp) -> Option<Claimed>;
        fn outlook(held: Vec<RunId>, now: Timestamp) -> Outlook;
        fn renew(run: &RunId, owner: &Owner, lease_until: Timestamp) -> Hold;
        fn show(run: &RunId, owner: &Owner, text: &str, asked: Option<&str>) -> Hold;
        fn keep_text(run: &RunId, owner: &Owner, text: &str) -> Hold;
        fn kept_text(run: &RunId) -> String;
        fn record(record: Record) -> crate::store::Recorded;
        fn steps(run: &RunId) -> Vec<Entry>;
        fn take_in(take_in: TakeIn) -> TakenIn;
        fn give_back(run: &RunId, owner: &Owner, limits: RunLimits) -> GaveBack;
        fn finish(finish: Finish) -> Option<Ended>;
        fn finish_and_claim(finish: Finish, lease: Lease) -> (Option<Ended>, Option<Claimed>);
        fn abort(key: &SessionKey, run: Option<&RunId>, origin: Origin, now: Timestamp) -> Aborted;
        fn abort_in_chat(key: &SessionKey, chat: &Target, origin: Origin, now: Timestamp) -> Aborted;
        fn reclaim(reclaim: Reclaim) -> Reclaimed;
        fn unknown(keys: Vec<InboundKey>) -> Vec<u32>;
    }
    deliveries as Deliveries {
        fn waiting(now: Timestamp, rows_max: u32) -> Vec<Delivery>;
        fn next_due(now: Timestamp) -> Option<Timestamp>;
        fn is_made(run: &RunId) -> bool;
        fn settle(delivery: i64, outcome: DeliveryOutcome) -> bool;
        fn recall(session: SessionKey, recalled: Recalled, now: Timestamp) -> i64;
    }
    media as MediaRows {
        fn keep(row: MediaRow, total_max: i64) -> ();
        fn find(id: &MediaId) -> Option<MediaRow>;
        fn forget_unnamed(before: Timestamp) -> Vec<MediaId>;
    }
    nodes as NodeStore {
        fn connect(node: &NodeId, facts: Facts, declared: Surface, now: Timestamp) -> Option<Connected>;
        fn disconnect(node: &NodeId, connected_at: Timestamp, now: Timestamp) -> ();
        fn node(node: &NodeId) -> Option<NodeRecord>;
        fn nodes() -> Vec<NodeRecord>;
        fn asking(request: &str) -> Option<NodeRecord>;
        fn answer(request: &str, granted: bool, now: Timestamp) -> Option<NodeRecord>;
        fn rename(node: &NodeId, name: String) -> Option<NodeRecord>;
        fn forget(node: &NodeId, now: Timestamp) -> Option<Vec<Settled>>;
        fn seen(node: &NodeId, reason: &str, now: Timestamp) -> ();
        fn keep_stats(node: &NodeId, stats: HostStats) -> ();
        fn host_sessions(node: &NodeId, hosts: bool) -> ();
        fn begin(invocation: NewInvocation) -> Begun;
        fn known(node: &NodeId, asker: &Asker, key: &str) -> Option<InvocationRecord>;
        fn start(id: &str, now: Timestamp) -> bool;
        fn put_off(id: &str, params: Option<String>, expires_at: Timestamp) -> bool;
        fn end(id: &str, end: End, now: Timestamp) -> bool;
        fn waiting(node: &NodeId, foreground: bool, now: Timestamp) -> Vec<Waiting>;
        fn expire(now: Timestamp) -> Expired;
        fn lose(now: Timestamp) -> Vec<Settled>;
        fn under_way() -> (u64, u64);
        fn invocations(node: Option<NodeId>, limit: u32) -> Vec<InvocationRecord>;
        fn forget_invocations(results_before: Timestamp, before: Timestamp) -> u64;
    }
    tasks as Tasks {
        fn tasks(filter: TaskFilter) -> TaskPage;
    }
    usage as Usage {
        fn usage(query: UsageQuery) -> Vec<SessionCells>;
        fn answers(key: &SessionKey) -> Option<(SessionId, Vec<Metered>)>;
    }
    schedules as Schedules {
        fn add_job(new: NewJob) -> (Job, bool);
        fn job(id: &JobId) -> Option<Job>;
        fn jobs() -> Vec<Job>;
        fn replace_job(change: JobChange) -> Replaced;
        fn remove_job(id: &JobId, now: Timestamp) -> Option<(Job, Planned)>;
        fn plan_slots(skips_missed: bool, zone: TimeZone, now: Timestamp) -> Planned;
        fn replan(zone: TimeZone, now: Timestamp) -> ();
        fn claim_by_hand(id: &JobId, now: Timestamp) -> Option<RunNow>;
        fn take_hook(new: NewHook) -> TakenHook;
        fn claims(now: Timestamp) -> Vec<Claim>;
        fn asked_for(now: Timestamp) -> Vec<Claim>;
        fn put_off(slot: &Slot, until: Timestamp) -> ();
        fn decide(slot: &Slot, key: SessionKey, target: Option<Target>) -> Option<(SessionKey, Option<Target>)>;
        fn settle_slot(slot: &Slot, settle: Settle, now: Timestamp) -> Option<(SlotRow, Option<Job>)>;
        fn open_runs() -> Vec<SlotRow>;
        fn end_run(end: RunEnd) -> Option<EndedRun>;
        fn posts(now: Timestamp) -> Vec<Post>;
        fn next_post() -> Option<Timestamp>;
        fn settle_post(id: i64, end: PostEnd) -> ();
        fn runs(filter: RunFilter) -> (Vec<SlotRow>, u32);
        fn next_slot() -> Option<Timestamp>;
    }
    upkeep as Upkeep {
        fn prune(before: Timestamp) -> u64;
        fn depths() -> Depths;
    }
}

/// What the gateway answers itself is held by the tests of commands.
const ELSEWHERE: &[&str] = &["turns.known", "turns.answer"];

#[tokio::test]
async fn a_second_store_keeps_the_contract_behind_the_same_traits_and_the_contract_asks_for_all_of_them() {
    let stores = Mutex::new(Vec::<Asked>::new());
    contract::all(async || {
        let folder = tempfile::tempdir().unwrap();
        let opened = open(&folder.path().join("session.db")).unwrap();
        let (recorded, asked) = recorded(opened.stores);
        stores.lock().unwrap().push(asked);
        (folder, recorded)
    })
    .await;

    let stores = stores.into_inner().unwrap();
    let asked: BTreeSet<&str> = stores.iter().flat_map(Asked::take_whole).collect();
    let never: Vec<_> = METHODS
        .iter()
        .filter(|method| !asked.contains(*method) && !ELSEWHERE.contains(*method))
        .collect();
    assert!(never.is_empty(), "no part of the contract asks for {never:?}");
}
