//! What a plugin says of a channel, held within the bridge's bounds.

use std::{sync::Arc, time::Duration};

use gatehouse_core::{content::choices::CHOICES_MAX, hex};
use gatehouse_proto::channel::v1::{
    ChannelCapabilities, ChannelLimits, DescribeChannelResponse, PreviewPace, SendPace,
    TextLimit as WireLimit, TextShape as WireShape, TextUnit as WireUnit,
};
use sha2::{Digest, Sha256};

use super::{Lives, said};
use crate::{
    adapter::{Capabilities, Limits, Liveness, Previews, Rate, TextLimit, TextShape, TextUnit},
    pace::Answers,
};

/// What the contract says of texts without a limit.
const TEXT_MAX: usize = 4_000;
/// The longest text that the contract lets a plugin ask for.
const TEXT_MOST: usize = 262_144;
/// Below this an answer would fall into single words.
const TEXT_LEAST: usize = 64;
/// The largest file, as the contract has it.
const MEDIA_BYTES_MOST: i64 = 2_000_000_000;
/// What the contract says of limits that are not set, and the most that may be set.
const PARTS: (usize, usize) = (10, 1_000);
const CONCURRENCY: (usize, usize) = (4, 64);
const SEND_TIMEOUT_MS: (u64, u64) = (30_000, 300_000);
const PREVIEW_MS: (u64, u64) = (1_000, 60_000);
const HTTP_BYTES_MOST: usize = 1_048_576;
/// Silence of a plugin: it is asked after 30 seconds, so that one question may get lost.
pub(crate) const LIVENESS: Liveness = Liveness {
    degraded_after: Duration::from_secs(60),
    dead_after: Duration::from_secs(90),
};

/// A channel that a plugin has described.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    pub(super) kind: String,
    plugin: String,
    pub(super) label: String,
    pub(super) answers: Answers,
    capabilities: Capabilities,
    pub(super) limits: Limits,
    http_bytes_max: usize,
    pub(super) schema: Option<Arc<str>>,
    pub(super) edition: String,
    lives: Lives,
}

impl Channel {
    /// A channel as its plugin describes it, which is in this place. What is beyond the contract's bounds is brought within them.
    pub(crate) fn of(
        kind: &str,
        plugin: &str,
        place: &str,
        described: &DescribeChannelResponse,
        lives: Lives,
    ) -> Self {
        let digest = Sha256::digest(format!("{plugin} {place} {described:?}"));
        let DescribeChannelResponse {
            label,
            account_schema,
            capabilities,
            limits,
            programs,
        } = described;
        let (limits, http_bytes_max) = read_limits(limits.unwrap_or_default());
        let label = said(label);
        Self {
            kind: kind.to_owned(),
            plugin: plugin.to_owned(),
            label: if label.is_empty() { kind.to_owned() } else { label },
            answers: if *programs {
                Answers::Programs
            } else {
                Answers::People
            },
            capabilities: read_capabilities(capabilities.unwrap_or_default()),
            limits,
            http_bytes_max,
            schema: Some(account_schema.as_str())
                .filter(|schema| !schema.is_empty())
                .map(Arc::from),
            edition: hex::encode(&digest),
            lives,
        }
    }

    /// A channel that is compiled in, as a process of its own speaks it for one account. What it can do is known here.
    pub(crate) fn of_process(kind: &str, capabilities: Capabilities, limits: Limits, lives: Lives) -> Self {
        Self {
            kind: kind.to_owned(),
            plugin: String::new(),
            label: kind.to_owned(),
            answers: Answers::default(),
            capabilities,
            limits,
            http_bytes_max: HTTP_BYTES_MOST,
            schema: None,
            edition: String::new(),
            lives,
        }
    }

    pub(super) fn plugin(&self) -> &str {
        &self.plugin
    }

    /// Who speaks it, for people.
    pub(super) fn who(&self) -> String {
        match self.plugin.as_str() {
            "" => "its process".to_owned(),
            plugin => format!("its plugin {plugin}"),
        }
    }

