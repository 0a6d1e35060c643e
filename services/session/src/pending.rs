//! `question.list`, `exec.approval.list` and their like: what waits for a person's word. There is nothing yet that asks: agents have
//! no tools that need a permission.

use gatehouse_proto::session::v1::pending_service_server::PendingService;
use gatehouse_proto::session::v1::*;
use tonic::{Request, Response, Status};

#[derive(Debug)]
pub(crate) struct Grpc;

#[tonic::async_trait]
impl PendingService for Grpc {
    async fn list_questions(
        &self,
        _: Request<ListQuestionsRequest>,
    ) -> Result<Response<ListQuestionsResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn list_exec_approvals(
        &self,
        _: Request<ListExecApprovalsRequest>,
    ) -> Result<Response<ListExecApprovalsResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn list_plugin_approvals(
        &self,
        _: Request<ListPluginApprovalsRequest>,
    ) -> Result<Response<ListPluginApprovalsResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn list_gateway_approvals(
        &self,
        _: Request<ListGatewayApprovalsRequest>,
    ) -> Result<Response<ListGatewayApprovalsResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn list_approval_history(
        &self,
        _: Request<ListApprovalHistoryRequest>,
    ) -> Result<Response<ListApprovalHistoryResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn list_exec_grants(
        &self,
        _: Request<ListExecGrantsRequest>,
    ) -> Result<Response<ListExecGrantsResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn list_task_suggestions(
        &self,
        _: Request<ListTaskSuggestionsRequest>,
    ) -> Result<Response<ListTaskSuggestionsResponse>, Status> {
        Ok(Response::new(Default::default()))
    }
}
