//! A store of jobs and what a runner does with it, without the turns.

use std::collections::{BTreeMap, HashSet};

use gatehouse_core::Timestamp;
use jiff::tz::TimeZone;
use tempfile::TempDir;

use super::super::super::*;
use super::HOUR;
use crate::id::RunId;
use crate::store::contract::reopen;
use crate::store::{self, Stores};
use crate::testing::key;

/// Where a process dies.
#[derive(Clone, Copy, Debug)]
pub(super) enum Death {
    BeforeTheClaim,
    BehindTheClaim,
    BehindTheTurn,
}

/// A job that says something in the main session.
pub(super) fn spec(schedule: Schedule) -> Spec {
    Spec {
        name: "job".to_owned(),
        declaration_key: None,
        display_name: None,
        agent_id: None,
        session_key: None,
        description: None,
        delete_after_run: None,
        schedule,
        session_target: SessionTarget::Main,
        wake_mode: WakeMode::Now,
        payload: Payload::SystemEvent {
            text: "tick".to_owned(),
            tools_allow: None,
            tools_allow_is_default: None,
        },
        delivery: None,
        failure_alert: None,
        missed: Some(Missed::Run { within_minutes: 30 }),
    }
}

/// A gateway whose turns are their ids.
pub(super) struct Gateway {
    folder: TempDir,
    /// Unset while there is no process.
    stores: Option<Stores>,
    pub(super) now: Timestamp,
    /// The turns that there are. The id of a turn is its run's, so the store of turns makes a second one a repeat.
    pub(super) turns: HashSet<RunId>,
    /// How often each slot left its claim for a turn.
    pub(super) fired: BTreeMap<Slot, u32>,
    /// The latest time up to which slots were decided about.
    pub(super) latest: Timestamp,
    /// Where the machine is.
    zone: TimeZone,
}

impl Gateway {
    pub(super) async fn new(now: Timestamp) -> Self {
        let mut gateway = Self {
            folder: tempfile::tempdir().unwrap(),
            stores: None,
            now,
            turns: HashSet::new(),
            fired: BTreeMap::new(),
            latest: now,
            zone: TimeZone::UTC,
        };
        gateway.start().await;
        gateway
    }

    pub(super) fn jobs(&self) -> &dyn Schedules {
        &*self.stores.as_ref().unwrap().schedules
    }

    pub(super) async fn start(&mut self) {
        self.stores = None;
        let path = self.folder.path().join("session.db");
        self.stores = Some(reopen(async || store::open(&path)).await.stores);
        self.replan().await;
    }

    /// What the runner does when the clock was set, or the zone.
    pub(super) async fn replan(&self) {
        let zone = self.zone.clone();
        self.jobs().replan(zone, self.now).await.unwrap();
    }

    /// Somebody takes the machine somewhere else.
    pub(super) async fn travel(&mut self, zone: &str) {
        self.zone = TimeZone::get(zone).unwrap();
        self.replan().await;
    }

    /// What the runner does at one look, up to its death.
    pub(super) async fn look(&mut self, death: Option<Death>) {
        if matches!(death, Some(Death::BeforeTheClaim)) {
            return;
        }
        let zone = self.zone.clone();
        self.jobs().plan_slots(false, zone, self.now).await.unwrap();
        self.latest = self.latest.max(self.now);
        if matches!(death, Some(Death::BehindTheClaim)) {
            return;
        }
        for Claim { row, job } in self.jobs().claims(self.now).await.unwrap() {
            let slot = &row.slot;
            if !self.turns.contains(&slot.run()) {
                let off = || Settle::Skipped {
                    reason: "off".to_owned(),
                    failed: false,
                };
                let late = || Settle::Missed {
                    reason: "late".to_owned(),
                };
                if !job.enabled {
                    self.settle(slot, off()).await;
                    continue;
                }
                if !planner::may_still_fire(&job, slot.at, false, self.now) {
                    self.settle(slot, late()).await;
                    continue;
                }
                self.jobs().decide(slot, key("main"), None).await.unwrap();
                self.turns.insert(slot.run());
            }
            if matches!(death, Some(Death::BehindTheTurn)) {
                return;
            }
            if self.settle(slot, Settle::Fired).await {
                *self.fired.entry(slot.clone()).or_default() += 1;
            }
        }
    }

    async fn settle(&self, slot: &Slot, settle: Settle) -> bool {
        let settled = self.jobs().settle_slot(slot, settle, self.now).await;
        settled.unwrap().is_some()
    }

    pub(super) async fn end_runs(&self) {
        for row in self.jobs().open_runs().await.unwrap() {
            let end = RunEnd {
                slot: row.slot,
                status: Status::Ok,
                error: None,
                summary: None,
                session_id: None,
                answered_by: None,
                reply: None,
                wanted: Wanted::No,
                post: None,
                is_transient: false,
                now: self.now,
            };
            assert!(self.jobs().end_run(end).await.unwrap().is_some());
        }
    }

    pub(super) async fn edit(&self, id: &JobId, change: impl FnOnce(&mut JobChange)) {
        let job = self.jobs().job(id).await.unwrap().unwrap();
        let mut asked = JobChange {
            id: id.clone(),
            version: job.version,
            spec: job.spec,
            enabled: job.enabled,
            skips_missed: false,
            now: self.now,
        };
        change(&mut asked);
        let replaced = self.jobs().replace_job(asked).await.unwrap();
        assert!(matches!(replaced, Replaced::Done(..)));
    }

    pub(super) async fn rows(&self, id: &JobId) -> Vec<SlotRow> {
        let filter = RunFilter {
            job: Some(id.clone()),
            limit: 1_000_000,
            ..RunFilter::default()
        };
        self.jobs().runs(filter).await.unwrap().0
    }

    /// Lets everything that was begun come to its end.
    pub(super) async fn come_to_rest(&mut self, id: &JobId) {
        self.edit(id, |change| change.enabled = false).await;
        self.now = self.latest.max(self.now).plus_ms(3 * HOUR);
        for _ in 0..3 {
            self.look(None).await;
            self.end_runs().await;
        }
    }
}