    /// Whether the other is described in the same words by the same plugin in the same place.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.edition == other.edition
    }

    pub(super) fn lives(&self) -> &Lives {
        &self.lives
    }

    pub(super) fn http_bytes_max(&self) -> usize {
        self.http_bytes_max
    }

    pub(super) fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }
}

fn read_capabilities(wire: ChannelCapabilities) -> Capabilities {
    let ChannelCapabilities {
        text,
        media_bytes_max,
        edit,
        threads,
        reactions,
        typing,
        previews,
        idempotent_sends,
        separate_sends,
        choices_max,
    } = wire;
    Capabilities {
        text: read_text(text.unwrap_or_default()),
        media: media_bytes_max > 0,
        media_bytes_max: media_bytes_max.clamp(0, MEDIA_BYTES_MOST),
        edit,
        threads,
        reactions,
        typing,
        previews: previews.map(read_previews),
        choices: (choices_max as usize).min(CHOICES_MAX),
        idempotent_sends,
        separate_sends,
    }
}

fn read_text(wire: WireLimit) -> TextLimit {
    let unit = match wire.unit() {
        WireUnit::Unspecified | WireUnit::Bytes => TextUnit::Bytes,
        WireUnit::Chars => TextUnit::Chars,
        WireUnit::Utf16 => TextUnit::Utf16,
        WireUnit::Graphemes => TextUnit::Graphemes,
    };
    let shape = match wire.shape() {
        WireShape::Unspecified | WireShape::Plain => TextShape::Plain,
        WireShape::Line => TextShape::Line,
        WireShape::Markdown => TextShape::Markdown,
    };
    let max = match wire.max {
        0 => TEXT_MAX,
        max => (max as usize).clamp(TEXT_LEAST, TEXT_MOST),
    };
    TextLimit {
        address_counts: wire.address_counts,
        ..TextLimit::new(unit, max, shape)
    }
}

fn read_previews(wire: PreviewPace) -> Previews {
    let PreviewPace {
        every_ms,
        every_shared_ms,
        vanish,
    } = wire;
    let every = or_unset(u64::from(every_ms), PREVIEW_MS);
    let every_shared = or_unset(u64::from(every_shared_ms), (every, PREVIEW_MS.1));
    Previews {
        every: Duration::from_millis(every),
        every_shared: Duration::from_millis(every_shared),
        vanish,
    }
}

fn read_limits(wire: ChannelLimits) -> (Limits, usize) {
    let ChannelLimits {
        parts_max,
        account,
        chat,
        concurrency,
        send_timeout_ms,
        http_bytes_max,
    } = wire;
    let limits = Limits {
        parts_max: or_unset(parts_max as usize, PARTS),
        account_rate: read_rate(account, 20, 300),
        chat_rate: read_rate(chat, 5, 60),
        concurrency: or_unset(concurrency as usize, CONCURRENCY),
        send_timeout: Duration::from_millis(or_unset(u64::from(send_timeout_ms), SEND_TIMEOUT_MS)),
        liveness: Some(LIVENESS),
    };
    (limits, (http_bytes_max as usize).min(HTTP_BYTES_MOST))
}

fn read_rate(wire: Option<SendPace>, burst: u32, per_minute: u32) -> Rate {
    let SendPace { burst, per_minute } = wire.unwrap_or(SendPace { burst, per_minute });
    Rate {
        burst: burst.clamp(1, 1_000),
        per_second: f64::from(per_minute.clamp(1, 60_000)) / 60.0,
    }
}

