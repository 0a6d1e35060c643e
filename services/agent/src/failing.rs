//! Which providers failed when they were last asked: the health of the service names each and why, until it answers again or the
//! configuration changes. The service itself goes on serving.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use gatehouse_core::{
    health::{Health, State},
    report,
};
use gatehouse_proto::broadcast::v1::Component;

use crate::provider::{Unanswered, failure::rules};

/// The most of one reason that stands in the health of the service.
const REASON_CHARS: usize = 240;

/// Providers of the configuration that do not answer. There are never more than entries, and none that is not one.
#[derive(Debug)]
pub(crate) struct Failing {
    health: Health,
    reasons: Mutex<BTreeMap<String, String>>,
}

impl Failing {
    pub(crate) fn new(health: Health) -> Self {
        Self {
            health,
            reasons: Mutex::default(),
        }
    }

    /// A revision of the configuration is here: what was found out about an earlier one counts no more.
    pub(crate) fn configured(&self) {
        self.change(|reasons| reasons.clear());
    }

    /// A provider answered.
    pub(crate) fn answered(&self, provider: &str) {
        self.change(|reasons| drop(reasons.remove(provider)));
    }

    /// A provider did not. What lies with one conversation alone says that the provider is well.
    pub(crate) fn failed(&self, provider: &str, why: &Unanswered) {
        // Without an origin nobody was asked: what is wrong with an entry, the check of the configuration says.
        if why.origin.is_none() {
            return;
        }
        if !rules(why.kind).reported {
            self.answered(provider);
            return;
        }
        let mut reason: String = why.message.chars().take(REASON_CHARS).collect();
        if reason.len() < why.message.len() {
            reason.push('…');
        }
        self.change(|reasons| drop(reasons.insert(provider.to_owned(), reason)));
    }

    /// As parts that can fail alone.
    pub(crate) fn components(&self) -> Vec<Component> {
        let reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        let component = |(provider, reason): (&String, &String)| Component {
            name: format!("provider/{provider}"),
            ok: false,
            detail: Some(reason.clone()),
        };
        reasons.iter().map(component).collect()
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, String>)) {
        let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut reasons);
        let state = if reasons.is_empty() {
            State::Serving
        } else {
            let reasons: Vec<&str> = reasons.values().map(String::as_str).collect();
            State::Degraded(reasons.join("; "))
        };
        // Under the lock, so that the last change is the one that is said.
        self.health.set(state);
        drop(reasons);
        report::look();
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_proto::agent::v1::FailureKind;

    use super::*;

    fn why(kind: FailureKind, message: &str) -> Unanswered {
        let mut why = Unanswered::new(kind, message);
        why.origin = Some("http://h".to_owned());
        why
    }

    #[test]
    fn a_provider_that_fails_is_named_with_the_reason_until_it_answers() {
        let health = Health::new();
        let failing = Failing::new(health.clone());
        failing.configured();
        assert_eq!(health.current(), State::Serving);

        failing.failed("a", &why(FailureKind::Unavailable, "a is away"));
        failing.failed("b", &why(FailureKind::Auth, "b wants a key"));
        assert_eq!(
            health.current(),
            State::Degraded("a is away; b wants a key".to_owned())
        );
        let parts = failing.components();
        assert_eq!(
            (parts[0].name.as_str(), parts[0].ok, parts[0].detail.as_deref()),
            ("provider/a", false, Some("a is away"))
        );

        failing.answered("a");
        assert_eq!(health.current(), State::Degraded("b wants a key".to_owned()));
        failing.configured();
        assert_eq!(
            (health.current(), failing.components().len()),
            (State::Serving, 0)
        );
    }

    #[test]
    fn what_lies_with_one_conversation_is_no_news_about_the_provider() {
        let health = Health::new();
        let failing = Failing::new(health.clone());
        failing.configured();

        failing.failed("a", &why(FailureKind::Unavailable, "a was away"));
        for kind in [
            FailureKind::Context,
            FailureKind::Moderation,
            FailureKind::Empty,
            FailureKind::Silent,
        ] {
            failing.failed("a", &why(kind, "no"));
        }
        failing.failed("a", &Unanswered::new(FailureKind::Config, "no such provider"));

        assert_eq!(health.current(), State::Serving);
    }
}
