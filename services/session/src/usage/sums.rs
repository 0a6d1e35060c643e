//! Sums over what was counted, in the shapes that clients read.

use std::collections::BTreeMap;

use gatehouse_core::Timestamp;
use gatehouse_proto::session::v1 as proto;

use super::days::Days;
use super::{Cell, Counts, ModelOf, Prices, SessionCells};
use crate::routing::PeerKind;

/// Tokens, money and rows.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    counts: Counts,
    input_cost: f64,
    output_cost: f64,
    /// Answers without a price.
    unpriced: i64,
}

impl Sum {
    fn add(&mut self, cell: &Cell, prices: &Prices) {
        self.counts += cell.counts;
        match prices.cost(&cell.model, &cell.counts) {
            Some(cost) => {
                self.input_cost += cost.input;
                self.output_cost += cost.output;
            }
            None => self.unpriced += cell.counts.metered,
        }
    }

    fn of<'c>(cells: impl IntoIterator<Item = &'c Cell>, prices: &Prices) -> Self {
        let mut sum = Self::default();
        for cell in cells {
            sum.add(cell, prices);
        }
        sum
    }

    fn tokens(&self) -> i64 {
        self.counts.input + self.counts.output
    }

    fn cost(&self) -> f64 {
        self.input_cost + self.output_cost
    }

    fn totals(&self) -> proto::UsageTotals {
        proto::UsageTotals {
            input: self.counts.input,
            output: self.counts.output,
            total_tokens: self.tokens(),
            total_cost: self.cost(),
            input_cost: self.input_cost,
            output_cost: self.output_cost,
            missing_cost_entries: self.unpriced,
            ..proto::UsageTotals::default()
        }
    }

    fn on(&self, date: &str) -> proto::DayUsage {
        proto::DayUsage {
            date: date.to_owned(),
            input: self.counts.input,
            output: self.counts.output,
            total_tokens: self.tokens(),
            total_cost: self.cost(),
            input_cost: self.input_cost,
            output_cost: self.output_cost,
            missing_cost_entries: self.unpriced,
            ..proto::DayUsage::default()
        }
    }

    fn activity(&self, date: &str) -> proto::DayActivity {
        proto::DayActivity {
            date: date.to_owned(),
            tokens: self.tokens(),
            cost: self.cost(),
            messages: self.counts.user + self.counts.assistant,
            tool_calls: self.counts.tool,
            errors: self.counts.errors,
        }
    }

    fn messages(&self) -> proto::MessageCounts {
        let Counts {
            user,
            assistant,
            tool,
            errors,
            ..
        } = self.counts;
        proto::MessageCounts {
            total: user + assistant,
            user,
            assistant,
            tool_calls: tool, // each has one result, which is the row that is counted
            tool_results: tool,
            errors,
        }
    }
}

/// Everything that was counted for an answer.
#[derive(Debug)]
pub(super) struct Sheet<'s> {
    pub(super) sessions: &'s [SessionCells],
    pub(super) days: &'s Days,
    pub(super) prices: &'s Prices,
}

