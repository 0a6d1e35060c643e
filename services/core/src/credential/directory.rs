//! Who is known by what: the digests of everything that opens one service.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use gatehouse_contract::Identity;
use subtle::ConstantTimeEq;
use tokio::time::Instant;

use super::{Credential, CredentialError, file};
use crate::{
    error::Chain,
    hex,
    secret::{Secret, digest},
    settings::Service,
};

/// How often the file is read again because somebody showed what is not in it: a guesser must not make us read more often.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The audience of a secret itself: whoever holds it can derive every token anyway.
const ANYWHERE: &str = "*";

/// Knows callers by what they show. Clones share what they know.
#[derive(Clone)]
pub struct Directory(Arc<Inner>);

struct Inner {
    source: Option<Source>,
    known: RwLock<Arc<[Entry]>>,
    looked: Mutex<Option<Instant>>,
    reading: AtomicBool,
}

struct Source {
    path: PathBuf,
    service: Service,
}

struct Entry {
    identity: Identity,
    digest: [u8; 32],
}

impl fmt::Debug for Directory {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Directory")
    }
}

impl Directory {
    /// What the file says about one service.
    pub(super) fn open(path: PathBuf, service: Service) -> Result<Self, CredentialError> {
        let known = read(&path, service)?;
        let source = Some(Source { path, service });
        Ok(Self::over(source, known))
    }

    /// Somebody who is known by a secret, and nobody else: for tests and for what keeps no files.
    #[must_use]
    pub fn of<'a>(known: impl IntoIterator<Item = (Identity, &'a Secret)>) -> Self {
        let entry = |(identity, secret): (_, &Secret)| Entry {
            identity,
            digest: secret.digest(),
        };
        Self::over(None, known.into_iter().map(entry).collect())
    }

    fn over(source: Option<Source>, known: Vec<Entry>) -> Self {
        Self(Arc::new(Inner {
            source,
            known: RwLock::new(known.into()),
            looked: Mutex::new(None),
            reading: AtomicBool::new(false),
        }))
    }

    /// Who shows this. Takes the same time whoever it is, and whoever it is not.
    #[must_use]
    pub fn identify(&self, shown: &str) -> Option<Identity> {
        let known = Arc::clone(&self.0.known.read().unwrap_or_else(PoisonError::into_inner));
        let digest = digest(shown);
        let mut found = None;
        for entry in known.iter() {
            if bool::from(entry.digest.ct_eq(&digest)) {
                found = Some(entry.identity);
            }
        }
        found
    }

    /// Whether it is time to read the file again for somebody whom we do not know. True at most once a second.
    pub(crate) fn looks_again(&self) -> bool {
        if self.0.source.is_none() {
            return false;
        }
        let mut looked = self.0.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let due = looked.is_none_or(|at| now.duration_since(at) >= LOOK_AGAIN);
        if due {
            *looked = Some(now);
        }
        due
    }

    /// Reads the file again. What cannot be read changes nothing.
    pub(crate) async fn reread(&self) {
        let inner = Arc::clone(&self.0);
        // One reader at a time: a disk that hangs must not cost a thread for each unknown caller.
        if inner.source.is_none() || inner.reading.swap(true, Ordering::AcqRel) {
            return;
        }
        let reading = tokio::task::spawn_blocking(move || {
            inner.reread();
            inner.reading.store(false, Ordering::Release);
        });
        let _ = reading.await; // it cannot fail, but the process may end
    }
}

impl Inner {
    fn reread(&self) {
        let Some(source) = &self.source else { return };
        match read(&source.path, source.service) {
            Ok(known) => *self.known.write().unwrap_or_else(PoisonError::into_inner) = known.into(),
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "the digests of the credentials cannot be read again; the last ones stay");
            }
        }
    }
}

/// The file's text: a line for each secret, and one for each token that is derived from it.
pub(super) fn written(credentials: &[Credential]) -> String {
    let mut lines = String::new();
    for credential in credentials {
        let mut line = |audience: &str, secret: &Secret| {
            lines.push_str(&format!(
                "{} {audience} {}\n",
                credential.identity,
                hex::encode(&secret.digest())
            ));
        };
        line(ANYWHERE, &credential.secret);
        for service in Service::ALL {
            line(service.name(), &credential.shown_to(service));
        }
    }
    lines
}

fn read(path: &Path, service: Service) -> Result<Vec<Entry>, CredentialError> {
    let text = std::fs::read_to_string(path).map_err(|source| file(path, source))?;
    let mut known = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let wrong = || CredentialError::Digests {
            path: path.display().to_string(),
            line: index + 1,
        };
        let mut words = line.split_ascii_whitespace();
        let (Some(name), Some(audience), Some(digest), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(wrong());
        };
        let digest = hex::digest(digest).ok_or_else(wrong)?;
        // An identity that this version does not know may call nothing of it.
        if let Some(identity) = Identity::parse(name)
            && (audience == ANYWHERE || audience == service.name())
        {
            known.push(Entry { identity, digest });
        }
    }
    Ok(known)
}
