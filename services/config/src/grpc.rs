//! Parse, ask, answer.

pub(crate) mod roster;

use std::{pin::Pin, sync::Arc};

use futures::{Stream, StreamExt, stream};
use gatehouse_core::{Caller, Drain, Failure, caller};
use gatehouse_proto::config::v1::{
    ApplyConfigRequest, ApplyConfigResponse, ConfigIssue, Credential, FormerConfig, GetConfigRequest,
    GetConfigResponse, GetConfigSchemaRequest, GetConfigSchemaResponse, ListConfigHistoryRequest,
    ListConfigHistoryResponse, LookUpConfigSchemaRequest, LookUpConfigSchemaResponse, PatchConfigRequest,
    PatchConfigResponse, RestoreConfigRequest, RestoreConfigResponse, RotateTokenRequest,
    RotateTokenResponse, SetConfigRequest, SetConfigResponse, WatchConfigRequest, WatchConfigResponse,
    config_service_server::ConfigService,
};
use tokio::sync::watch;
use tokio_stream::wrappers::WatchStream;
use tonic::{Request, Response, Status};

use crate::{
    configuration::{Lists, Patch, Patched, Restore, State, Whole},
    credential::{PLUGIN, SHARED},
    devices::Table,
    error::Error,
    issue::Issue,
    outline,
    pace::Pace,
    registry::Handle,
    revision::Reader,
    store::Former,
};

#[derive(Debug)]
pub(crate) struct Grpc {
    handle: Handle,
    devices: watch::Receiver<Arc<Table>>,
    path: String,
    pace: Arc<Pace>,
    /// When the schema was made, as RFC 3339 says it.
    schema_time: String,
    drain: Drain,
}

impl Grpc {
    pub(crate) fn new(
        handle: Handle,
        devices: watch::Receiver<Arc<Table>>,
        path: String,
        pace: Arc<Pace>,
        now_ms: i64,
        drain: Drain,
    ) -> Self {
        let now = jiff::Timestamp::from_millisecond(now_ms).unwrap_or_default();
        Self {
            handle,
            devices,
            path,
            pace,
            schema_time: now.to_string(),
            drain,
        }
    }

    /// Counts a change of a client.
    fn count<T>(&self, request: &Request<T>, method: &'static str) -> Result<(), Status> {
        self.pace
            .count(Caller::from_request(request).as_ref(), method)
            .map_err(refuse)
    }
}

type Answers = Pin<Box<dyn Stream<Item = Result<WatchConfigResponse, Status>> + Send>>;

#[tonic::async_trait]
impl ConfigService for Grpc {
    type WatchConfigStream = Answers;

    async fn get_config(&self, _: Request<GetConfigRequest>) -> Result<Response<GetConfigResponse>, Status> {
        let State { revision, file, .. } = self.handle.state();
        Ok(Response::new(GetConfigResponse {
            path: self.path.clone(),
            exists: file.exists,
            raw: file.shown.clone(),
            parsed: file.parsed.to_string(),
            valid: file.valid,
            config: revision.shown().to_string(),
            hash: revision.hash().to_owned(),
            issues: issues_that(&file.issues, Issue::is_error),
            warnings: issues_that(&file.issues, |issue| !issue.is_error()),
            source_config: revision.source().to_string(),
            applied_config_hash: revision.hash().to_owned(),
            left_out: revision.left_out().places().map(ToString::to_string).collect(),
        }))
    }

    async fn patch_config(
        &self,
        request: Request<PatchConfigRequest>,
    ) -> Result<Response<PatchConfigResponse>, Status> {
        self.count(&request, "config.patch")?;
        let patch = Patch::from(request.into_inner());
        let patched = self.handle.patch(patch).await.map_err(refuse)?;
        Ok(Response::new(PatchConfigResponse {
            ok: true,
            path: self.path.clone(),
            hash: patched.state.revision.hash().to_owned(),
            config: patched.state.revision.source().to_string(),
            issues: issues(&patched),
            restart_services: restart_services(&patched),
            noop: patched.is_noop,
        }))
    }

