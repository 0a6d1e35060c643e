//! `gatehouse node run`: this machine as a node, without a service and without Node.js.
//!
//! It does nothing that is not named on its command line: no program but those of `--allow`, with the arguments that are given and
//! never by a shell; no file but those below `--files`; and it looks at the gateway's word only after an operator agreed there.
//! What it was asked for ends with the connection: the gateway takes it for lost then, and says so.

mod files;
mod key;
mod link;
mod programs;
mod refused;
mod stats;
mod work;

use std::{path::PathBuf, sync::Arc, time::Duration};

use gatehouse_core::{Secret, backoff::Backoff};
use tokio::signal::unix::{SignalKind, signal};

use self::{
    files::Folder,
    key::Identity,
    link::{Ended, Link, Me},
    programs::Programs,
    work::Work,
};
use crate::{
    args::{
        Common,
        nodes::{Node, NodeRun, NodeVerb},
    },
    exit::{Exit, Failed},
    gateway::Gateway,
    output,
};

/// The first wait before a connection is tried again, and the longest: the reference client's figures.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

pub(crate) async fn run(common: &Common, node: &Node) -> Result<(), Failed> {
    let folder = common.home.join("node");
    match &node.verb {
        NodeVerb::Id => output::line(&Identity::open(&folder)?.id),
        NodeVerb::Run(run) => {
            let ends = ended()?;
            tokio::select! {
                done = serve(common, run, folder) => done,
                () = ends => Ok(()),
            }
        }
    }
}

/// Waits for a signal.
fn ended() -> Result<impl Future<Output = ()>, Failed> {
    let watch = |kind| {
        signal(kind).map_err(|error| Failed::new(Exit::Failed, format!("cannot watch signals: {error}")))
    };
    let (mut interrupt, mut terminate) = (watch(SignalKind::interrupt())?, watch(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! { _ = interrupt.recv() => {} _ = terminate.recv() => {} }
    })
}

/// Connects again and again.
async fn serve(common: &Common, run: &NodeRun, folder: PathBuf) -> Result<(), Failed> {
    let identity = Identity::open(&folder)?;
    let files = run.files.as_deref().map(Folder::open).transpose()?;
    let programs = Programs::allow(&run.allow, run.notify.as_deref())?;
    let work = Arc::new(Work::new(programs, files));
    let me = Me {
        name: run.name.clone().unwrap_or_else(machine),
        identity,
        commands: work.commands(),
        caps: work.caps(),
    };
    output::remark(&format!("node {} ({})", me.name, me.identity.id));
    let mut backoff = Backoff::new(AGAIN.0, AGAIN.1);
    let mut told = String::new();
    loop {
        // Found again each time: a gateway that was started anew may have another port and another token.
        let ended = match Gateway::find(common) {
            Ok(gateway) => once(&gateway, &me, &work, &mut backoff).await,
            // The command line will not mend itself.
            Err(failed) if failed.exit == Exit::Usage => return Err(failed),
            Err(failed) => failed.into(),
        };
        let why = match ended {
            Ended::Away(why) => why,
            Ended::Refused { why, next } => match next {
                Some(next) => format!("{why}; {next}"),
                None => why,
            },
        };
        if why != told {
            output::remark(&gatehouse_core::telemetry::escape(&why));
            told = why;
        }
        tokio::time::sleep(backoff.next()).await;
    }
}

/// One connection, from its beginning to its end.
async fn once(gateway: &Gateway, me: &Me, work: &Arc<Work>, backoff: &mut Backoff) -> Ended {
    let kept = me.identity.token();
    let shared = gateway.token.clone();
    let tried = Link::connect(gateway, me, kept.as_ref().or(shared.as_ref())).await;
    let link = match (tried, &kept) {
        (Err(Ended::Refused { .. }), Some(_)) => {
            // A token that was taken away is of no use any more; the gateway's own may still pair this machine.
            me.identity.forget_token();
            Link::connect(gateway, me, shared.as_ref()).await
        }
        (tried, _) => tried,
    };
    let mut link = match link {
        Ok(link) => link,
        Err(ended) => return ended,
    };
    if let Some(token) = link.issued.take() {
        me.identity.keep_token(&Secret::new(token));
    }
    backoff.reset();
    output::remark(&format!("connected to {}", gateway.url));
    link.serve(work).await
}

/// The name of this machine.
fn machine() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}
