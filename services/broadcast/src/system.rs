//! `system.info`, `update.status`, `logs.tail`, `diagnostics.stability`: the machine, its log, and what became of processes.

mod history;
mod log;
mod machine;

use std::{path::PathBuf, sync::Arc};

use gatehouse_core::{Chain, Clock, Failure, Home, Kind};
use gatehouse_proto::broadcast::v1::{
    GetStabilityRequest, GetStabilityResponse, GetSystemInfoRequest, GetSystemInfoResponse,
    GetUpdateStatusRequest, GetUpdateStatusResponse, TailLogsRequest, TailLogsResponse, UpdateSchedule,
    system_service_server::SystemService,
};
use tokio::{task, time::Instant};
use tonic::{Request, Response, Status};

pub(crate) use self::history::History;
use self::log::{Cursor, Tail};
use crate::conversations::Asker;

/// Lines and bytes of an answer unless the caller says otherwise: OpenClaw's.
const LINES: i64 = 500;
const BYTES: i64 = 250_000;

/// Changes of an answer unless the caller says otherwise.
const CHANGES: i64 = 50;

#[derive(Debug)]
pub(crate) struct Grpc {
    home: PathBuf,
    log: [PathBuf; gatehouse_core::settings::LOG_FILES_MAX],
    began: Instant,
    clock: Clock,
    history: Arc<History>,
}

impl Grpc {
    pub(crate) fn new(home: &Home, clock: Clock, history: Arc<History>) -> Self {
        Self {
            home: home.path.clone(),
            log: home.log_files(),
            began: Instant::now(),
            clock,
            history,
        }
    }
}

#[tonic::async_trait]
impl SystemService for Grpc {
    async fn get_system_info(
        &self,
        _: Request<GetSystemInfoRequest>,
    ) -> Result<Response<GetSystemInfoResponse>, Status> {
        let home = self.home.clone();
        let uptime = self.began.elapsed();
        let info = blocking(move || machine::info(&home, uptime)).await?;
        Ok(Response::new(info))
    }

    async fn get_update_status(
        &self,
        _: Request<GetUpdateStatusRequest>,
    ) -> Result<Response<GetUpdateStatusResponse>, Status> {
        let channel = "stable".to_owned();
        Ok(Response::new(GetUpdateStatusResponse {
            sentinel: None,
            update_available: None,
            effective_channel: channel.clone(),
            schedule: Some(UpdateSchedule {
                channel,
                auto_enabled: false,
            }),
        }))
    }

    async fn tail_logs(
        &self,
        request: Request<TailLogsRequest>,
    ) -> Result<Response<TailLogsResponse>, Status> {
        if let Asker::User(user) = Asker::of(&request) {
            let words = format!(
                "the log names everybody's conversations: it is read by the gateway's owner and administrators, and {user} is neither"
            );
            let refusal = Failure::new(Kind::Forbidden, words).reason("LOG_OF_EVERYBODY");
            return Err(refusal.detail("missingScope", "operator.admin").into());
        }
        let TailLogsRequest {
            cursor,
            limit,
            max_bytes,
        } = request.into_inner();
        let whole = |number: Option<i64>, unsaid: i64| usize::try_from(number.unwrap_or(unsaid)).unwrap_or(1);
        let tail = Tail {
            lines_max: whole(limit, LINES),
            bytes_max: whole(max_bytes, BYTES),
            cursor: cursor.map(Cursor::of),
        };
        let files = self.log.clone();
        let read = blocking(move || tail.read(&files)).await?;
        let read = read.map_err(|error| {
            if error.kind() == std::io::ErrorKind::NotFound {
                let words = "this gateway keeps no log in its data folder: where its services run in containers, read it with \
                             `docker compose logs`";
                return Failure::new(Kind::NotFound, words).reason("NO_LOG");
            }
            tracing::warn!(error = %Chain(&error), "the log cannot be read");
            Failure::new(Kind::Unavailable, "the log cannot be read").reason("LOG_UNREADABLE")
        });
        Ok(Response::new(read?))
    }

    async fn get_stability(
        &self,
        request: Request<GetStabilityRequest>,
    ) -> Result<Response<GetStabilityResponse>, Status> {
        let GetStabilityRequest {
            limit,
            r#type,
            since_seq,
        } = request.into_inner();
        let now = jiff::Timestamp::from_millisecond(self.clock.now_ms()).unwrap_or_default();
        let limit = usize::try_from(limit.unwrap_or(CHANGES)).unwrap_or(1);
        let answer = self.history.answer(r#type.as_deref(), since_seq, limit);
        Ok(Response::new(GetStabilityResponse {
            generated_at: now.to_string(),
            ..answer
        }))
    }
}

/// Files are read beside the threads that serve.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Status> {
    let done = task::spawn_blocking(work).await;
    done.map_err(|error| Failure::internal(&error).into())
}
