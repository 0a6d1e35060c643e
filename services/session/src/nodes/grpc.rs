//! The contract's methods: parse, ask, answer.

use std::pin::Pin;

use futures::Stream;
use gatehouse_core::{Caller, Drain};
use gatehouse_proto::node::v1::node_service_server::NodeService;
use gatehouse_proto::node::v1::*;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::invoke::{Landing, Told, is_admin};
use super::reports::Speaker;
use super::{Asker, Error, InvocationRecord, NodeId, Nodes, Payload, pairing, view};

mod arrival;

/// A list of invocations, when the caller does not say.
const LIMIT_DEFAULT: u32 = 50;
/// A frame that existing clients take is 25 MiB at most; this leaves room for its envelope, and for the escapes of the text.
const BOTH_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The events of one connection of a node.
pub(crate) type AttachStream = Pin<Box<dyn Stream<Item = Result<AttachNodeResponse, Status>> + Send>>;

#[derive(Debug)]
pub(crate) struct Grpc {
    nodes: Nodes,
    drain: Drain,
}

impl Grpc {
    pub(crate) fn new(nodes: Nodes, drain: Drain) -> Self {
        Self { nodes, drain }
    }
}

fn answer<T>(result: Result<T, Error>) -> Result<Response<T>, Status> {
    result.map(Response::new).map_err(Status::from)
}

/// Whoever comes without a client behind it is a process of the gateway, or an operator's tool on this machine.
fn caller<T>(request: &Request<T>) -> Option<Caller> {
    Caller::from_request(request)
}

/// What a caller is told of an invocation.
fn told(node_id: String, command: String, told: Told) -> Result<InvokeNodeResponse, Error> {
    let Told { id, landing } = told;
    let response = InvokeNodeResponse {
        ok: true,
        node_id,
        command,
        payload: None,
        payload_json: None,
        invocation_id: id,
        queued: None,
        expires_at_ms: None,
    };
    match landing {
        Landing::Queued(until) => Ok(InvokeNodeResponse {
            queued: Some(true),
            expires_at_ms: Some(until.as_ms()),
            ..response
        }),
        Landing::PutOff(trouble) => Err(Error::QueuedUntilForeground {
            action: response.invocation_id,
            trouble,
        }),
        Landing::Ended(end, dispatched) => match end.trouble {
            Some(trouble) => Err(Error::Ended {
                trouble,
                state: end.state,
                dispatched,
            }),
            None => {
                let Payload { json, text } = end.payload;
                let both = json.is_none() || text.as_ref().is_some_and(|text| text.len() <= BOTH_BYTES_MAX);
                Ok(InvokeNodeResponse {
                    payload: json,
                    payload_json: text.filter(|_| both),
                    ..response
                })
            }
        },
    }
}

/// What somebody asked of a node is shown to that person, and to who may ask for everything. Of those without a name, the owner's, a device
/// has a trace of its own; programs without one are told apart by their ids.
fn is_asker(caller: Option<&Caller>, record: &InvocationRecord) -> bool {
    let Some(caller) = caller.filter(|_| !is_admin(caller)) else {
        return true;
    };
    let Asker { client, device, user } = &record.asker;
    if user.is_some() || caller.user_id.is_some() {
        return *user == caller.user_id;
    }
    *device == caller.device_id && (device.is_some() || client.as_deref() == Some(caller.client_id.as_str()))
}

#[tonic::async_trait]
impl NodeService for Grpc {
    type AttachNodeStream = AttachStream;

    async fn list_nodes(
        &self,
        request: Request<ListNodesRequest>,
    ) -> Result<Response<ListNodesResponse>, Status> {
        let caller = caller(&request);
        answer(list(&self.nodes, |node| pairing::sees_request(caller.as_ref(), node)).await)
    }

    async fn describe_node(
        &self,
        request: Request<DescribeNodeRequest>,
    ) -> Result<Response<DescribeNodeResponse>, Status> {
        let caller = caller(&request);
        let shows = |node: &NodeId| pairing::sees_request(caller.as_ref(), node);
        let DescribeNodeRequest { node_id } = request.into_inner();
        answer(describe(&self.nodes, &node_id, shows).await)
    }

    async fn rename_node(
        &self,
        request: Request<RenameNodeRequest>,
    ) -> Result<Response<RenameNodeResponse>, Status> {
        let caller = caller(&request);
        let RenameNodeRequest {
            node_id,
            display_name,
        } = request.into_inner();
        let node = NodeId::new(node_id.trim());
        let renamed = self.nodes.rename(&node, &display_name, caller.as_ref()).await;
        answer(renamed.map(|node| RenameNodeResponse {
            node_id: node.id.to_string(),
            display_name: node.name.unwrap_or_default(),
        }))
    }

    async fn invoke_node(
        &self,
        request: Request<InvokeNodeRequest>,
    ) -> Result<Response<InvokeNodeResponse>, Status> {
        let caller = caller(&request);
        let request = request.into_inner();
        let (node, command) = (request.node_id.clone(), request.command.clone());
        let invoked = self.nodes.invoke(request, caller.as_ref()).await;
        answer(invoked.and_then(|done| told(node, command, done)))
    }

