//! What nodes were asked for and have not answered yet.
//!
//! An invocation is stored before its node is asked and ends once: a task owns it from the request to the end, and whatever comes
//! first decides, the node's word, the deadline, the end of the node's connection, or that nobody waits any longer. Only what is
//! stored is told. Whoever comes with the same key joins the same flight.

mod flight;
mod ways;

use std::collections::BTreeMap;
use std::time::Duration;

use gatehouse_core::Caller;
use gatehouse_proto::node::v1 as proto;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use uuid::Uuid;

pub(super) use self::flight::{Flights, Landing, Report};
use self::flight::{Place, Ticket};
use super::commands::{self, NotAllowed};
use super::live::Line;
use super::store::WAITING_MAX;
use super::{
    Asker, Begun, End, Error, InvocationRecord, NewInvocation, NodeId, Nodes, Payload, State, Trouble,
};

/// How long a result is waited for when the caller does not say: OpenClaw's figure.
const TIMEOUT_MS_DEFAULT: i64 = 30_000;
/// The longest wait: the contract's figure.
const TIMEOUT_MS_MAX: i64 = 3_600_000;
/// Parameters of what waits: they are stored, 64 of them for each node.
const WAITING_PARAMS_BYTES_MAX: usize = 256 * 1024;

/// An invocation as a caller asks for it.
#[derive(Debug)]
pub(super) struct Wish {
    node: NodeId,
    command: String,
    params: Option<String>,
    timeout_ms: i64,
    key: String,
    session_key: Option<String>,
    queue_ttl_ms: Option<i64>,
    /// The connection that is shown what the node says meanwhile.
    listener: Option<String>,
    asker: Asker,
}

impl Wish {
    fn read(request: proto::InvokeNodeRequest, caller: Option<&Caller>) -> Result<Self, Error> {
        let proto::InvokeNodeRequest {
            node_id,
            command,
            params,
            timeout_ms,
            idempotency_key,
            session_key,
            queue_ttl_ms,
            progress,
            // Where an approval would be asked for: this gateway asks for none.
            turn_source_channel: _,
            turn_source_to: _,
            turn_source_account_id: _,
            turn_source_thread_id: _,
        } = request;
        let command = command.trim().to_owned();
        if command.is_empty() {
            return Err(Error::Field("/command", "is empty"));
        }
        let timeout_ms = match timeout_ms {
            None => TIMEOUT_MS_DEFAULT,
            Some(0) => TIMEOUT_MS_MAX,
            Some(ms) => ms.clamp(1, TIMEOUT_MS_MAX),
        };
        let size = params.as_ref().map_or(0, String::len);
        if queue_ttl_ms.is_some() && size > WAITING_PARAMS_BYTES_MAX {
            return Err(Error::ParamsTooLarge(WAITING_PARAMS_BYTES_MAX));
        }
        let listener = caller
            .filter(|_| progress == Some(true))
            .map(|caller| caller.connection_id.clone());
        Ok(Self {
            node: NodeId::new(node_id.trim()),
            command,
            params,
            timeout_ms,
            key: idempotency_key,
            session_key,
            queue_ttl_ms,
            listener,
            asker: Asker {
                client: caller.map(|caller| caller.client_id.clone()),
                device: caller.and_then(|caller| caller.device_id.clone()),
                user: caller.and_then(|caller| caller.user_id.clone()),
            },
        })
    }

    /// Under which it is remembered: a key is its asker's own.
    fn place(&self) -> Place {
        Place {
            node: self.node.clone(),
            asker: self.asker.clone(),
            key: self.key.clone(),
        }
    }

