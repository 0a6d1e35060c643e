//! Deltas that arrived together become one before anybody is sent anything.
//!
//! A model that writes faster than the sockets take would otherwise cost every connection a frame for each token. The rule is
//! that of the outbox: the older delta keeps its place and takes the newer one's body, and the texts that grow are joined.

use std::{collections::HashMap, sync::Arc};

use super::{Event, Merge};

/// What later deltas of a lane are joined to.
struct Growing {
    /// Its place among the events that are left.
    place: usize,
    /// The joined text, once there is more than one.
    text: Vec<u8>,
}

/// The same events in the same order, with the deltas of each lane joined.
pub(crate) fn merged(events: Vec<Event>) -> Vec<Event> {
    let mut left: Vec<Event> = Vec::with_capacity(events.len());
    let mut open: HashMap<(Arc<str>, Arc<str>), Growing> = HashMap::new();
    let mut done = Vec::new();
    for event in events {
        let place = left.len();
        let Some(merge) = &event.merge else {
            // An event between two deltas may change what the older one means, so they are not merged past it.
            done.extend(open.extract_if(|(name, _), _| *name == event.name));
            left.push(event);
            continue;
        };
        let lane = (Arc::clone(&event.name), Arc::clone(&merge.key));
        if let Some(growing) = open.get_mut(&lane)
            && let Some(older) = left.get_mut(growing.place)
            && older.audience == event.audience
        {
            growing.absorb(older, event);
            continue;
        }
        let fresh = Growing {
            place,
            text: Vec::new(),
        };
        done.extend(open.insert(lane.clone(), fresh).map(|growing| (lane, growing)));
        left.push(event);
    }
    for (_, growing) in done.into_iter().chain(open) {
        if let Some(event) = left.get_mut(growing.place) {
            event.put_text(&growing.text);
        }
    }
    left
}

impl Growing {
    fn absorb(&mut self, older: &mut Event, newer: Event) {
        if self.text.is_empty() {
            self.text.extend_from_slice(older.growing_text());
        }
        self.text.extend_from_slice(newer.growing_text());
        *older = newer;
    }
}

impl Event {
    /// The text that grows. Empty: this event has none.
    fn growing_text(&self) -> &[u8] {
        let range = self.merge.as_ref().and_then(|merge| merge.append.clone());
        range.and_then(|range| self.body.get(range)).unwrap_or_default()
    }

    /// Puts a joined text in the place of the one that grows.
    fn put_text(&mut self, text: &[u8]) {
        let Some(Merge {
            append: Some(range), ..
        }) = &mut self.merge
        else {
            return;
        };
        let around = (self.body.get(..range.start), self.body.get(range.end..));
        if let (Some(before), Some(after), false) = (around.0, around.1, text.is_empty()) {
            self.body = [before, text, after].concat().into();
            range.end = range.start + text.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_contract::Access;
    use proptest::prelude::*;

    use super::*;
    use crate::event::Audience;

    fn event(payload: &str) -> Event {
        Event::new(
            "chat",
            Audience::everybody(Access::Read),
            payload.as_bytes(),
            None,
        )
    }

    fn delta(run: usize, text: &str) -> Event {
        event(&format!(r#"{{"deltaText":"{text}","run":{run}}}"#))
            .merged_by(&format!("{run}/i"), Some(14..14 + text.len()))
    }

    fn bodies(events: Vec<Event>) -> Vec<String> {
        let body = |event: Event| String::from_utf8(event.body.to_vec()).unwrap();
        let payload = |body: String| body.split_once(r#""payload":"#).unwrap().1.to_owned();
        merged(events).into_iter().map(body).map(payload).collect()
    }

    #[test]
    fn deltas_of_a_run_become_one_in_the_place_of_the_oldest() {
        let left = bodies(vec![
            delta(1, "one"),
            delta(2, "other"),
            delta(1, " two"),
            delta(1, ""),
            delta(1, " three"),
        ]);

        assert_eq!(
            left,
            [
                r#"{"deltaText":"one two three","run":1}"#,
                r#"{"deltaText":"other","run":2}"#
            ]
        );
    }

    #[test]
    fn a_waiting_delta_can_still_be_joined_to_a_merged_one() {
        let mut left = merged(vec![delta(1, "one"), delta(1, " two")]);

        assert_eq!(left.remove(0).growing_text(), b"one two");
    }

    #[test]
    fn deltas_for_other_eyes_are_left_apart() {
        let mut narrow = delta(1, "two");
        narrow.audience.connection = Some("c-1".to_owned());

        assert_eq!(bodies(vec![delta(1, "one"), narrow, delta(1, "three")]).len(), 3);
    }

    #[test]
    fn a_state_that_is_told_anew_takes_the_place_of_the_older_one() {
        let state = |n: u32| event(&format!(r#"{{"n":{n}}}"#)).merged_by("state", None);

        assert_eq!(bodies(vec![state(1), state(2), state(3)]), [r#"{"n":3}"#]);
    }

    proptest! {
        #[test]
        fn no_text_is_lost_or_moved_past_an_event_of_its_name(steps in prop::collection::vec((0_usize..4, "[a-z]{0,3}"), 0..60)) {
            let events = steps.iter().map(|(run, text)| if *run == 0 { event(r#"{"state":"final"}"#) } else { delta(*run, text) });
            let mut expected = String::new();
            let mut texts = [const { String::new() }; 4];
            let mut end = |texts: &mut [String; 4]| for text in texts { expected.push_str(&std::mem::take(text)); expected.push('|'); };
            for (run, text) in &steps {
                if *run == 0 { end(&mut texts); } else { texts[*run].push_str(text); }
            }
            end(&mut texts);

            let mut seen = String::new();
            let mut shown = [const { String::new() }; 4];
            let mut end = |shown: &mut [String; 4]| for text in shown { seen.push_str(&std::mem::take(text)); seen.push('|'); };
            for event in merged(events.collect()) {
                match &event.merge {
                    None => end(&mut shown),
                    Some(merge) => {
                        let run: usize = merge.key.split('/').next().unwrap().parse().unwrap();
                        prop_assert!(shown[run].is_empty(), "one of each run between two others");
                        shown[run] = String::from_utf8(event.growing_text().to_vec()).unwrap();
                    }
                }
            }
            end(&mut shown);
            prop_assert_eq!(seen, expected);
        }
    }
}