    async fn list_invocations(
        &self,
        request: Request<ListInvocationsRequest>,
    ) -> Result<Response<ListInvocationsResponse>, Status> {
        let caller = caller(&request);
        let ListInvocationsRequest { node_id, limit } = request.into_inner();
        let limit = limit
            .and_then(|limit| u32::try_from(limit).ok())
            .unwrap_or(LIMIT_DEFAULT);
        let records = self
            .nodes
            .0
            .store
            .invocations(node_id.map(NodeId::new), limit)
            .await;
        let records = records.map_err(Error::from);
        answer(records.map(|records| {
            ListInvocationsResponse {
                invocations: records
                    .into_iter()
                    .map(|record| {
                        let own = is_asker(caller.as_ref(), &record).then(|| self.nodes.0.media.links());
                        view::invocation(record, own)
                    })
                    .collect(),
            }
        }))
    }

    async fn list_node_pairings(
        &self,
        request: Request<ListNodePairingsRequest>,
    ) -> Result<Response<ListNodePairingsResponse>, Status> {
        let caller = caller(&request);
        answer(pairings(&self.nodes, caller.as_ref()).await)
    }

    async fn approve_node(
        &self,
        request: Request<ApproveNodeRequest>,
    ) -> Result<Response<ApproveNodeResponse>, Status> {
        let caller = caller(&request);
        let ApproveNodeRequest { request_id } = request.into_inner();
        let answered = self.nodes.answer(&request_id, true, caller.as_ref()).await;
        answer(answered.map(|node| ApproveNodeResponse {
            request_id,
            node: view::granted(&node),
        }))
    }

    async fn reject_node(
        &self,
        request: Request<RejectNodeRequest>,
    ) -> Result<Response<RejectNodeResponse>, Status> {
        let caller = caller(&request);
        let RejectNodeRequest { request_id } = request.into_inner();
        let answered = self.nodes.answer(&request_id, false, caller.as_ref()).await;
        answer(answered.map(|node| RejectNodeResponse {
            request_id,
            node_id: node.id.to_string(),
        }))
    }

    async fn remove_node(
        &self,
        request: Request<RemoveNodeRequest>,
    ) -> Result<Response<RemoveNodeResponse>, Status> {
        let caller = caller(&request);
        let RemoveNodeRequest { node_id } = request.into_inner();
        let removed = self
            .nodes
            .remove(&NodeId::new(node_id.trim()), caller.as_ref())
            .await;
        answer(removed.map(|()| RemoveNodeResponse { node_id }))
    }

    async fn report_invoke_result(
        &self,
        request: Request<ReportInvokeResultRequest>,
    ) -> Result<Response<ReportInvokeResultResponse>, Status> {
        let speaker = Speaker::of(caller(&request).as_ref())?;
        let taken = self.nodes.report(&speaker, request.into_inner()).await;
        answer(taken.map(|taken| ReportInvokeResultResponse {
            ok: true,
            ignored: (!taken).then_some(true),
        }))
    }

    async fn report_invoke_progress(
        &self,
        request: Request<ReportInvokeProgressRequest>,
    ) -> Result<Response<ReportInvokeProgressResponse>, Status> {
        let speaker = Speaker::of(caller(&request).as_ref())?;
        let shown = self.nodes.progress(&speaker, request.into_inner());
        answer(shown.map(|shown| ReportInvokeProgressResponse {
            ok: true,
            ignored: !shown,
        }))
    }

    async fn report_node_event(
        &self,
        request: Request<ReportNodeEventRequest>,
    ) -> Result<Response<ReportNodeEventResponse>, Status> {
        let speaker = Speaker::of(caller(&request).as_ref())?;
        answer(self.nodes.event(&speaker, request.into_inner()).await)
    }

    async fn update_runner_inventory(
        &self,
        request: Request<UpdateRunnerInventoryRequest>,
    ) -> Result<Response<UpdateRunnerInventoryResponse>, Status> {
        let speaker = Speaker::of(caller(&request).as_ref())?;
        let noted = self.nodes.inventory(&speaker, request.into_inner()).await;
        answer(noted.map(|()| UpdateRunnerInventoryResponse {
            node_id: speaker.node.to_string(),
        }))
    }

    async fn update_node_skills(
        &self,
        request: Request<UpdateNodeSkillsRequest>,
    ) -> Result<Response<UpdateNodeSkillsResponse>, Status> {
        let speaker = Speaker::of(caller(&request).as_ref())?;
        let UpdateNodeSkillsRequest { skills } = request.into_inner();
        let taken = self.nodes.skills(&speaker, skills).await;
        answer(taken.map(|skills| UpdateNodeSkillsResponse {
            node_id: speaker.node.to_string(),
            skills,
        }))
    }

