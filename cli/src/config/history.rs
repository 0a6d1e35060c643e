//! `gatehouse config history | restore`: texts that stood in the file, and one of them back.

use std::time::SystemTime;

use gatehouse_config::offline;
use gatehouse_core::Home;
use serde::Deserialize;
use serde_json::json;

use super::{ANSWER, Changed, offline as file, read, unpack};
use crate::{
    args::Common,
    client::{self, Client},
    exit::{Exit, Failed},
    gateway::within_deadline,
    output,
    service::environment,
    term::{Style, Table, ago},
};

#[derive(Deserialize)]
struct History {
    revisions: Vec<Former>,
}

/// A text that stood in the file.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Former {
    revision: String,
    replaced_at: i64,
    note: Option<String>,
    size_bytes: i64,
}

/// Lists what is kept.
pub(super) async fn list(common: &Common) -> Result<(), Failed> {
    let revisions = match Client::follow(common, &["config.revisions"]).await {
        Ok((_, mut client)) => {
            let answer = client
                .call("config.revisions", &client::params(&json!({})), ANSWER)
                .await?;
            client.close().await;
            if common.json {
                return output::line(answer.get());
            }
            unpack::<History>("config.revisions", &answer)?.revisions
        }
        Err(failed) if file::is_possible(common, &failed)? => of_the_files(common)?,
        Err(failed) => return Err(failed),
    };
    if common.json {
        let revisions: Vec<_> = revisions
            .iter()
            .map(|one| {
                json!({"revision": one.revision, "replacedAt": one.replaced_at, "note": one.note, "sizeBytes": one.size_bytes})
            })
            .collect();
        return output::line(&json!({"revisions": revisions}).to_string());
    }
    if revisions.is_empty() {
        output::remark("nothing was replaced yet");
        return Ok(());
    }
    let mut table = Table::new(&["REVISION", "REPLACED", "BYTES", "BY"]);
    for one in &revisions {
        let since = ago(now_ms().saturating_sub(one.replaced_at));
        table.row(vec![
            (None, one.revision.clone()),
            (None, format!("{since} ago")),
            (None, one.size_bytes.to_string()),
            (None, one.note.clone().unwrap_or_default()),
        ]);
    }
    output::text(&table.render(Style::of(&std::io::stdout(), None)))?;
    output::remark("`gatehouse config restore <REVISION>` brings one back");
    Ok(())
}

/// Brings one back.
pub(super) async fn restore(common: &Common, revision: &str, force: bool) -> Result<(), Failed> {
    let mut client = match Client::follow(common, &["config.get", "config.restore"]).await {
        Ok((_, client)) => client,
        Err(failed) if file::is_possible(common, &failed)? => return file::restore(common, revision, force),
        Err(failed) => return Err(failed),
    };
    let base = read(&mut client).await?.hash;
    let params = json!({"revision": revision, "baseHash": base, "force": force});
    let answer = client
        .call("config.restore", &client::params(&params), ANSWER)
        .await?;
    client.close().await;
    if common.json {
        return output::line(answer.get());
    }
    let changed: Changed = unpack("config.restore", &answer)?;
    changed.print(&base, "the former text");
    Ok(())
}

fn of_the_files(common: &Common) -> Result<Vec<Former>, Failed> {
    let home = Home::read(&environment(common));
    let kept = within_deadline(common, move || offline::history(&home))?;
    let kept =
        kept.map_err(|refusal| Failed::new(Exit::Failed, gatehouse_core::Chain(&refusal).to_string()))?;
    let former = kept.into_iter().map(|one| Former {
        revision: one.revision,
        replaced_at: one.replaced_at_ms,
        note: one.note,
        size_bytes: i64::try_from(one.size_bytes).unwrap_or(i64::MAX),
    });
    Ok(former.collect())
}

fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
