//! `usage.status`, `usage.cost`, `sessions.usage` and what one session cost.

use gatehouse_proto::session::v1::usage_service_server::UsageService;
use gatehouse_proto::session::v1::*;
use tonic::{Request, Response, Status};

use super::days::{Asked, Days};
use super::one;
use super::sums::Sheet;
use super::{SessionCells, UsageQuery};
use crate::error::Error;
use crate::key::AgentId;
use crate::sessions::SessionRef;
use crate::transcripts::HistoryQuery;
use crate::turns::Engine;
use crate::viewer::Viewer;

/// Days of an answer unless the caller says otherwise.
const DAYS: i64 = 30;

/// Sessions of an answer unless the caller says otherwise: as many as OpenClaw lists.
const SESSIONS: i64 = 50;

/// Rows of a session's log unless the caller says otherwise: the contract's figure.
const LOGS: i64 = 200;

/// Bytes of the rows that a log is made of: each is cut to some thousand.
const LOG_BYTES: usize = 8 * 1024 * 1024;

#[derive(Debug)]
pub(crate) struct Grpc {
    engine: Engine,
}

impl Grpc {
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine }
    }

    async fn count(
        &self,
        viewer: &Viewer,
        days: &Days,
        agent: Option<String>,
        scope: Option<&str>,
        key: Option<String>,
    ) -> Result<Vec<SessionCells>, Error> {
        let all = match scope {
            None => false,
            Some("all") => true,
            Some(_) => {
                return Err(Error::Field {
                    path: "/agentScope",
                    problem: "can only be `all`; name one agent with agentId",
                });
            }
        };
        let key = match key {
            Some(key) => Some(
                SessionRef::new(key, agent.clone())
                    .resolve(&self.engine, viewer)
                    .await?,
            ),
            None => None,
        };
        let agent = agent.filter(|_| !all);
        let query = UsageQuery {
            starts: days.starts.clone(),
            agent: agent.as_deref().map(AgentId::normalise).transpose()?,
            key,
            viewer: viewer.clone(),
        };
        self.engine.stores().usage.usage(query).await
    }

    async fn cost(
        &self,
        viewer: &Viewer,
        request: GetUsageCostRequest,
    ) -> Result<GetUsageCostResponse, Error> {
        let GetUsageCostRequest {
            days,
            start_date,
            end_date,
            mode,
            time_zone,
            utc_offset,
            agent_id,
            agent_scope,
        } = request;
        let now = self.engine.now();
        let asked = Asked {
            days,
            start: start_date,
            end: end_date,
            mode,
            zone: time_zone,
            offset: utc_offset,
            range: None,
        };
        let days = Days::read(&asked, now, DAYS)?;
        let sessions = self
            .count(viewer, &days, agent_id, agent_scope.as_deref(), None)
            .await?;
        let policy = self.engine.policy()?;
        let sheet = Sheet {
            sessions: &sessions,
            days: &days,
            prices: &policy.prices,
        };
        Ok(GetUsageCostResponse {
            updated_at: now.as_ms(),
            days: i64::try_from(days.names.len()).unwrap_or(i64::MAX),
            daily: sheet.daily(),
            totals: Some(sheet.totals()),
        })
    }

    async fn sessions(
        &self,
        viewer: &Viewer,
        request: GetSessionsUsageRequest,
    ) -> Result<GetSessionsUsageResponse, Error> {
        let GetSessionsUsageRequest {
            key,
            agent_id,
            agent_scope,
            start_date,
            end_date,
            mode,
            range,
            time_zone,
            utc_offset,
            limit,
            group_by: _,               // each session has one instance
            include_context_weight: _, // it is not known
            include_historical: _,     // it always is
        } = request;
        let now = self.engine.now();
        let asked = Asked {
            days: None,
            start: start_date,
            end: end_date,
            mode,
            zone: time_zone,
            offset: utc_offset,
            range,
        };
        let days = Days::read(&asked, now, DAYS)?;
        let counted = self
            .count(viewer, &days, agent_id, agent_scope.as_deref(), key)
            .await?;
        let policy = self.engine.policy()?;
        let sheet = Sheet {
            sessions: &counted,
            days: &days,
            prices: &policy.prices,
        };
        let limit = usize::try_from(limit.unwrap_or(SESSIONS)).unwrap_or(usize::MAX);
        let (start_date, end_date) = days.bounds();
        Ok(GetSessionsUsageResponse {
            updated_at: now.as_ms(),
            start_date,
            end_date,
            sessions: counted
                .iter()
                .take(limit)
                .map(|session| sheet.session(session))
                .collect(),
            totals: Some(sheet.totals()),
            aggregates: Some(sheet.aggregates()),
        })
    }

    async fn series(
        &self,
        viewer: &Viewer,
        request: GetSessionUsageSeriesRequest,
    ) -> Result<GetSessionUsageSeriesResponse, Error> {
        let GetSessionUsageSeriesRequest { key, agent_id } = request;
        let policy = self.engine.policy()?;
        let key = SessionRef::new(key, agent_id)
            .resolve(&self.engine, viewer)
            .await?;
        let Some((session, answers)) = self.engine.stores().usage.answers(&key).await? else {
            return Err(Error::NoSession(key));
        };
        Ok(GetSessionUsageSeriesResponse {
            session_id: session.to_string(),
            points: one::series(&answers, &policy.prices),
        })
    }

    async fn logs(
        &self,
        viewer: &Viewer,
        request: GetSessionUsageLogsRequest,
    ) -> Result<GetSessionUsageLogsResponse, Error> {
        let GetSessionUsageLogsRequest { key, agent_id, limit } = request;
        let policy = self.engine.policy()?;
        let key = SessionRef::new(key, agent_id)
            .resolve(&self.engine, viewer)
            .await?;
        let query = HistoryQuery {
            limit: u32::try_from(limit.unwrap_or(LOGS)).unwrap_or(1),
            offset: 0,
            after: None,
            bytes_max: LOG_BYTES,
        };
        let page = self.engine.stores().transcripts.history(&key, query).await?;
        if page.session.is_none() {
            return Err(Error::NoSession(key));
        }
        let rows = page.entries.iter();
        Ok(GetSessionUsageLogsResponse {
            logs: rows.filter_map(|entry| one::log(entry, &policy.prices)).collect(),
        })
    }
}

