//! The devices as the rest of the service holds them: each change is on the disk before it is answered, and in the table that goes to
//! the edge before the next one begins.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures::future::join_all;
use gatehouse_contract::Role;
use gatehouse_core::{
    Chain, Clock, Secret, Timestamp,
    client::Peer,
    private,
    publish::{Outgoing, Publisher},
    sqlite::Database,
};
use gatehouse_proto::{
    device::v1::{DevicePairResolvedEvent, DevicePairSetupCompletedEvent, SetupCompletion},
    node::v1::{ForgetNodeRequest, node_service_client::NodeServiceClient},
};
use rusqlite::{Connection, Transaction};
use tokio::{
    sync::{Mutex, watch},
    time::timeout,
};
use tonic::Request;

use super::{
    actor::Actor,
    admit::{self, Admitted, Asking, Rules},
    error::DeviceError,
    manage::{self, Arrived, Reach, Told, Whole},
    rows::{self, RequestRow, RoleRow},
    schema::MIGRATIONS,
    setup::{self, Code, Profile},
    table::Table,
    users::Ended,
    wire,
};
use crate::configuration::State;

/// How long the session service may take to forget a node. One that is away keeps what the node offered, and shows it as one that is not
/// connected.
const FORGET_MAX: Duration = Duration::from_secs(2);

/// Where they are kept.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    database: PathBuf,
    key: PathBuf,
}

impl Files {
    /// In the folder of the service.
    pub(crate) fn of(folder: &Path) -> Self {
        Self {
            database: folder.join("devices.db"),
            key: folder.join("device-tokens.key"),
        }
    }

    /// The key that tokens are derived from; made at the first start. Without the old one nothing is lost: tokens that devices have stay
    /// good, and one that asks for its own is given another.
    fn key(&self) -> io::Result<Secret> {
        match fs::read_to_string(&self.key) {
            Ok(text) if !text.trim().is_empty() => return Ok(Secret::new(text.trim())),
            Ok(_) => fs::remove_file(&self.key)?, // of a machine that died while it was written
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let key = Secret::generate();
        private::create_new(&self.key, key.expose().as_bytes())?;
        Ok(key)
    }
}

/// The devices. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Devices(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    database: Database,
    key: Secret,
    clock: Clock,
    state: watch::Receiver<State>,
    publisher: Publisher,
    session: Peer,
    table: watch::Sender<Arc<Table>>,
    /// One change at a time, so that a table never overtakes a newer one.
    turn: Mutex<()>,
}

/// What was opened, before the parts that it needs are there.
#[derive(Debug)]
pub(crate) struct Opened {
    database: Database,
    key: Secret,
    table: Table,
}

impl Opened {
    /// Opens or makes the files.
    ///
    /// # Errors
    /// When they cannot be used.
    pub(crate) async fn new(files: Files) -> Result<Self, DeviceError> {
        let database = Database::open(&files.database, MIGRATIONS)?;
        let key = files
            .key()
            .map_err(|error| DeviceError::from(gatehouse_core::sqlite::Error::File(error)))?;
        let table = database.read(Table::read).await?;
        Ok(Self { database, key, table })
    }

    /// The database, for its metrics, its health and its copies.
    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// Puts it together with what it needs.
    pub(crate) fn with(
        self,
        clock: Clock,
        state: watch::Receiver<State>,
        publisher: Publisher,
        session: Peer,
    ) -> Devices {
        let Self { database, key, table } = self;
        Devices(Arc::new(Inner {
            database,
            key,
            clock,
            state,
            publisher,
            session,
            table: watch::Sender::new(Arc::new(table)),
            turn: Mutex::new(()),
        }))
    }
}

/// Everything that is asked for by a list.
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) pending: Vec<(RequestRow, bool)>,
    pub(super) paired: Vec<Whole>,
}

impl Devices {
    /// The table, and each change of it.
    pub(crate) fn table(&self) -> watch::Receiver<Arc<Table>> {
        self.0.table.subscribe()
    }

    pub(super) fn state(&self) -> State {
        self.0.state.borrow().clone()
    }

    /// Who stands behind a request.
    pub(super) fn actor<T>(&self, request: &Request<T>) -> Actor {
        let (credentials, table) = (self.state().credentials, Arc::clone(&self.0.table.borrow()));
        Actor::of(request).known_by(credentials.iter().chain(&table.credentials))
    }

