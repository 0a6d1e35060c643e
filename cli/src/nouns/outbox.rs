//! `gatehouse channels outbox` and `gatehouse channels drop`: what waits to be said in chats.

use serde::Deserialize;
use serde_json::json;

use super::{Caller, sessions::given};
use crate::{
    args::nouns::{ChannelsDrop, ChannelsOutbox},
    exit::Failed,
    output,
    term::{Ink, Table, ago, now_ms},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    deliveries: Vec<Delivery>,
    total_count: i64,
    total_part_count: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delivery {
    id: String,
    channel: String,
    account_id: String,
    to: String,
    state: String,
    part_count: i64,
    sent_part_count: i64,
    queued_at: i64,
    preview: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dropped {
    dropped_count: i64,
    dropped_part_count: i64,
}

impl Caller {
    pub(super) async fn list_outbox(&mut self, outbox: &ChannelsOutbox) -> Result<(), Failed> {
        let params = given([
            ("channel", json!(outbox.channel)),
            ("accountId", json!(outbox.account)),
            ("to", json!(outbox.to)),
            ("limit", json!(outbox.limit)),
        ]);
        let answer = self.ask("channels.outbox.list", &params).await?;
        if self.json {
            return answer.print();
        }
        let page: Page = answer.read()?;
        let now = now_ms();
        let mut table = Table::new(&["ID", "TO", "STATE", "PARTS", "WAITS", "TEXT"]);
        for delivery in &page.deliveries {
            let ink = (delivery.state != "queued").then_some(Ink::Yellow);
            table.row(vec![
                (Some(Ink::Cyan), delivery.id.clone()),
                (
                    None,
                    format!("{}/{} {}", delivery.channel, delivery.account_id, delivery.to),
                ),
                (ink, delivery.state.clone()),
                (
                    None,
                    format!("{}/{}", delivery.sent_part_count, delivery.part_count),
                ),
                (None, ago(now - delivery.queued_at)),
                (None, delivery.preview.clone()),
            ]);
        }
        self.table(&table, "nothing waits")?;
        if i64::try_from(page.deliveries.len()).is_ok_and(|shown| shown < page.total_count) {
            let (shown, all) = (page.deliveries.len(), page.total_count);
            output::remark(&format!(
                "{shown} of {all}, in {} parts: --limit shows more",
                page.total_part_count
            ));
        }
        Ok(())
    }

    pub(super) async fn drop_outbox(&mut self, drop: &ChannelsDrop) -> Result<(), Failed> {
        let ids = (!drop.ids.is_empty()).then_some(&drop.ids);
        let params = given([
            ("ids", json!(ids)),
            ("channel", json!(drop.channel)),
            ("accountId", json!(drop.account)),
            ("to", json!(drop.to)),
            ("all", json!(drop.all.then_some(true))),
        ]);
        let answer = self.ask("channels.outbox.drop", &params).await?;
        let dropped: Dropped = answer.read()?;
        let sentence = match dropped.dropped_count {
            0 => "nothing of that waited".to_owned(),
            count => format!(
                "dropped: {count}, with {} parts that are not said any more",
                dropped.dropped_part_count
            ),
        };
        self.done(&answer, &sentence)
    }
}
