//! The databases of a gateway that runs, at one moment, and the files that they name.

use std::{io::Write, time::Duration};

use gatehouse_core::{
    Identity, Service, ServiceSettings, client::PeerService, credential::Credential,
    server::MESSAGE_BYTES_MAX,
};
use gatehouse_proto::backup::v1::{
    FileKind, HoldRequest, ReadFilesRequest, ReadFilesResponse, ReleaseRequest, SnapshotRequest,
    SnapshotResponse, backup_service_client::BackupServiceClient,
};
use tokio::time::timeout;
use tonic::{Code, Status, Streaming};

use super::{
    archive::{self, Archive},
    media::Taken,
    unwritable,
};
use crate::exit::{Exit, Failed};

/// How long the bridge holds up replies at most. Both snapshots are pinned in milliseconds; a busy machine takes longer.
const HOLD: Duration = Duration::from_secs(8);

/// How long one step may take. A gateway that does not run is told within this time.
const STEP: Duration = Duration::from_secs(6);

/// How long the next piece of a copy may take. The first comes when the whole database is copied.
const PIECE: Duration = Duration::from_secs(600);

/// What was found.
pub(super) enum Found {
    /// Both databases are in the file.
    Copied,
    /// No service answers.
    NobodyThere,
}

type Client = BackupServiceClient<PeerService>;

/// Copies the databases into the file, and the files beside them.
pub(super) async fn copy<W: Write>(
    settings: &ServiceSettings,
    archive: &mut Archive<W>,
    taken: &mut Taken,
) -> Result<Found, Failed> {
    // Without a credential nothing has ever run here, or somewhere else.
    let Ok(operator) = Credential::load(&settings.home, Identity::Operator) else {
        return Ok(Found::NobodyThere);
    };
    let client = |service| {
        let peer = operator.peer(service, settings.peers.address(service));
        Client::new(peer.service()).max_decoding_message_size(MESSAGE_BYTES_MAX)
    };
    let (mut bridge, session) = (client(Service::ChannelBridge), client(Service::Session));
    let hold_id = uuid::Uuid::new_v4().to_string();
    let hold = HoldRequest {
        hold_id: hold_id.clone(),
        hold_ms: i64::try_from(HOLD.as_millis()).unwrap_or(i64::MAX),
    };
    match step(bridge.hold(hold)).await {
        Ok(_) => {}
        Err(status) if status.code() == Code::Unavailable => return Ok(Found::NobodyThere),
        Err(status) => return Err(refused("channel-bridge", &status)),
    }
    let pinned = async {
        let bridge = pin(bridge.clone(), "channel-bridge").await?;
        Ok((bridge, pin(session.clone(), "session").await?))
    };
    let pinned = pinned.await;
    // Whatever became of the pins: nobody is held up for longer.
    let released = step(bridge.release(ReleaseRequest { hold_id })).await;
    let (bridge, snapshot) = pinned?;
    if !released.is_ok_and(|answer| answer.get_ref().held) {
        return Err(Failed::new(
            Exit::Failed,
            "the two databases could not be pinned at one moment in time",
        )
        .next("the machine is busy: try again"));
    }
    // Before the snapshot ends, which keeps what it names until then.
    let mut files = Vec::new();
    for kind in taken.kinds() {
        files.push((kind, keep(session.clone(), kind).await?));
    }
    stream(archive, archive::BRIDGE, bridge).await?;
    stream(archive, archive::SESSION, snapshot).await?;
    for (kind, files) in files {
        read(archive, taken, kind, files).await?;
    }
    // Nothing passes between this one and the others: its moment is its own.
    let devices = pin(client(Service::Config), "config").await?;
    stream(archive, archive::DEVICES, devices).await?;
    Ok(Found::Copied)
}

async fn step<T>(call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    timeout(STEP, call)
        .await
        .unwrap_or_else(|_| Err(Status::deadline_exceeded("it does not answer")))
}

fn refused(service: &str, status: &Status) -> Failed {
    let exit = match status.code() {
        Code::Unavailable | Code::DeadlineExceeded => Exit::Unavailable,
        Code::Unauthenticated | Code::PermissionDenied => Exit::Refused,
        _ => Exit::Failed,
    };
    Failed::new(exit, format!("{service}: {}", status.message()))
        .next("`gatehouse status` shows how it is; a gateway that is stopped can be backed up as well")
}

/// Begins a copy, and waits until its moment is pinned.
async fn pin(mut client: Client, service: &str) -> Result<Streaming<SnapshotResponse>, Failed> {
    let pinned = async {
        let mut stream = client.snapshot(SnapshotRequest {}).await?.into_inner();
        match stream.message().await? {
            Some(first) if first.pinned => Ok(stream),
            _ => Err(Status::internal("the snapshot did not begin")),
        }
    };
    step(pinned).await.map_err(|status| refused(service, &status))
}

async fn stream<W: Write>(
    archive: &mut Archive<W>,
    name: &str,
    mut stream: Streaming<SnapshotResponse>,
) -> Result<(), Failed> {
    let mut next = async || {
        let piece = timeout(PIECE, stream.message())
            .await
            .unwrap_or_else(|_| Err(Status::deadline_exceeded("the copy does not come")));
        piece.map_err(|status| refused(name, &status))
    };
    let total = next().await?.and_then(|second| second.total_bytes);
    let total = total.and_then(|bytes| u64::try_from(bytes).ok());
    let total = total.ok_or_else(|| Failed::new(Exit::Failed, format!("{name}: no copy came")))?;
    let mut part = archive.part(name, total).map_err(unwritable)?;
    while let Some(piece) = next().await? {
        part.write(&piece.data).map_err(unwritable)?;
    }
    part.end().map_err(unwritable)
}

/// Begins to read files, and waits until none of them is taken away any more.
async fn keep(mut client: Client, kind: FileKind) -> Result<Streaming<ReadFilesResponse>, Failed> {
    let kept = async {
        let request = ReadFilesRequest { kind: kind.into() };
        let mut stream = client.read_files(request).await?.into_inner();
        match stream.message().await? {
            Some(first) if first.kept => Ok(stream),
            _ => Err(Status::internal("the files did not begin")),
        }
    };
    step(kept).await.map_err(|status| refused("session", &status))
}

async fn read<W: Write>(
    archive: &mut Archive<W>,
    taken: &mut Taken,
    kind: FileKind,
    mut stream: Streaming<ReadFilesResponse>,
) -> Result<(), Failed> {
    let mut next = async || {
        let piece = timeout(PIECE, stream.message())
            .await
            .unwrap_or_else(|_| Err(Status::deadline_exceeded("the files do not come")));
        let piece = piece.map_err(|status| refused("session", &status))?;
        piece.ok_or_else(|| Failed::new(Exit::Failed, "session: it ended before all files were read"))
    };
    loop {
        let head = next().await?;
        if head.done {
            return Ok(());
        }
        let bytes = head.total_bytes.and_then(|bytes| u64::try_from(bytes).ok());
        let (Some(name), Some(bytes)) = (head.name, bytes) else {
            return Err(Failed::new(
                Exit::Failed,
                "session: a file has no name or no length",
            ));
        };
        let name = taken.admit(kind, &name, bytes)?;
        let mut part = archive.part(&name, bytes).map_err(unwritable)?;
        let mut left = bytes;
        while left > 0 {
            let piece = next().await?;
            left = left.saturating_sub(piece.data.len() as u64);
            part.write(&piece.data).map_err(unwritable)?;
        }
        part.end().map_err(unwritable)?;
    }
}
