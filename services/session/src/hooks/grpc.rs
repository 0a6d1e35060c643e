//! The contract's methods: a head is judged, a request is taken.

use std::time::Duration;

use gatehouse_core::{Timestamp, hex};
use gatehouse_proto::session::v1::hook_service_server::HookService;
use gatehouse_proto::session::v1::{
    HookAnswer, HookHead, InspectHookRequest, InspectHookResponse, ReceiveHookRequest, ReceiveHookResponse,
};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status as Failed};

use super::answer::{later, told, wrong};
use super::event::{self, Asked};
use super::genuine::{challenge, digest, genuine, repeat_key};
use super::head::Head;
use super::pace::Pace;
use crate::error::Error;
use crate::id::RunId;
use crate::schedules::{NewHook, Runner, SlotRow, Status, TakenHook, WakeMode, says_nothing};

/// Requests that wait for the end of a run at once. One more is answered at once, as if it had not asked to wait.
const WAITERS_MAX: usize = 64;
/// How long one waits at most: proxies give up about then.
const WAIT_MAX: Duration = Duration::from_secs(590);
/// When to come back where too much waits.
const FULL_SECONDS: u32 = 30;

#[derive(Debug)]
pub(crate) struct Grpc {
    runner: Runner,
    pace: Pace,
    waiters: Semaphore,
}

impl Grpc {
    pub(crate) fn new(runner: Runner) -> Self {
        Self {
            runner,
            pace: Pace::default(),
            waiters: Semaphore::new(WAITERS_MAX),
        }
    }

    #[cfg(test)]
    pub(super) fn runner(&self) -> &Runner {
        &self.runner
    }

    fn inspect(&self, head: Option<HookHead>) -> Result<InspectHookResponse, Error> {
        let policy = self.runner.engine().policy()?;
        let now = self.runner.engine().now();
        let head = Head::from(head.unwrap_or_default());
        Ok(InspectHookResponse {
            body_bytes_max: policy.hooks.body_bytes_max,
            refusal: head.judged(&policy.hooks, now).err(),
        })
    }

    async fn receive(&self, head: Option<HookHead>, body: &[u8]) -> Result<HookAnswer, Error> {
        let policy = self.runner.engine().policy()?;
        let (rules, now) = (&policy.hooks, self.runner.engine().now());
        let head = Head::from(head.unwrap_or_default());
        let genuine = match genuine(rules, &head, body, now) {
            Ok(genuine) => genuine,
            Err(refused) => return Ok(refused),
        };
        if let Some(challenge) = challenge(&genuine) {
            return Ok(challenge);
        }
        let asked = match genuine.mapping {
            Some(mapping) => event::mapped(rules, &policy, mapping, &head, &genuine.body),
            None if head.name == "wake" => event::wake(rules, &policy, &genuine.body),
            None => event::agent(rules, &policy, &genuine.body),
        };
        let asked = match asked {
            Ok(asked) => asked,
            Err(refused) => return Ok(refused),
        };
        let count = asked.events.len();
        if let Err(seconds) = self.pace.take(&genuine.by, count, now) {
            return Ok(later(429, "too many events in a minute", seconds));
        }
        let key = match repeat_key(&head, &genuine, asked.idempotency_key.as_deref()) {
            Ok(key) => key,
            Err(refused) => return Ok(refused),
        };
        let (wakes, waits) = (asked.wakes, asked.waits);
        let new = self.new_hook(&head, asked, key, body, now).await?;
        let taken = self.runner.take_hook(new).await?;
        if matches!(taken, TakenHook::Repeat(_) | TakenHook::Conflict) {
            self.pace.give_back(&genuine.by, count);
        }
        let (runs, coalesced) = match taken {
            TakenHook::Taken { runs, coalesced } => (runs, coalesced),
            TakenHook::Repeat(runs) => (runs, wakes.is_some()),
            TakenHook::Conflict => return Ok(wrong(409, "idempotencyKey was used with other content")),
            TakenHook::Full => {
                let problem = "too many events wait already; they are looked at one after the other";
                return Ok(later(429, problem, FULL_SECONDS));
            }
        };
        if let Some(mode) = wakes {
            let outcome = if coalesced { "coalesced" } else { "queued" };
            return Ok(told(
                200,
                &json!({"ok": true, "mode": mode.word(), "eventOutcome": outcome}),
            ));
        }
        let mut answer = json!({"ok": true, "runId": runs.first().map(RunId::as_str)});
        if runs.len() > 1 {
            answer["runIds"] = runs.iter().map(RunId::as_str).collect();
        }
        match runs.first() {
            Some(run) if waits => {
                answer["completion"] = self.completion(run).await?;
                Ok(told(200, &answer))
            }
            Some(_) | None => Ok(told(202, &answer)),
        }
    }

    async fn new_hook(
        &self,
        head: &Head,
        asked: Asked,
        key: Option<String>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<NewHook, Error> {
        let fingerprint = digest(&[head.name.as_bytes(), body]);
        let mut jobs = Vec::with_capacity(asked.events.len());
        for (place, event) in asked.events.into_iter().enumerate() {
            let (mut fire_at, mut declared) = (now, None);
            if let Some(mode) = asked.wakes {
                let same = digest(&[&event.sameness(), body, &place.to_le_bytes()]);
                declared = Some(format!("hook:{}:{}", mode.word(), hex::encode(&same)));
                if mode == WakeMode::NextHeartbeat {
                    fire_at = self.runner.next_beat(event.agent(), now).await?;
                }
            }
            let job = event.job(declared, fire_at, now);
            jobs.push(job.ok_or(Error::Unreadable("clock"))?);
        }
        Ok(NewHook {
            key,
            fingerprint,
            jobs,
            now,
        })
    }

    /// How a run ended, for who waits for it.
    async fn completion(&self, run: &RunId) -> Result<Value, Error> {
        let row = match self.waiters.try_acquire() {
            Ok(_place) => self.runner.ended(run, WAIT_MAX).await?,
            Err(_) => None,
        };
        Ok(row.map_or_else(|| json!({"status": "pending"}), |row| completion_of(&row)))
    }
}

fn completion_of(row: &SlotRow) -> Value {
    use crate::schedules::DeliveryStatus::{Delivered, NotDelivered, NotRequested};

    let disposition = match &row.summary {
        None => "none",
        Some(words) if says_nothing(words) => "silent",
        Some(_) => "reply",
    };
    let attempted = match row.delivered {
        Some(Delivered | NotDelivered) => true,
        Some(NotRequested) | None => false,
    };
    json!({
        "status": row.status.map_or("pending", Status::word),
        "replyDisposition": disposition,
        "delivered": row.delivered == Some(Delivered),
        "deliveryAttempted": attempted,
    })
}

#[tonic::async_trait]
impl HookService for Grpc {
    async fn inspect_hook(
        &self,
        request: Request<InspectHookRequest>,
    ) -> Result<Response<InspectHookResponse>, Failed> {
        let InspectHookRequest { head } = request.into_inner();
        let inspected = self.inspect(head);
        inspected.map(Response::new).map_err(Failed::from)
    }

    async fn receive_hook(
        &self,
        request: Request<ReceiveHookRequest>,
    ) -> Result<Response<ReceiveHookResponse>, Failed> {
        let ReceiveHookRequest { head, body } = request.into_inner();
        let answer = Some(Box::pin(self.receive(head, &body)).await?);
        Ok(Response::new(ReceiveHookResponse { answer }))
    }
}
