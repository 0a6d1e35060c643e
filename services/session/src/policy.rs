//! One revision of the configuration, read once: what every request and every turn asks.

use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::Secret;
use gatehouse_core::drain::plan;
use gatehouse_document::agents::{CONCURRENT_MAX, MEDIA_MB_MAX};
use gatehouse_document::session::TRIGGERS_MAX;

use crate::agents::{Agents, ModelName};
use crate::book::Book;
use crate::config::{CronSection, QueueSection, Scope, SessionConfig};
use crate::deliveries::Accounts;
use crate::error::Error;
use crate::hooks::Rules as HookRules;
use crate::key::SessionKey;
use crate::nodes::commands::Rules;
use crate::routing::Router;
use crate::schedules::heartbeat::{self, Beat};
use crate::schedules::posts::Guard;
use crate::sessions::Life;
use crate::thinking::Level;
use crate::usage::Prices;

/// Turns that run at the same time unless configured otherwise: as many streams as a small model host answers at once,
/// and twice what OpenClaw allows on two cores.
const CONCURRENT_DEFAULT: u16 = 16;

/// The largest attachment in MiB unless configured otherwise: OpenClaw's.
const MEDIA_MB_DEFAULT: u32 = 20;

/// What holds at the moment.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) agents: Arc<Agents>,
    pub(crate) router: Router,
    /// What happens to messages that have to wait.
    pub(crate) queue: QueueSection,
    /// Whether work begins by the clock.
    pub(crate) cron: CronSection,
    /// What programs outside may bring.
    pub(crate) hooks: HookRules,
    /// Where programs may be told of runs.
    pub(crate) posts: Guard,
    /// What they are shown.
    pub(crate) post_token: Option<Secret>,
    /// Where replies can go.
    pub(crate) accounts: Accounts,
    /// When agents look by themselves whether there is something to do.
    pub(crate) beats: Vec<Beat>,
    /// Whether everybody shares one session.
    pub(crate) scope: Scope,
    /// What is known of models.
    pub(crate) book: Book,
    /// When conversations are over by themselves.
    pub(crate) life: Arc<Life>,
    /// After how long a session is forgotten, in milliseconds.
    pub(crate) prune_after_ms: Option<i64>,
    /// How many sessions are kept.
    pub(crate) sessions_max: Option<u32>,
    /// How many bytes the database of sessions may have.
    pub(crate) disk_bytes_max: Option<i64>,
    /// What begins a new conversation, in lower case.
    pub(crate) reset_triggers: Vec<String>,
    /// The largest attachment, in bytes.
    pub(crate) media_bytes_max: u64,
    /// The largest recording that is transcribed, in bytes. `None`: none is.
    pub(crate) hears: Option<u64>,
    /// Turns that run at the same time.
    pub(crate) concurrent_max: usize,
    /// What models cost.
    pub(crate) prices: Arc<Prices>,
    /// How long runs may go on after the process was asked to end.
    pub(crate) drain: Duration,
    /// What nodes may be asked for.
    pub(crate) nodes: Rules,
}

impl Policy {
    pub(crate) fn read(config: &SessionConfig) -> Self {
        let concurrent = config
            .agents
            .defaults
            .max_concurrent
            .unwrap_or(CONCURRENT_DEFAULT);
        let media_mb = config.agents.defaults.media_max_mb.unwrap_or(MEDIA_MB_DEFAULT);
        Self {
            agents: Arc::new(Agents::read(&config.agents)),
            router: Router::read(config),
            queue: config.messages.queue.clone(),
            cron: config.cron.clone(),
            hooks: HookRules::read(&config.hooks),
            posts: Guard::new(&config.cron.webhook_ssrf_policy.allowed_hostnames),
            post_token: config
                .cron
                .webhook_token
                .as_ref()
                .and_then(|token| token.text())
                .filter(|token| !token.trim().is_empty())
                .map(Secret::new),
            accounts: Accounts::read(config.channel_accounts.as_ref()),
            beats: heartbeat::read(config),
            scope: config.session.scope,
            book: Book::read(config),
            life: Arc::new(Life::read(&config.session)),
            prune_after_ms: config.session.maintenance.prune_after_ms().ok().flatten(),
            sessions_max: config.session.maintenance.max_entries,
            disk_bytes_max: config.session.maintenance.disk_bytes_max().ok().flatten(),
            reset_triggers: triggers(&config.session.reset_triggers),
            hears: config.tools.media.audio.bytes_max(),
            media_bytes_max: u64::from(media_mb.clamp(1, MEDIA_MB_MAX)) * 1024 * 1024,
            concurrent_max: usize::from(concurrent.clamp(1, CONCURRENT_MAX)),
            prices: Arc::new(Prices::read(&config.models)),
            drain: plan::answers(Some(config.gateway.drain_seconds.into())),
            nodes: Rules::read(&config.gateway.nodes.commands),
        }
    }