    /// What tells two wishes apart that have one key. Who asks is part of it: nobody is told another's result.
    fn fingerprint(&self) -> Vec<u8> {
        let mut hash = Sha256::new();
        let parts = [
            Some(self.command.as_str()),
            self.params.as_deref(),
            self.asker.client.as_deref(),
            self.asker.device.as_deref(),
        ];
        // Only where there is one: what was asked for before users were told apart is answered as before.
        let user = self.asker.user.as_deref().map(Some);
        for part in parts.into_iter().chain(user) {
            let part = part.unwrap_or_default();
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        hash.finalize().to_vec()
    }

    fn request(&self, id: &str) -> proto::AttachNodeResponse {
        super::events::frame(&proto::NodeInvokeRequestEvent {
            id: id.to_owned(),
            node_id: self.node.to_string(),
            command: self.command.clone(),
            params_json: self.params.clone(),
            timeout_ms: self.timeout_ms,
            idempotency_key: self.key.clone(),
            session_key: self.session_key.clone(),
        })
    }
}

/// What a caller is told.
#[derive(Clone, Debug)]
pub(super) struct Told {
    /// The invocation as it is remembered: of a repeat, the one that was begun first.
    pub(super) id: String,
    pub(super) landing: Landing,
}

/// What becomes of a wish.
enum Next {
    Land(Landing),
    /// It was asked for before, and is remembered.
    Repeat(Told),
    Fly(Line),
}

impl Nodes {
    /// Asks a node, or lets the wish wait for it. Dropping the answer ends the invocation, unless somebody else waits for it.
    pub(super) async fn invoke(
        &self,
        request: proto::InvokeNodeRequest,
        caller: Option<&Caller>,
    ) -> Result<Told, Error> {
        let wish = Wish::read(request, caller)?;
        if commands::is_indirect(&wish.command) {
            return Err(Error::Indirect(wish.command));
        }
        if commands::needs_admin(&wish.command) && !is_admin(caller) {
            return Err(Error::MissingScope("operator.admin", vec!["operator.admin"]));
        }
        refuse_override(&wish.command, wish.params.as_deref())?;
        let (flight, ticket) = self.0.flights.enter(wish.place(), &wish.fingerprint())?;
        if let Some(ticket) = ticket {
            // A task of its own: what was stored is ended also when the caller is gone before the node was asked.
            let nodes = self.clone();
            self.0.drain.spawn_work("invocation", async move {
                match nodes.begin(&wish, &ticket).await {
                    Ok(Next::Land(landing)) => ticket.land(Ok(landing)),
                    Ok(Next::Repeat(told)) => ticket.tell(Ok(told)),
                    Ok(Next::Fly(line)) => nodes.fly(&wish, ticket, line, true).await,
                    Err(error) => ticket.land(Err(error.into())),
                }
            });
        }
        flight.landed().await
    }

    /// The first of those who come with a key decides what becomes of the flight.
    async fn begin(&self, wish: &Wish, ticket: &Ticket) -> Result<Next, Error> {
        let line = match self
            .0
            .registry
            .line_for(&wish.node, &self.rules()?, &wish.command)
        {
            Some(Ok(line)) => Some(line),
            Some(Err((why, platform))) => return Err(not_allowed(why, &wish.command, platform)),
            None => None,
        };
        let now = self.now();
        let expires_at = match (&line, wish.queue_ttl_ms) {
            (None, Some(ttl)) => Some(now.plus_ms(ttl)),
            (None, None) | (Some(_), _) => None,
        };
        let fingerprint = wish.fingerprint();
        if line.is_none() {
            if self.0.store.node(&wish.node).await?.is_none() {
                return Err(Error::UnknownNode);
            }
            if expires_at.is_none() {
                // A repeat is answered with what is remembered, also when the node is away.
                let known = self.0.store.known(&wish.node, &wish.asker, &wish.key).await?;
                let record = known.ok_or(Error::NotConnected)?;
                return known_end(&record, &fingerprint).map(Next::Repeat);
            }
        }
        let begun = self.0.store.begin(NewInvocation {
            id: ticket.id().to_owned(),
            node: wish.node.clone(),
            command: wish.command.clone(),
            params: expires_at.and(wish.params.clone()),
            timeout_ms: wish.timeout_ms,
            key: wish.key.clone(),
            fingerprint: fingerprint.clone(),
            session_key: wish.session_key.clone(),
            asker: wish.asker.clone(),
            expires_at,
            now,
        });
        Ok(match (begun.await?, line) {
            (Begun::Full, _) => return Err(Error::QueueFull(WAITING_MAX)),
            (Begun::Known(record), _) => Next::Repeat(known_end(&record, &fingerprint)?),
            (Begun::New, Some(line)) => Next::Fly(line),
            (Begun::New, None) => {
                self.0.flights.queued.notify_one();
                match self
                    .0
                    .registry
                    .line_for(&wish.node, &self.rules()?, &wish.command)
                {
                    // It came while this was stored, and may have looked before.
                    Some(Ok(line)) if self.0.store.start(ticket.id(), self.now()).await? => Next::Fly(line),
                    Some(_) | None => Next::Land(Landing::Queued(expires_at.unwrap_or(now))),
                }
            }
        })
    }

