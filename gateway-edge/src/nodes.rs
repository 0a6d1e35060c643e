//! What the edge does for connections of nodes: each has one stream of the session service for as long as it lasts, and what comes
//! down it is sent to that connection alone.
//!
//! The stream is how both sides know that the node is there. When the connection is over, the stream is dropped and session knows
//! at once; when the stream ends, the connection is closed, so that the node comes again and says anew what it offers.

use std::{sync::Arc, time::Duration};

use gatehouse_contract::Role;
use gatehouse_core::{Service, backoff::Backoff, server::MESSAGE_BYTES_MAX};
use gatehouse_proto::node::v1::{
    AttachNodeRequest, AttachNodeResponse, node_service_client::NodeServiceClient,
};
use tokio::task::spawn_blocking;
use tonic::{Code, Status, Streaming};

use crate::{
    backend::large, close::Close, connection::Connection, dialect::node::Surface, edge::Edge,
    profile::Profile,
};

const RETRY_FIRST: Duration = Duration::from_millis(20);
/// A restarting service is back within a second.
const RETRY_MAX: Duration = Duration::from_secs(1);

/// Attaches a connection, if it is a node's.
pub(crate) fn attach(edge: &Arc<Edge>, connection: &Arc<Connection>) {
    let Some(request) = connection
        .profile
        .get()
        .and_then(|profile| request(connection, profile))
    else {
        return;
    };
    let (edge, connection) = (Arc::clone(edge), Arc::clone(connection));
    // Not among the requests that the end waits for: it lasts as long as the connection.
    tokio::spawn(async move {
        tokio::select! {
            () = follow(&edge, &connection, request) => {}
            () = connection.gone.cancelled() => {}
        }
    });
}

fn request(connection: &Connection, profile: &Profile) -> Option<AttachNodeRequest> {
    let device = profile.device_id()?;
    if profile.grants.role() != Role::Node {
        return None;
    }
    let (client, surface) = (&profile.client, profile.surface.as_deref());
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let of_surface = |text: fn(&Surface) -> Option<&str>| owned(surface.and_then(text));
    Some(AttachNodeRequest {
        node_id: device.to_owned(),
        connection_id: connection.id.to_string(),
        display_name: owned(client.display_name.as_deref()),
        platform: owned(client.platform.as_deref()),
        version: owned(client.version.as_deref()),
        core_version: of_surface(|surface| surface.core_version.as_deref()),
        ui_version: of_surface(|surface| surface.ui_version.as_deref()),
        client_id: Some(client.id.to_string()),
        client_mode: owned(client.mode.as_deref()),
        device_family: owned(client.device_family.as_deref()),
        model_identifier: of_surface(|surface| surface.model_identifier.as_deref()),
        remote_ip: Some(connection.arrival.ip.to_string()),
        caps: surface.map(|surface| surface.caps.clone()).unwrap_or_default(),
        commands: surface
            .map(|surface| surface.commands.clone())
            .unwrap_or_default(),
        permissions: of_surface(|surface| surface.permissions.as_deref()),
        path_env: of_surface(|surface| surface.path_env.as_deref()),
    })
}

/// Attaches, and sends what comes, until either side has had enough.
async fn follow(edge: &Arc<Edge>, connection: &Arc<Connection>, request: AttachNodeRequest) {
    let peer = edge.backend.peer(Service::Session);
    let mut client = NodeServiceClient::new(peer.service()).max_decoding_message_size(MESSAGE_BYTES_MAX);
    let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MAX);
    let close = loop {
        let refused = match client.attach_node(request.clone()).await {
            Ok(stream) => match pump(edge, connection, stream.into_inner()).await {
                Pumped::Ended(close) => break close,
                Pumped::NeverBegan(status) => status,
            },
            Err(status) => status,
        };
        if !is_passing(&refused) {
            tracing::warn!(connection.id = &*connection.id, error = %refused, "a node was not attached");
            break Close::with_reason(1008, refused.message());
        }
        tokio::time::sleep(backoff.next()).await;
    };
    connection.close(&close);
}

/// Whether the session service is away for a moment, or still an older one that is about to be replaced, rather than having refused.
fn is_passing(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable
            | Code::Unknown
            | Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Internal
            | Code::Unimplemented
    )
}

enum Pumped {
    /// What the connection is closed with.
    Ended(Close),
    /// Nothing came at all.
    NeverBegan(Status),
}

async fn pump(
    edge: &Arc<Edge>,
    connection: &Connection,
    mut stream: Streaming<AttachNodeResponse>,
) -> Pumped {
    let mut begun = false;
    let mut joined = Vec::new();
    loop {
        match stream.message().await {
            Ok(Some(AttachNodeResponse { r#type, payload })) => {
                begun = true;
                if r#type.is_empty() {
                    continue;
                }
                let event = if payload.len() <= large::SMALL_MAX {
                    edge.hub.directed(r#type, payload)
                } else {
                    // Beside the runtime, like large requests: it takes tens of milliseconds.
                    let edge = Arc::clone(edge);
                    let rendering = spawn_blocking(move || edge.hub.directed(r#type, payload));
                    rendering.await.unwrap_or(None)
                };
                connection.deliver(event.as_slice(), &mut joined);
            }
            Ok(None) if begun => return Pumped::Ended(Close::RESTART),
            Ok(None) => return Pumped::NeverBegan(Status::unavailable("the stream ended")),
            Err(status) if !begun => return Pumped::NeverBegan(status),
            Err(status) if status.code() == Code::Aborted => {
                return Pumped::Ended(Close::with_reason(1008, status.message()));
            }
            Err(_) => return Pumped::Ended(Close::RESTART),
        }
    }
}