    async fn update_plugin_tools(
        &self,
        request: Request<UpdatePluginToolsRequest>,
    ) -> Result<Response<UpdatePluginToolsResponse>, Status> {
        let speaker = Speaker::of(caller(&request).as_ref())?;
        let UpdatePluginToolsRequest { tools } = request.into_inner();
        let taken = self.nodes.tools(&speaker, tools).await;
        answer(taken.map(|tools| UpdatePluginToolsResponse {
            node_id: speaker.node.to_string(),
            tools,
        }))
    }

    async fn pull_pending_actions(
        &self,
        request: Request<PullPendingActionsRequest>,
    ) -> Result<Response<PullPendingActionsResponse>, Status> {
        let speaker = Speaker::of(caller(&request).as_ref())?;
        let actions = self.nodes.pull(&speaker.node).await;
        answer(actions.map(|actions| PullPendingActionsResponse {
            node_id: speaker.node.to_string(),
            actions,
        }))
    }

    async fn ack_pending_actions(
        &self,
        request: Request<AckPendingActionsRequest>,
    ) -> Result<Response<AckPendingActionsResponse>, Status> {
        let speaker = Speaker::of(caller(&request).as_ref())?;
        answer(acknowledge(&self.nodes, &speaker, request.into_inner()).await)
    }

    async fn attach_node(
        &self,
        request: Request<AttachNodeRequest>,
    ) -> Result<Response<Self::AttachNodeStream>, Status> {
        let frames = self.nodes.attach(request.into_inner().try_into()?).await?;
        let stream = self.drain.end_stream(ReceiverStream::new(frames));
        Ok(Response::new(Box::pin(stream)))
    }

    async fn forget_node(
        &self,
        request: Request<ForgetNodeRequest>,
    ) -> Result<Response<ForgetNodeResponse>, Status> {
        let ForgetNodeRequest { node_id } = request.into_inner();
        let forgotten = self.nodes.forget(&NodeId::new(node_id)).await;
        answer(forgotten.map(|_| ForgetNodeResponse {}))
    }
}

impl Nodes {
    /// Every node, as anybody may see it.
    pub(crate) async fn known(&self) -> Result<Vec<Node>, Error> {
        Ok(list(self, |_| false).await?.nodes)
    }

    /// The skills of the nodes that are there.
    pub(crate) fn skills_offered(&self) -> Vec<(NodeId, NodeSkill)> {
        self.0.registry.skills()
    }
}

async fn list(nodes: &Nodes, shows_request: impl Fn(&NodeId) -> bool) -> Result<ListNodesResponse, Error> {
    let records = nodes.0.store.nodes().await?;
    let mut list = records
        .iter()
        .map(|record| nodes.view(record, shows_request(&record.id)))
        .collect::<Result<Vec<_>, _>>()?;
    let active = list
        .iter()
        .filter(|node| node.connected)
        .filter_map(|node| Some((node.last_active_at_ms?, node.node_id.clone())))
        .max()
        .map(|(_, node)| node);
    for node in &mut list {
        node.active = (active.as_deref() == Some(node.node_id.as_str())).then_some(true);
    }
    list.sort_by_cached_key(|node| {
        let name = node.display_name.as_deref().unwrap_or(&node.node_id);
        (!node.connected, name.to_lowercase(), node.node_id.clone())
    });
    Ok(ListNodesResponse {
        ts: nodes.now().as_ms(),
        active_node_id: active,
        nodes: list,
    })
}

async fn describe(
    nodes: &Nodes,
    node: &str,
    shows_request: impl Fn(&NodeId) -> bool,
) -> Result<DescribeNodeResponse, Error> {
    let found = list(nodes, shows_request).await?;
    let node = found.nodes.into_iter().find(|known| known.node_id == node.trim());
    let node = node.ok_or(Error::UnknownNode)?;
    Ok(DescribeNodeResponse {
        node: Some(Node {
            ts: Some(found.ts),
            ..node
        }),
    })
}

async fn pairings(nodes: &Nodes, caller: Option<&Caller>) -> Result<ListNodePairingsResponse, Error> {
    // A device that is no administrator sees itself.
    let only = caller
        .filter(|caller| !caller.grants().is_some_and(|grants| grants.has("operator.admin")))
        .and_then(|caller| caller.device_id.clone());
    let records = nodes.0.store.nodes().await?;
    let seen = records
        .iter()
        .filter(|node| only.as_deref().is_none_or(|only| only == node.id.as_str()));
    let mut response = ListNodePairingsResponse::default();
    for node in seen {
        response.pending.extend(view::asking(node));
        response.paired.extend(view::granted(node));
    }
    response
        .pending
        .sort_by_key(|request| std::cmp::Reverse(request.ts));
    Ok(response)
}

async fn acknowledge(
    nodes: &Nodes,
    speaker: &Speaker,
    request: AckPendingActionsRequest,
) -> Result<AckPendingActionsResponse, Error> {
    let acked_ids = nodes.acknowledge(&speaker.node, &request.ids).await?;
    let left = nodes.0.store.waiting(&speaker.node, true, nodes.now()).await?;
    Ok(AckPendingActionsResponse {
        node_id: speaker.node.to_string(),
        acked_ids,
        remaining_count: i32::try_from(left.len()).unwrap_or(i32::MAX),
    })
}