#[tonic::async_trait]
impl UsageService for Grpc {
    async fn get_usage_status(
        &self,
        _: Request<GetUsageStatusRequest>,
    ) -> Result<Response<GetUsageStatusResponse>, Status> {
        Ok(Response::new(GetUsageStatusResponse {
            updated_at: self.engine.now().as_ms(),
            providers: Vec::new(),
        }))
    }

    async fn get_usage_cost(
        &self,
        request: Request<GetUsageCostRequest>,
    ) -> Result<Response<GetUsageCostResponse>, Status> {
        Ok(Response::new(
            self.cost(&Viewer::of(&request), request.into_inner()).await?,
        ))
    }

    async fn get_session_usage_series(
        &self,
        request: Request<GetSessionUsageSeriesRequest>,
    ) -> Result<Response<GetSessionUsageSeriesResponse>, Status> {
        Ok(Response::new(
            self.series(&Viewer::of(&request), request.into_inner()).await?,
        ))
    }

    async fn get_session_usage_logs(
        &self,
        request: Request<GetSessionUsageLogsRequest>,
    ) -> Result<Response<GetSessionUsageLogsResponse>, Status> {
        Ok(Response::new(
            self.logs(&Viewer::of(&request), request.into_inner()).await?,
        ))
    }

    async fn get_sessions_usage(
        &self,
        request: Request<GetSessionsUsageRequest>,
    ) -> Result<Response<GetSessionsUsageResponse>, Status> {
        Ok(Response::new(
            self.sessions(&Viewer::of(&request), request.into_inner()).await?,
        ))
    }
}