    pub(super) async fn list(&self, actor: &Actor) -> Result<Listed, DeviceError> {
        let (now, actor) = (self.now(), actor.clone());
        self.read(move |connection| {
            let mut roles: HashMap<String, Vec<RoleRow>> = HashMap::new();
            for role in rows::all_roles(connection)? {
                if !role.is_over(now) {
                    roles.entry(role.device_id.clone()).or_default().push(role);
                }
            }
            let paired = rows::all_devices(connection)?.into_iter().filter_map(|device| {
                let roles = roles.remove(&device.id)?;
                let whole = Whole { device, roles };
                manage::may_change(&actor, &whole.device.id, &whole.roles)
                    .is_ok()
                    .then_some(whole)
            });
            let paired: Vec<Whole> = paired.collect();
            let mut pending = Vec::new();
            for request in rows::all_requests(connection, now)? {
                if manage::may_decide(connection, &actor, &request).is_ok() {
                    let known = rows::find_device(connection, &request.device_id)?.is_some();
                    pending.push((request, known));
                }
            }
            Ok(Listed { pending, paired })
        })
        .await
    }

    pub(super) async fn approve(&self, actor: Actor, id: String) -> Result<Whole, DeviceError> {
        let (key, now, request) = (self.0.key.clone(), self.now(), id.clone());
        let whole = self
            .change(move |tx| manage::approve(tx, &key, &actor, &request, now))
            .await?;
        let reach = Reach::of(whole.roles.iter().map(|role| &role.approved));
        self.say_resolved(id, &whole.device.id, &reach, "approved");
        Ok(whole)
    }

    pub(super) async fn reject(&self, actor: Actor, id: String) -> Result<String, DeviceError> {
        let (now, request) = (self.now(), id.clone());
        let (device, reach) = self
            .change(move |tx| {
                let wanted = rows::find_request(tx, &request)?.map(|request| request.wanted);
                let device = manage::reject(tx, &actor, &request, now)?;
                let reach = Reach::of_device(tx, &device, wanted.as_ref())?;
                Ok((device, reach))
            })
            .await?;
        self.say_resolved(id, &device, &reach, "rejected");
        Ok(device)
    }

    pub(super) async fn remove(&self, actor: Actor, device: String) -> Result<(), DeviceError> {
        let removed = device.clone();
        let reach = self
            .change(move |tx| {
                let reach = Reach::of_device(tx, &removed, None)?;
                manage::remove(tx, &actor, &removed)?;
                Ok(reach)
            })
            .await?;
        tracing::info!(device.id = device, "a paired device was removed");
        self.say_resolved(device.clone(), &device, &reach, "removed");
        self.forget_node(device).await;
        Ok(())
    }

    /// Tells others what ended with a user or a user's token.
    pub(super) async fn say_ended(&self, ended: Ended) {
        for (device, reach) in ended.devices {
            tracing::info!(device.id = device, "a device ended with what it was paired with");
            self.say_resolved(device.clone(), &device, &reach, "removed");
        }
        join_all(ended.nodes.into_iter().map(|node| self.forget_node(node))).await;
    }

    /// Tells the session service that a device is no node any more.
    async fn forget_node(&self, node_id: String) {
        let mut session = NodeServiceClient::new(self.0.session.service());
        match timeout(FORGET_MAX, session.forget_node(ForgetNodeRequest { node_id })).await {
            Ok(Ok(_)) => {}
            Ok(Err(status)) => {
                tracing::warn!(error = %Chain(&status), "the session service did not forget a removed node");
            }
            Err(_) => tracing::warn!("the session service did not forget a removed node in time"),
        }
    }

    pub(super) async fn remove_role(&self, device: String, role: Role) -> Result<bool, DeviceError> {
        self.change(move |tx| manage::remove_role(tx, &device, role))
            .await
    }

    pub(super) async fn rename(
        &self,
        actor: Actor,
        device: String,
        label: String,
    ) -> Result<(), DeviceError> {
        self.change(move |tx| manage::rename(tx, &actor, &device, &label))
            .await
    }

    pub(super) async fn rotate(
        &self,
        actor: Actor,
        device: String,
        role: String,
        scopes: Vec<String>,
    ) -> Result<(RoleRow, Secret), DeviceError> {
        let (key, now) = (self.0.key.clone(), self.now());
        self.change(move |tx| manage::rotate(tx, &key, &actor, &device, &role, &scopes, now))
            .await
    }

