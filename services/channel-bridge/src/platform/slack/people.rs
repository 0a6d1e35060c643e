//! What people are called. Asked once for each; an app that may not ask knows people by their ids.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde::Deserialize;
use tokio::time;

use super::{
    api::{Api, ApiError},
    refusal::is_passing,
};

/// People who are remembered. Beyond it all are asked for anew.
const PEOPLE_MAX: usize = 2048;
/// A message does not wait longer for a name: Slack wants it acknowledged within three seconds.
const NAME_WITHIN: Duration = Duration::from_millis(1500);
/// The longest name, in characters: it is for people to read.
const NAME_CHARS_MAX: usize = 200;

#[derive(Debug, Default)]
pub(super) struct People {
    known: Mutex<HashMap<String, Option<String>>>,
    may_not_ask: AtomicBool,
}

#[derive(Deserialize)]
struct Answer {
    user: User,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct User {
    name: Option<String>,
    real_name: Option<String>,
    profile: Profile,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Profile {
    display_name: Option<String>,
}

impl People {
    /// What somebody is called, if it is known by now.
    pub(super) fn known(&self, id: &str) -> Option<String> {
        self.lock().get(id).cloned().flatten()
    }

    /// What somebody is called.
    pub(super) async fn name(&self, api: &Api, id: &str) -> Option<String> {
        if let Some(known) = self.lock().get(id) {
            return known.clone();
        }
        if self.may_not_ask.load(Ordering::Relaxed) {
            return None;
        }
        let who = [("user", id)];
        let asked = api.query::<Answer>("users.info", &who);
        let name = match time::timeout(NAME_WITHIN, asked).await {
            Ok(Ok(Answer { user })) => {
                let names = [user.profile.display_name, user.real_name, user.name];
                let mut names = names.into_iter().flatten();
                let name = names.find(|name| !name.trim().is_empty());
                name.map(|name| name.chars().take(NAME_CHARS_MAX).collect())
            }
            // It says nothing of them.
            Ok(Err(ApiError::Refused(refused))) if refused.status >= 400 || is_passing(&refused) => {
                return None;
            }
            Ok(Err(ApiError::Refused(refused))) => {
                if refused.word == "missing_scope" {
                    tracing::info!(
                        "the app may not ask what people are called: give it the scope users:read"
                    );
                    self.may_not_ask.store(true, Ordering::Relaxed);
                }
                None
            }
            // Asked again with their next message.
            Ok(Err(ApiError::Web(_))) | Err(_) => return None,
        };
        let mut known = self.lock();
        if known.len() >= PEOPLE_MAX {
            known.clear();
        }
        known.insert(id.to_owned(), name.clone());
        name
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Option<String>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