    /// Asks the node, and sees the invocation to its end.
    async fn fly(&self, wish: &Wish, ticket: Ticket, line: Line, waited_for: bool) {
        let deadline = tokio::time::sleep(Duration::from_millis(wish.timeout_ms.unsigned_abs()));
        tokio::pin!(deadline);
        let asked_at = Instant::now();
        let reported = ticket.fly(&line, wish.listener.clone());
        let id = ticket.id().to_owned();
        tracing::info!(
            node.id = %wish.node,
            invocation.id = id,
            node.command = wish.command,
            connection.id = line.connection,
            session.key = wish.session_key,
            client.id = wish.asker.client,
            device.id = wish.asker.device,
            "a node is asked"
        );
        if !line.send(wish.request(&id)) {
            let trouble = if line.gone.is_cancelled() {
                disconnected(&wish.command)
            } else {
                Trouble::new("NODE_BUSY", "the node's connection takes no more at the moment")
            };
            return self
                .settle(wish, ticket, End::failed(State::Error, trouble), None)
                .await;
        }
        let abandoned = async {
            if waited_for {
                ticket.abandoned().await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        let end = tokio::select! {
            biased; // a deadline that is over is over, whatever else has come meanwhile
            () = &mut deadline => {
                End::failed(State::Timeout, Trouble::new("TIMEOUT", "node invoke timed out"))
            }
            report = reported => match report {
                Ok(Report::Done(payload)) => End::ok(payload),
                Ok(Report::Failed(trouble)) => End::failed(State::Error, trouble),
                Err(_) => End::failed(State::Lost, disconnected(&wish.command)),
            },
            () = line.gone.cancelled() => End::failed(State::Lost, disconnected(&wish.command)),
            () = abandoned => {
                End::failed(State::Cancelled, Trouble::new("CANCELLED", "nobody waited for it any longer"))
            }
        };
        if matches!(end.state, State::Timeout | State::Cancelled) {
            line.send(super::events::frame(&proto::NodeInvokeCancelEvent {
                invoke_id: id,
                node_id: wish.node.to_string(),
            }));
        }
        self.settle(wish, ticket, end, Some(asked_at)).await;
    }

    /// Stores the end and tells everybody. `asked_at`: when the node was asked, if it was.
    async fn settle(&self, wish: &Wish, ticket: Ticket, mut end: End, asked_at: Option<Instant>) {
        let id = ticket.id().to_owned();
        if let Some(landing) = self.put_off(wish, &id, &end).await {
            return ticket.land(Ok(landing));
        }
        let took = asked_at.map(|at| at.elapsed());
        end.media = self.keep_media(&end, &id).await;
        let stored = self.0.store.end(&id, end.clone(), self.now()).await;
        let dispatched = asked_at.is_some();
        ticket.land(match stored {
            Ok(true) => {
                self.0.metrics.ended(end.state, took);
                tracing::info!(
                    node.id = %wish.node,
                    invocation.id = id,
                    node.command = wish.command,
                    session.key = wish.session_key,
                    outcome = end.state.word(),
                    ms = took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
                    "an invocation has ended"
                );
                Ok(Landing::Ended(end, dispatched))
            }
            // It was ended by whoever removed the node.
            Ok(false) => Ok(Landing::Ended(
                End::failed(State::Lost, disconnected(&wish.command)),
                dispatched,
            )),
            Err(error) => Err(Error::from(error).into()),
        });
    }
}

/// No caller: an operator's tool on this machine, which may do everything.
pub(super) fn is_admin(caller: Option<&Caller>) -> bool {
    caller.is_none_or(|caller| caller.grants().is_some_and(|grants| grants.has("operator.admin")))
}

fn disconnected(command: &str) -> Trouble {
    Trouble::new("DISCONNECTED", format!("node disconnected ({command})"))
}

/// What is remembered under a key, for whoever comes with it again.
fn known_end(record: &InvocationRecord, fingerprint: &[u8]) -> Result<Told, Error> {
    if record.fingerprint != fingerprint {
        return Err(Error::KeyConflict);
    }
    let told = |landing| Told {
        id: record.id.clone(),
        landing,
    };
    let end = match record.state {
        State::Queued => {
            let until = record.expires_at.unwrap_or(record.created_at);
            return Ok(told(Landing::Queued(until)));
        }
        // It is in no flight of this process: what owned it is gone.
        State::Running => End::failed(State::Lost, disconnected(&record.command)),
        State::Ok => End::ok(record.payload.clone().ok_or(Error::ResultGone)?),
        state @ (State::Error | State::Timeout | State::Cancelled | State::Lost) => {
            let trouble = record.trouble.clone();
            End::failed(
                state,
                trouble.unwrap_or_else(|| Trouble::new("", "node invoke failed")),
            )
        }
    };
    Ok(told(Landing::Ended(end, record.started_at.is_some())))
}

fn not_allowed(why: NotAllowed, command: &str, platform: Option<String>) -> Error {
    let platform = platform.unwrap_or_else(|| "unknown".to_owned());
    let hint = match why {
        NotAllowed::NotDeclared => format!("the node (platform: {platform}) does not support \"{command}\""),
        NotAllowed::NotApproved => {
            "the node's declared command surface is pending approval; run `gatehouse nodes` to see \
                                    the request, then `gatehouse nodes approve REQUEST`"
                .to_owned()
        }
        NotAllowed::Denied => format!("\"{command}\" is blocked by gateway.nodes.commands.deny"),
        NotAllowed::Dangerous => {
            format!("\"{command}\" requires explicit gateway.nodes.commands.allow opt-in")
        }
        NotAllowed::NotAllowlisted => {
            format!("\"{command}\" is not in the allowlist for platform \"{platform}\"")
        }
    };
    Error::NotAllowed {
        why,
        command: command.to_owned(),
        hint: format!("node command not allowed: {hint}"),
    }
}

/// A node runs a command without asking when it is told that somebody approved it. Nobody here did.
fn refuse_override(command: &str, params: Option<&str>) -> Result<(), Error> {
    const WORDS: [&str; 3] = ["approved", "approvalDecision", "approvalSource"];
    if !command.starts_with("system.run") {
        return Ok(());
    }
    // Only the names are read, and what each says is left as it is: a value that cannot be read here, as a number that no double
    // holds, may be read by the node. What has no names that can be read is nothing that a node could be told.
    let given: Option<BTreeMap<String, &RawValue>> = match params {
        Some(params) => serde_json::from_str(params)
            .map_err(|_| Error::Field("/params", "is not an object whose names can be read"))?,
        None => None,
    };
    let given = given.unwrap_or_default();
    let claims = |word: &&str| {
        let value = given.get(*word).map(|value| value.get());
        value.is_some_and(|value| !matches!(value, "null" | "false"))
    };
    if WORDS.iter().any(claims) {
        return Err(Error::ApprovalOverride);
    }
    Ok(())
}

/// A new id.
fn new_id() -> String {
    Uuid::now_v7().to_string()
}

/// A result as a node sent it: the text takes the place of the value, and callers get both. `None`: the text is no JSON.
pub(super) fn payload(value: Option<String>, text: Option<String>) -> Option<Payload> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Some(Payload {
            json: value,
            text: None,
        });
    };
    serde_json::from_str::<serde::de::IgnoredAny>(&text).ok()?;
    Some(Payload {
        json: Some(text.clone()),
        text: Some(text),
    })
}