    /// What a caller's word for how hard to think means in a session, for the model that was chosen there or else the agent's.
    ///
    /// # Errors
    /// When it is no level, and when it is known of the model that it is never told one: it would be taken and dropped.
    pub(crate) fn level(
        &self,
        path: &'static str,
        word: &str,
        key: &SessionKey,
        chosen: Option<&ModelName>,
    ) -> Result<Level, Error> {
        let level = self.book.level(path, word)?;
        let first = || self.agents.of(key).ok()?.models.first();
        let facts = chosen
            .or_else(first)
            .and_then(|model| self.book.facts(model.as_str()));
        if level.as_str() != Level::OFF && facts.is_some_and(|facts| !facts.reasons) {
            return Err(Error::Level {
                path,
                levels: Level::OFF.to_owned(),
            });
        }
        Ok(level)
    }
}

fn triggers(written: &[String]) -> Vec<String> {
    let triggers = written.iter().map(|trigger| trigger.trim().to_lowercase());
    triggers
        .filter(|trigger| !trigger.is_empty())
        .take(TRIGGERS_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use gatehouse_document::{
        agents::TIMEOUT_SECONDS_MAX,
        gateway::DRAIN_SECONDS_MAX,
        messages::{CAP_APPLIED_MAX, DEBOUNCE_MS_MAX},
        samples,
    };

    use super::*;
    use crate::turns::queue::{self, DropPolicy, QueueMode};

    fn policy(sample: &str) -> Policy {
        Policy::read(&json5::from_str(sample).unwrap())
    }

    #[test]
    fn the_bounds_of_the_document_are_applied() {
        let (most, least) = (policy(samples::MAXIMAL), policy(samples::MINIMAL));

        for agent in most.agents.all() {
            assert_eq!(
                agent.timeout_ms,
                i64::from(TIMEOUT_SECONDS_MAX) * 1000,
                "{}",
                agent.id
            );
        }
        assert_eq!(least.agents.all()[0].timeout_ms, 1000);
        assert_eq!(most.concurrent_max, usize::from(CONCURRENT_MAX));
        assert_eq!(least.concurrent_max, 1);
        assert_eq!(most.drain, Duration::from_secs(DRAIN_SECONDS_MAX.into()));
        assert_eq!(least.drain, Duration::ZERO);
        let waiting = |policy: &Policy, channel| queue::rule(&policy.queue, channel, None, None);
        let (large, small) = (waiting(&most, None), waiting(&least, None));
        assert_eq!((large.mode, large.drop), (QueueMode::Collect, DropPolicy::Old));
        assert_eq!(
            (large.quiet_ms, large.cap),
            (DEBOUNCE_MS_MAX.into(), CAP_APPLIED_MAX)
        );
        assert_eq!((small.quiet_ms, small.cap), (0, 1));
        let irc = waiting(&most, Some("IRC"));
        assert_eq!(
            (irc.mode, irc.quiet_ms),
            (QueueMode::Interrupt, DEBOUNCE_MS_MAX.into())
        );
    }

    #[test]
    fn a_level_that_the_model_is_never_told_is_refused_and_off_is_not() {
        let policy = policy(
            r#"{agents:{defaults:{model:"a/plain"}},
                models:{providers:{a:{models:[{id:"plain"},{id:"deep",reasoning:true}]}}}}"#,
        );
        let key = SessionKey::stored("agent:main:main".to_owned());
        let level = |word: &str, model: Option<&str>| {
            let model = model.map(ModelName::known);
            policy.level("/thinking", word, &key, model.as_ref())
        };

        assert!(level("high", None).is_err());
        assert!(level("off", None).is_ok());
        assert_eq!(level("high", Some("a/deep")).unwrap().as_str(), "high");
        assert!(level("high", Some("a/not-listed")).is_ok(), "nobody knows better");
        assert!(level("harder", Some("a/deep")).is_err());
    }

    #[test]
    fn an_agent_thinks_as_hard_as_it_says_or_as_all_do() {
        let most = policy(samples::MAXIMAL);

        let thinking: Vec<_> = most
            .agents
            .all()
            .iter()
            .map(|agent| agent.thinking.as_ref().map(Level::as_str))
            .collect();

        assert_eq!(thinking, [Some("medium"), Some("off")]);
        let inherited = policy(r#"{"agents":{"defaults":{"thinkingDefault":"high"},"entries":{"a":{}}}}"#);
        assert_eq!(inherited.agents.all()[0].thinking, Some(Level::known("high")));
    }
}