    async fn set_config(
        &self,
        request: Request<SetConfigRequest>,
    ) -> Result<Response<SetConfigResponse>, Status> {
        self.count(&request, "config.set")?;
        let whole = Whole::from(request.into_inner());
        let patched = self.handle.replace(whole).await.map_err(refuse)?;
        Ok(Response::new(SetConfigResponse {
            ok: true,
            path: self.path.clone(),
            hash: patched.state.revision.hash().to_owned(),
            config: patched.state.revision.source().to_string(),
            issues: issues(&patched),
            restart_services: restart_services(&patched),
            noop: patched.is_noop,
        }))
    }

    async fn apply_config(
        &self,
        request: Request<ApplyConfigRequest>,
    ) -> Result<Response<ApplyConfigResponse>, Status> {
        self.count(&request, "config.apply")?;
        let whole = Whole::from(request.into_inner());
        let patched = self.handle.replace(whole).await.map_err(refuse)?;
        Ok(Response::new(ApplyConfigResponse {
            ok: true,
            path: self.path.clone(),
            hash: patched.state.revision.hash().to_owned(),
            config: patched.state.revision.source().to_string(),
            issues: issues(&patched),
            restart_services: restart_services(&patched),
            noop: patched.is_noop,
        }))
    }

    async fn list_config_history(
        &self,
        _: Request<ListConfigHistoryRequest>,
    ) -> Result<Response<ListConfigHistoryResponse>, Status> {
        let history = self.handle.history().await.map_err(refuse)?;
        let revisions = history.into_iter().map(FormerConfig::from).collect();
        Ok(Response::new(ListConfigHistoryResponse { revisions }))
    }

    async fn restore_config(
        &self,
        request: Request<RestoreConfigRequest>,
    ) -> Result<Response<RestoreConfigResponse>, Status> {
        self.count(&request, "config.restore")?;
        let restore = Restore::from(request.into_inner());
        let restored = self.handle.restore(restore).await.map_err(refuse)?;
        Ok(Response::new(RestoreConfigResponse {
            ok: true,
            path: self.path.clone(),
            hash: restored.state.revision.hash().to_owned(),
            issues: issues(&restored),
            restart_services: restart_services(&restored),
        }))
    }

    async fn get_config_schema(
        &self,
        _: Request<GetConfigSchemaRequest>,
    ) -> Result<Response<GetConfigSchemaResponse>, Status> {
        let schema = outline::schema().to_string();
        Ok(Response::new(GetConfigSchemaResponse {
            schema,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ui_hints: serde_json::to_string(outline::hints()).unwrap_or_default(), // keys are texts
            generated_at: self.schema_time.clone(),
        }))
    }

    async fn look_up_config_schema(
        &self,
        request: Request<LookUpConfigSchemaRequest>,
    ) -> Result<Response<LookUpConfigSchemaResponse>, Status> {
        let LookUpConfigSchemaRequest { path } = request.into_inner();
        let found = outline::look_up(&path);
        found
            .map(Response::new)
            .ok_or_else(|| refuse(Error::NoSuchKey(path)))
    }

    async fn rotate_token(
        &self,
        _: Request<RotateTokenRequest>,
    ) -> Result<Response<RotateTokenResponse>, Status> {
        let (token, path) = self.handle.rotate().await.map_err(refuse)?;
        Ok(Response::new(RotateTokenResponse {
            token: token.expose().to_owned(),
            path,
        }))
    }