/// A number of the contract, of which 0 means the first of `bounds` and which is at most the second.
fn or_unset<N: Ord + Default>(number: N, bounds: (N, N)) -> N {
    let (unset, most) = bounds;
    if number == N::default() {
        unset
    } else {
        number.min(most)
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_core::client::Peer;
    use serde_json::{Value, json};
    use tokio::sync::watch;

    use super::*;
    use crate::platform::plugin::Life;

    fn channel(described: &DescribeChannelResponse) -> Arc<Channel> {
        let told = watch::Sender::new(Life::default());
        Arc::new(Channel::of(
            "lines",
            "tell",
            "nowhere",
            described,
            Lives::of(&told),
        ))
    }

    fn refusal(channel: &Arc<Channel>, account: &Value) -> String {
        channel.entry().read(account).expect_err("it cannot be taken")
    }

    #[test]
    fn what_is_not_said_has_the_contracts_defaults_and_what_is_too_much_is_cut() {
        let plain = channel(&DescribeChannelResponse::default());
        assert_eq!(
            plain.capabilities.text,
            TextLimit::new(TextUnit::Bytes, 4_000, TextShape::Plain)
        );
        assert_eq!(
            (
                plain.limits.parts_max,
                plain.limits.concurrency,
                plain.http_bytes_max
            ),
            (10, 4, 0)
        );
        assert!(!plain.capabilities.media && plain.capabilities.previews.is_none());

        let greedy = channel(&DescribeChannelResponse {
            label: "x\n".repeat(1_000),
            capabilities: Some(ChannelCapabilities {
                text: Some(WireLimit {
                    max: u32::MAX,
                    ..WireLimit::default()
                }),
                media_bytes_max: i64::MAX,
                previews: Some(PreviewPace {
                    every_ms: u32::MAX,
                    ..PreviewPace::default()
                }),
                ..ChannelCapabilities::default()
            }),
            limits: Some(ChannelLimits {
                parts_max: u32::MAX,
                account: Some(SendPace {
                    burst: u32::MAX,
                    per_minute: 0,
                }),
                concurrency: u32::MAX,
                send_timeout_ms: u32::MAX,
                http_bytes_max: u32::MAX,
                ..ChannelLimits::default()
            }),
            ..DescribeChannelResponse::default()
        });
        assert_eq!(greedy.capabilities.text.max, 262_144);
        assert_eq!((greedy.limits.parts_max, greedy.limits.concurrency), (1_000, 64));
        assert_eq!(
            (greedy.limits.account_rate.burst, greedy.http_bytes_max),
            (1_000, 1_048_576)
        );
        assert!(greedy.label.len() <= 300 && !greedy.label.contains('\n'));
    }

    #[test]
    fn an_account_is_held_against_the_schema_without_the_keys_that_are_the_bridges() {
        let schema = json!({"type": "object", "required": ["port"], "additionalProperties": false,
            "properties": {"port": {"type": "integer"}, "token": {"type": "string", "pattern": "^t"}}});
        let channel = channel(&DescribeChannelResponse {
            account_schema: schema.to_string(),
            ..DescribeChannelResponse::default()
        });

        let good = json!({"port": 7, "rateLimit": {"burst": 3, "perSecond": 1.5}, "maxMessages": 4, "mediaMaxMb": 2});
        assert!(channel.entry().read(&good).is_ok());
        assert!(refusal(&channel, &json!({})).contains("port"));
        let shown = refusal(&channel, &json!({"port": 7, "token": "s3cret"}));
        assert!(shown.contains("/token") && !shown.contains("s3cret"), "{shown}");
        assert!(refusal(&channel, &json!({"port": 7, "maxMessages": 5_000})).contains("from 2 to 1000"));
        assert!(refusal(&channel, &json!({"port": 7, "rateLimit": "fast"})).contains("wrong type"));
    }

    #[tokio::test]
    async fn a_newer_life_is_waited_for_and_an_older_one_is_not() {
        let told = watch::Sender::new(Life::default());
        let lives = Lives::of(&told);
        let address = "unix:/nowhere".parse().expect("an address");
        let (peer, _) = Peer::watched(&address, &gatehouse_core::Secret::new("shown"));
        told.send_replace(Life {
            number: 1,
            peer: Some(peer.clone()),
        });

        let waits = tokio::time::timeout(Duration::from_millis(1), lives.after(1)).await;
        assert!(waits.is_err(), "the life that was tried is no news");
        told.send_replace(Life {
            number: 2,
            peer: Some(peer),
        });
        lives.after(1).await;
    }
}
