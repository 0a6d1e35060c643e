//! The answer of a plugin: its head in time, its body piece by piece as fast as the client reads.

use std::{sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures::stream;
use gatehouse_contract::PluginId;
use gatehouse_core::{Kind, client::Peer};
use gatehouse_proto::plugin::v1::{
    HttpHead, ServeHttpRequest, ServeHttpResponse, http_service_client::HttpServiceClient,
};
use http::StatusCode;
use tokio::time::timeout;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tonic::{Code, Status, Streaming};

use super::{Places, away, headers};
use crate::{
    budget::Lease,
    error::Refusal,
    http::{
        bearer::Known,
        context::Http,
        intake::{counted_bytes, revoked},
        respond::{refusal, refuse},
        socket::{Settled, Socket},
    },
};

/// How long a plugin may take to begin.
const HEAD_PATIENCE: Duration = Duration::from_secs(30);

/// How long between two pieces. A plugin that has nothing to say for longer sends an empty comment, as event streams do.
const PIECE_PATIENCE: Duration = Duration::from_secs(60);

/// Largest message of an answer: a piece of 256 KiB, or a head.
const MESSAGE_BYTES_MAX: usize = 320 * 1024;

/// What a request holds until its answer is read.
pub(super) struct Holding {
    socket: Arc<Socket>,
    known: Option<Arc<Known>>,
    lease: Lease,
    _settled: Settled,
    _places: Places,
    /// The drain waits for it, for its short grace.
    _tracked: TaskTrackerToken,
}

impl Holding {
    pub(super) fn new(
        socket: &Arc<Socket>,
        settled: Settled,
        known: &Option<Arc<Known>>,
        lease: Lease,
        places: Places,
        http: &Http,
    ) -> Self {
        Self {
            socket: Arc::clone(socket),
            known: known.clone(),
            lease,
            _settled: settled,
            _places: places,
            _tracked: http.edge.requests.token(),
        }
    }
}

/// Asks a plugin, and answers with what it says.
pub(super) async fn ask(
    http: Arc<Http>,
    plugin: PluginId,
    peer: &Peer,
    request: ServeHttpRequest,
    mut holding: Holding,
) -> Response {
    let mut client = HttpServiceClient::new(peer.service()).max_decoding_message_size(MESSAGE_BYTES_MAX);
    let asking = async {
        let mut pieces = client.serve_http(request).await?.into_inner();
        Ok::<_, Status>((pieces.message().await?, pieces))
    };
    let begun = timeout(HEAD_PATIENCE, asking).await;
    // The plugin has the body.
    holding.lease.shrink_to(0);
    let (first, pieces) = match begun {
        Ok(Ok(begun)) => begun,
        Ok(Err(status)) => return failed(&http, &plugin, &status),
        Err(_) => {
            let fault = format!("did not answer by HTTP within {} s", HEAD_PATIENCE.as_secs());
            http.edge.plugins.failed(&plugin, &fault);
            let told = Refusal::new(Kind::Timeout, format!("{plugin} took too long"));
            return refusal(&told.detail("code", "PLUGIN_SLOW"));
        }
    };
    let Some((mut response, data)) = first.and_then(begin) else {
        return nonsense(&http, &plugin, "answered by HTTP without a head");
    };
    http.edge.plugins.answered(&plugin);
    let rest = Rest {
        http,
        plugin,
        next: Some(data).filter(|data| !data.is_empty()),
        pieces,
        holding,
    };
    *response.body_mut() = rest.body();
    response
}

/// The answer's head, and the first of its body. `None`: there is no head that can be one.
fn begin(ServeHttpResponse { head, data }: ServeHttpResponse) -> Option<(Response, Bytes)> {
    let HttpHead { status, headers } = head?;
    let status = u16::try_from(status).ok().filter(|status| *status >= 200)?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::from_u16(status).ok()?;
    headers::to_client(headers, response.headers_mut());
    Some((response, data))
}

fn failed(http: &Http, plugin: &PluginId, status: &Status) -> Response {
    let is_lost = std::error::Error::source(status).is_some();
    match status.code() {
        Code::Unimplemented => {
            let fault = "its entry has `http`, and it does not offer gatehouse.plugin.v1.HttpService";
            nonsense(http, plugin, fault)
        }
        Code::Unavailable | Code::Unknown | Code::Cancelled if is_lost => refusal(&away(plugin)),
        code => nonsense(
            http,
            plugin,
            &format!("failed by HTTP ({code:?}): {}", status.message()),
        ),
    }
}

/// What is wrong is said to whoever looks after the plugin, not to whoever asked.
fn nonsense(http: &Http, plugin: &PluginId, fault: &str) -> Response {
    http.edge.plugins.failed(plugin, fault);
    let told = Refusal::new(Kind::Internal, format!("{plugin} failed")).detail("code", "PLUGIN_FAILED");
    refuse(StatusCode::BAD_GATEWAY, &told)
}

/// The body that is still to come.
struct Rest {
    http: Arc<Http>,
    plugin: PluginId,
    /// What has come already.
    next: Option<Bytes>,
    pieces: Streaming<ServeHttpResponse>,
    holding: Holding,
}

/// Why a body ends before its end. The client sees it cut.
#[derive(Debug, thiserror::Error)]
#[error("the plugin's answer was cut")]
struct Cut;

impl Rest {
    /// It is asked for as fast as the client reads; dropping it ends the call.
    fn body(self) -> Body {
        Body::from_stream(stream::unfold(Some(self), |rest| async move {
            let mut rest = rest?;
            let piece = rest.piece().await.transpose()?;
            let counted = piece
                .and_then(|data| counted_bytes(&rest.http.edge, &rest.holding.socket, data).map_err(|_| Cut));
            Some(match counted {
                Ok(data) => (Ok(data), Some(rest)),
                Err(cut) => (Err(cut), None),
            })
        }))
    }

    async fn piece(&mut self) -> Result<Option<Bytes>, Cut> {
        if let Some(data) = self.next.take() {
            return Ok(Some(data));
        }
        let edge = &self.http.edge;
        let no_more = async {
            match &self.holding.known {
                Some(known) => revoked(edge, known).await,
                None => std::future::pending().await,
            }
        };
        let next = tokio::select! {
            next = timeout(PIECE_PATIENCE, self.pieces.message()) => next,
            () = no_more => return Err(Cut),
            () = edge.drain.requested() => return Err(Cut),
        };
        match next {
            Ok(Ok(piece)) => Ok(piece.map(|piece| piece.data)),
            Ok(Err(status)) => {
                let fault = format!("ended an answer by HTTP in its middle ({:?})", status.code());
                edge.plugins.failed(&self.plugin, &fault);
                Err(Cut)
            }
            Err(_) => {
                let fault = format!(
                    "said nothing in an answer by HTTP for {} s",
                    PIECE_PATIENCE.as_secs()
                );
                edge.plugins.failed(&self.plugin, &fault);
                Err(Cut)
            }
        }
    }
}