    async fn watch_config(&self, request: Request<WatchConfigRequest>) -> Result<Response<Answers>, Status> {
        let reader = Reader::try_from(request.get_ref()).map_err(refuse)?;
        // What one service may see, secrets included, is nobody else's.
        caller::names_itself(&request, reader.name()).map_err(Status::from)?;
        let mut told: Option<(String, String, Arc<[Credential]>, Arc<Table>, Vec<ConfigIssue>)> = None;
        let (handle, table) = (self.handle.clone(), self.devices.clone());
        let changes = WatchStream::new(self.handle.watch()).map(drop);
        let changes = stream::select(changes, WatchStream::new(self.devices.clone()).map(drop));
        // The state also changes when only the file does; services hear of what runs.
        let answers = changes.filter_map(move |()| {
            let state = handle.state();
            let (credentials, devices) = match reader {
                Reader::Edge => (Arc::clone(&state.credentials), Arc::clone(&table.borrow())),
                // The digests that it shows to plugins which bring channels. They open nothing to who knows them.
                Reader::ChannelBridge => {
                    let rows = state.credentials.iter().filter(|row| row.id.starts_with(PLUGIN));
                    (rows.cloned().collect(), Arc::default())
                }
                Reader::Session | Reader::Agent | Reader::Broadcast | Reader::Operator => {
                    (Arc::default(), Arc::default())
                }
            };
            let left_out = match reader {
                Reader::ChannelBridge => state.revision.left_out().warnings(),
                Reader::Edge | Reader::Session | Reader::Agent | Reader::Broadcast | Reader::Operator => {
                    Vec::new()
                }
            };
            // One text may come to mean something else: a secret that was missing is there.
            let news = (
                state.revision.hash().to_owned(),
                state.revision.cut(reader),
                credentials,
                devices,
                issues_that(&left_out, |issue| issue.path.starts_with("channels.")),
            );
            let answer = (told.as_ref() != Some(&news)).then(|| {
                told = Some(news.clone());
                let (hash, config, credentials, devices, left_out) = news;
                let token = credentials.iter().find(|row| row.id == SHARED);
                Ok(WatchConfigResponse {
                    hash,
                    config,
                    token_digest: token.map(|row| row.digest.clone()).unwrap_or_default(),
                    credentials: credentials.iter().chain(&devices.credentials).cloned().collect(),
                    devices: devices.devices.clone(),
                    left_out,
                })
            });
            std::future::ready(answer)
        });
        Ok(Response::new(Box::pin(self.drain.end_stream(answers))))
    }
}

fn issues_that(issues: &[Issue], is_meant: impl Fn(&Issue) -> bool) -> Vec<ConfigIssue> {
    let meant = issues.iter().filter(|issue| is_meant(issue));
    meant.map(Issue::to_proto).collect()
}

/// What deserves a look after a change: about itself, then about the document.
fn issues(patched: &Patched) -> Vec<ConfigIssue> {
    let Patched { state, notes, .. } = patched;
    let new = notes.iter().filter(|note| !state.file.issues.contains(note));
    new.chain(&state.file.issues).map(Issue::to_proto).collect()
}

fn restart_services(patched: &Patched) -> Vec<String> {
    patched
        .restart
        .iter()
        .map(|service| (*service).to_owned())
        .collect()
}

impl From<Former> for FormerConfig {
    fn from(former: Former) -> Self {
        Self {
            revision: former.revision,
            replaced_at: former.replaced_at.as_ms(),
            note: former.note,
            size_bytes: i64::try_from(former.size_bytes).unwrap_or(i64::MAX),
        }
    }
}

impl From<RestoreConfigRequest> for Restore {
    fn from(request: RestoreConfigRequest) -> Self {
        let RestoreConfigRequest {
            revision,
            base_hash,
            force,
        } = request;
        Self {
            revision,
            base_hash,
            force: force.unwrap_or_default(),
        }
    }
}

impl From<PatchConfigRequest> for Patch {
    fn from(request: PatchConfigRequest) -> Self {
        let PatchConfigRequest {
            raw,
            base_hash,
            note,
            force,
            replace_paths,
            // Nobody is restarted: see the contract.
            session_key: _,
            delivery_context: _,
            restart_delay_ms: _,
        } = request;
        Self {
            raw,
            base_hash,
            note,
            lists: Lists::named(replace_paths),
            force: force.unwrap_or_default(),
        }
    }
}

impl From<SetConfigRequest> for Whole {
    fn from(request: SetConfigRequest) -> Self {
        let SetConfigRequest {
            raw,
            base_hash,
            note,
            force,
        } = request;
        Self {
            raw,
            base_hash,
            note,
            force: force.unwrap_or_default(),
        }
    }
}

impl From<ApplyConfigRequest> for Whole {
    fn from(request: ApplyConfigRequest) -> Self {
        let ApplyConfigRequest {
            raw,
            base_hash,
            note,
            force,
            session_key: _,
            delivery_context: _,
            restart_delay_ms: _,
        } = request;
        Self {
            raw,
            base_hash,
            note,
            force: force.unwrap_or_default(),
        }
    }
}

impl TryFrom<&WatchConfigRequest> for Reader {
    type Error = Error;

    fn try_from(request: &WatchConfigRequest) -> Result<Self, Error> {
        let WatchConfigRequest { service } = request;
        Self::parse(service).ok_or(Error::NoSuchService)
    }
}

fn refuse(error: Error) -> Status {
    Failure::from(error).into()
}