impl Sheet<'_> {
    fn cells(&self) -> impl Iterator<Item = &Cell> {
        self.sessions.iter().flat_map(|session| &session.cells)
    }

    /// Sums by whatever cells have in common, in order.
    fn by<K: Ord>(&self, key: impl Fn(&SessionCells, &Cell) -> Option<K>) -> BTreeMap<K, Sum> {
        let mut sums: BTreeMap<K, Sum> = BTreeMap::new();
        for session in self.sessions {
            for cell in &session.cells {
                if let Some(key) = key(session, cell) {
                    sums.entry(key).or_default().add(cell, self.prices);
                }
            }
        }
        sums
    }

    fn date(&self, day: usize) -> &str {
        self.days.names.get(day).map_or("", String::as_str)
    }

    pub(super) fn totals(&self) -> proto::UsageTotals {
        Sum::of(self.cells(), self.prices).totals()
    }

    pub(super) fn daily(&self) -> Vec<proto::DayUsage> {
        let days = self.by(|_, cell| Some(cell.day));
        days.iter().map(|(day, sum)| sum.on(self.date(*day))).collect()
    }

    pub(super) fn aggregates(&self) -> proto::UsageAggregates {
        let all = Sum::of(self.cells(), self.prices);
        let models = self.by(|_, cell| (cell.counts.assistant > 0).then(|| cell.model.clone()));
        let providers = self.by(|_, cell| {
            let provider = cell.model.provider.clone();
            (cell.counts.assistant > 0).then_some(provider)
        });
        let agents = self.by(|session, _| Some(session.session.agent.to_string()));
        let channels = self.by(|session, _| session.session.channel.clone());
        let model_days =
            self.by(|_, cell| (cell.counts.assistant > 0).then(|| (cell.day, cell.model.clone())));
        let spans = self.sessions.iter().filter_map(|session| session.between);
        proto::UsageAggregates {
            session_count: count(self.sessions.iter().filter(|session| session.between.is_some())),
            longest_session_duration_ms: spans
                .map(|(first, last)| last.ms_since(first))
                .max()
                .unwrap_or_default(),
            messages: Some(all.messages()),
            tools: Some(proto::ToolUsage {
                total_calls: all.counts.tool,
                ..proto::ToolUsage::default()
            }),
            by_model: models.iter().map(|(of, sum)| model(of, sum)).collect(),
            by_provider: providers
                .into_iter()
                .map(|(provider, sum)| {
                    model(
                        &ModelOf {
                            provider,
                            model: None,
                        },
                        &sum,
                    )
                })
                .collect(),
            by_agent: agents
                .into_iter()
                .map(|(agent_id, sum)| proto::AgentUsage {
                    agent_id,
                    totals: Some(sum.totals()),
                })
                .collect(),
            by_channel: channels
                .into_iter()
                .map(|(channel, sum)| proto::ChannelUsage {
                    channel,
                    totals: Some(sum.totals()),
                })
                .collect(),
            cost_daily: self.daily(),
            model_daily: model_days
                .into_iter()
                .map(|((day, of), sum)| proto::ModelDay {
                    date: self.date(day).to_owned(),
                    provider: of.provider,
                    model: of.model,
                    tokens: sum.tokens(),
                    cost: sum.cost(),
                    count: sum.counts.assistant,
                })
                .collect(),
            daily: self.activity(self.cells()),
        }
    }

    fn activity<'c>(&self, cells: impl Iterator<Item = &'c Cell>) -> Vec<proto::DayActivity> {
        let mut days: BTreeMap<usize, Sum> = BTreeMap::new();
        for cell in cells {
            days.entry(cell.day).or_default().add(cell, self.prices);
        }
        days.iter()
            .map(|(day, sum)| sum.activity(self.date(*day)))
            .collect()
    }

    /// One session's line.
    pub(super) fn session(&self, cells: &SessionCells) -> proto::SessionUsage {
        let session = &cells.session;
        let (provider, name) = session.answered_by.clone().unzip();
        proto::SessionUsage {
            key: session.key.to_string(),
            session_id: session.session_id.to_string(),
            scope: "instance".to_owned(),
            updated_at: session.updated_at.as_ms(),
            agent_id: session.agent.to_string(),
            label: session.label.clone(),
            channel: session.channel.clone(),
            chat_type: session.chat_type.map(|kind| {
                match kind {
                    PeerKind::Direct => "direct",
                    PeerKind::Group => "group",
                    PeerKind::Channel => "channel",
                }
                .to_owned()
            }),
            model_provider: provider,
            model: name,
            usage: cells.between.map(|between| self.sums(cells, between)),
        }
    }

    fn sums(&self, session: &SessionCells, (first, last): (Timestamp, Timestamp)) -> proto::SessionSums {
        let sum = Sum::of(&session.cells, self.prices);
        let mut models: BTreeMap<&ModelOf, Sum> = BTreeMap::new();
        for cell in session.cells.iter().filter(|cell| cell.counts.assistant > 0) {
            models.entry(&cell.model).or_default().add(cell, self.prices);
        }
        let daily = self.activity(session.cells.iter());
        proto::SessionSums {
            input: sum.counts.input,
            output: sum.counts.output,
            total_tokens: sum.tokens(),
            total_cost: sum.cost(),
            input_cost: sum.input_cost,
            output_cost: sum.output_cost,
            missing_cost_entries: sum.unpriced,
            first_activity: first.as_ms(),
            last_activity: last.as_ms(),
            duration_ms: last.ms_since(first),
            activity_dates: daily.iter().map(|day| day.date.clone()).collect(),
            daily_breakdown: daily,
            message_counts: Some(sum.messages()),
            model_usage: models.iter().map(|(of, sum)| model(of, sum)).collect(),
            ..proto::SessionSums::default()
        }
    }
}

fn model(of: &ModelOf, sum: &Sum) -> proto::ModelUsage {
    proto::ModelUsage {
        provider: of.provider.clone(),
        model: of.model.clone(),
        count: sum.counts.assistant,
        totals: Some(sum.totals()),
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> i64 {
    i64::try_from(items.count()).unwrap_or(i64::MAX)
}