    pub(super) async fn revoke(
        &self,
        actor: Actor,
        device: String,
        role: String,
    ) -> Result<RoleRow, DeviceError> {
        let now = self.now();
        self.change(move |tx| manage::revoke(tx, &actor, &device, &role, now))
            .await
    }

    pub(super) async fn create_code(
        &self,
        actor: Actor,
        profile: Profile,
        url: String,
    ) -> Result<Code, DeviceError> {
        let now = self.now();
        self.change(move |tx| setup::create(tx, &actor, profile, &url, now))
            .await
    }

    pub(super) async fn code_status(&self, id: String) -> Result<Option<SetupCompletion>, DeviceError> {
        let code = id.clone();
        let used = self
            .read(move |connection| setup::status(connection, &code))
            .await?;
        Ok(used.map(|used| SetupCompletion {
            setup_id: id,
            device_id: used.device,
            device_name: used.name,
            access: used.access,
            ts: used.at.as_ms(),
        }))
    }

    pub(super) async fn admit(&self, asking: Asking) -> Result<Admitted, DeviceError> {
        let rules = Rules::from(&self.state().revision.document().gateway.nodes.pairing);
        let (key, now) = (self.0.key.clone(), self.now());
        let (device, name) = (asking.device_id.clone(), asking.labels.display_name.clone());
        let (admitted, reach) = self
            .change(move |tx| {
                let admitted = admit::admit(tx, &key, &rules, &asking, now)?;
                let wanted = match &admitted {
                    Admitted::Pending { request, .. } => Some(&request.wanted),
                    Admitted::Paired(_) | Admitted::CodeInvalid => None,
                };
                let reach = Reach::of_device(tx, &asking.device_id, wanted)?;
                Ok((admitted, reach))
            })
            .await?;
        match &admitted {
            Admitted::Pending {
                request,
                new: true,
                repair,
            } => {
                tracing::info!(
                    device.id = device,
                    reason = request.reason,
                    "a device waits for approval"
                );
                let event = Outgoing::new(&wire::requested(request, *repair));
                self.0
                    .publisher
                    .publish(event.about_device(device, reach.scopes()));
            }
            Admitted::Paired(paired) => {
                if let Some(settled) = &paired.settled {
                    tracing::info!(device.id = device, "a device was paired");
                    self.say_resolved(settled.clone(), &device, &reach, "approved");
                }
                if let Some((id, access)) = &paired.code {
                    self.0
                        .publisher
                        .publish(Outgoing::new(&DevicePairSetupCompletedEvent {
                            setup_id: id.clone(),
                            device_id: device,
                            device_name: name,
                            access: access.clone(),
                            ts: now.as_ms(),
                        }));
                }
            }
            Admitted::Pending { .. } | Admitted::CodeInvalid => {}
        }
        Ok(admitted)
    }

    pub(super) async fn welcome(&self, arrived: Arrived) -> Result<Told, DeviceError> {
        let (key, now, asked) = (self.0.key.clone(), self.now(), arrived.clone());
        let told = self
            .read(move |connection| manage::greet(connection, &key, &asked, now))
            .await?;
        if let Some(told) = told {
            return Ok(told);
        }
        let key = self.0.key.clone();
        self.change(move |tx| manage::welcome(tx, &key, &arrived, now))
            .await
    }

    pub(super) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    fn say_resolved(&self, request_id: String, device: &str, reach: &Reach, decision: &str) {
        let event = Outgoing::new(&DevicePairResolvedEvent {
            request_id,
            device_id: device.to_owned(),
            decision: decision.to_owned(),
            ts: self.now().as_ms(),
        });
        self.0
            .publisher
            .publish(event.about_device(device, reach.scopes()));
    }

    pub(super) async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, DeviceError> + Send + 'static,
    ) -> Result<T, DeviceError> {
        self.0.database.read(job).await
    }

    /// Writes, and tells the edge what came of it.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Transaction<'_>) -> Result<T, DeviceError> + Send + 'static,
    ) -> Result<T, DeviceError> {
        let _turn = self.0.turn.lock().await;
        let written = self.0.database.write(move |tx| {
            let done = job(tx)?;
            Ok::<_, DeviceError>((done, Table::read(tx)?))
        });
        let (done, table) = written.await?;
        self.0.table.send_if_modified(|current| {
            let changed = **current != table;
            if changed {
                *current = Arc::new(table);
            }
            changed
        });
        Ok(done)
    }
}
