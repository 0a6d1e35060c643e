//! Reports that the bridge does not have yet, and those that it took lately. A group says the same thing once for each member: the
//! bridge is told what is news.

use std::collections::VecDeque;

use gatehouse_proto::channel::v1::ReportState;

/// Messages of which something waits. What comes at once is what was said while we were away, of messages of one account, which sends at most
/// 30 in a minute: half an hour of nothing else.
const WAITING_MAX: usize = 1_000;
/// Messages of which is remembered how far they came. What is forgotten is told again, which is no harm.
const LATELY_MAX: usize = 500;

/// How far one message came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Report {
    /// Of what was heard, when this message was first heard of.
    number: u64,
    pub(super) id: String,
    pub(super) state: ReportState,
    /// Why no further, for a person.
    pub(super) why: Option<String>,
}

/// What waits, in its order.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    heard: u64,
    waiting: VecDeque<Report>,
    lately: VecDeque<(String, ReportState)>,
}

impl Waiting {
    /// # Errors
    /// When too much waits: why it is not taken.
    pub(super) fn add(
        &mut self,
        id: &str,
        state: ReportState,
        why: Option<String>,
    ) -> Result<(), &'static str> {
        if is_known(&self.lately, id, state) {
            return Ok(());
        }
        if let Some(known) = self.waiting.iter_mut().find(|report| report.id == id) {
            // Whoever has read it has it.
            if state > known.state {
                (known.state, known.why) = (state, why);
            }
            return Ok(());
        }
        if self.waiting.len() >= WAITING_MAX {
            return Err("more receipts wait for the gateway than fit");
        }
        self.heard += 1;
        self.waiting.push_back(Report {
            number: self.heard,
            id: id.to_owned(),
            state,
            why,
        });
        Ok(())
    }

    /// The number of what was heard last.
    pub(super) fn heard(&self) -> u64 {
        self.heard
    }

    /// What the bridge is told next.
    pub(super) fn next(&mut self, at_once: usize) -> Vec<Report> {
        let next = self.waiting.len().min(at_once);
        self.waiting.drain(..next).collect()
    }

    /// The bridge has these. Up to which number it has everything now.
    pub(super) fn kept(&mut self, reports: Vec<Report>) -> u64 {
        for report in reports {
            self.lately.retain(|(id, _)| *id != report.id);
            if self.lately.len() >= LATELY_MAX {
                self.lately.pop_front();
            }
            self.lately.push_back((report.id, report.state));
        }
        // What others said of the same messages meanwhile.
        let lately = &self.lately;
        self.waiting
            .retain(|report| !is_known(lately, &report.id, report.state));
        self.waiting
            .front()
            .map_or(self.heard, |first| first.number.saturating_sub(1))
    }
}

fn is_known(lately: &VecDeque<(String, ReportState)>, id: &str, state: ReportState) -> bool {
    lately.iter().any(|(known, best)| known == id && *best >= state)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(waiting: &mut Waiting) -> Vec<(String, ReportState)> {
        let reports = waiting.next(64);
        let told = reports.iter().map(|report| (report.id.clone(), report.state));
        let told = told.collect();
        waiting.kept(reports);
        told
    }

    #[test]
    fn the_bridge_is_told_what_is_news_of_a_message_and_the_best_of_it() {
        let mut waiting = Waiting::default();
        let add = |waiting: &mut Waiting, id, state| waiting.add(id, state, None).expect("room");
        for state in [ReportState::Delivered, ReportState::Read, ReportState::Delivered] {
            add(&mut waiting, "one", state);
        }
        add(&mut waiting, "two", ReportState::NotDelivered);
        assert_eq!(
            told(&mut waiting),
            [
                ("one".to_owned(), ReportState::Read),
                ("two".to_owned(), ReportState::NotDelivered)
            ]
        );

        add(&mut waiting, "one", ReportState::Delivered);
        add(&mut waiting, "one", ReportState::Read);
        assert_eq!(told(&mut waiting), []);
        add(&mut waiting, "two", ReportState::Delivered);
        assert_eq!(told(&mut waiting), [("two".to_owned(), ReportState::Delivered)]);
    }

    #[test]
    fn what_was_said_of_a_message_on_its_way_to_the_bridge_is_told_behind_it() {
        let mut waiting = Waiting::default();
        waiting.add("one", ReportState::Delivered, None).expect("room");
        let leaving = waiting.next(64);
        waiting.add("one", ReportState::Read, None).expect("room");
        let heard = waiting.heard();

        assert!(waiting.kept(leaving) < heard, "the second is not with the bridge");
        assert_eq!(told(&mut waiting), [("one".to_owned(), ReportState::Read)]);
        assert_eq!(waiting.kept(Vec::new()), heard);
    }

    #[test]
    fn what_others_said_of_a_message_on_its_way_to_the_bridge_is_with_it_as_well() {
        let mut waiting = Waiting::default();
        waiting.add("one", ReportState::Read, None).expect("room");
        let leaving = waiting.next(64);
        waiting.add("one", ReportState::Read, None).expect("room");
        waiting.add("one", ReportState::Delivered, None).expect("room");

        assert_eq!(waiting.kept(leaving), waiting.heard());
        assert_eq!(told(&mut waiting), []);
    }

    #[test]
    fn what_waits_and_what_is_remembered_is_bounded() {
        let mut waiting = Waiting::default();
        for number in 0..WAITING_MAX {
            let added = waiting.add(&number.to_string(), ReportState::Delivered, None);
            added.expect("room");
        }
        assert!(waiting.add("more", ReportState::Delivered, None).is_err());
        waiting
            .add("0", ReportState::Read, None)
            .expect("it waits already");

        while !told(&mut waiting).is_empty() {}
        assert_eq!(waiting.lately.len(), LATELY_MAX);
        waiting.add("more", ReportState::Delivered, None).expect("room");
    }
}
