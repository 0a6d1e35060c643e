//! `cron.runs`: parse, ask, answer.

use gatehouse_proto::session::v1::{ListCronRunsRequest, ListCronRunsResponse};

use super::super::{DeliveryStatus, JobId, RunFilter, Status, view};
use super::{Grpc, PAGE, field, is_descending};
use crate::error::Error;
use crate::key::AgentId;
use crate::viewer::Viewer;

impl Grpc {
    pub(super) async fn runs(
        &self,
        viewer: &Viewer,
        request: ListCronRunsRequest,
    ) -> Result<ListCronRunsResponse, Error> {
        let ListCronRunsRequest {
            limit,
            offset,
            agent_id,
            scope,
            id,
            job_id,
            run_id,
            statuses,
            status,
            delivery_statuses,
            delivery_status,
            sort_dir,
        } = request;
        let job = id.or(job_id).map(JobId::new);
        match scope.as_deref() {
            Some("job") if job.is_none() => return Err(field("/id", "is needed: it names the job")),
            None | Some("job" | "all") => {}
            Some(_) => return Err(field("/scope", "is not job or all")),
        }
        let words =
            |many: Vec<String>, one: Option<String>| many.into_iter().chain(one).filter(|word| word != "all");
        let statuses = words(statuses, status)
            .map(|word| Status::parse(&word).ok_or_else(|| field("/status", "is not ok, error or skipped")))
            .collect::<Result<_, _>>()?;
        let delivered = words(delivery_statuses, delivery_status)
            .filter(|word| word != "unknown") // it is known of all
            .map(|word| {
                DeliveryStatus::parse(&word).ok_or_else(|| {
                    field(
                        "/deliveryStatus",
                        "is not delivered, not-delivered, not-requested or unknown",
                    )
                })
            })
            .collect::<Result<_, _>>()?;
        let filter = RunFilter {
            job,
            agent: agent_id
                .as_deref()
                .map(AgentId::normalise)
                .transpose()?
                .map(|id| id.to_string()),
            run: run_id,
            statuses,
            delivered,
            oldest_first: is_descending(sort_dir.as_deref())? == Some(false),
            limit: limit.unwrap_or(PAGE),
            offset: offset.unwrap_or(0),
        };
        let (offset, limit) = (filter.offset, filter.limit);
        let asked = filter.job.clone();
        let (rows, total) = self.0.store().runs(filter).await?;
        let rows = self.seen_runs(viewer, rows).await?;
        if let Some(id) = asked.filter(|_| rows.is_empty()) {
            // Runs outlive their job, so a list that holds some needs no job.
            let (job, policy) = (self.find(&id).await?, self.0.engine().policy()?);
            if !self.sees(viewer, &job, &policy).await? {
                return Err(Error::NoJob(id.to_string()));
            }
        }
        let end = offset.saturating_add(limit).min(total);
        Ok(ListCronRunsResponse {
            entries: rows.into_iter().map(view::run).collect(),
            total,
            offset,
            limit,
            has_more: end < total,
            next_offset: (end < total).then_some(end),
        })
    }
}
