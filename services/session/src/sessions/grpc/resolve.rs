//! `sessions.resolve`: which session a key, an id, a label or a part of an address means.

use gatehouse_proto::session::v1 as proto;

use super::super::{Lookup, SessionFilter, SessionRecord, SessionRef, ShownKind};
use crate::agents::Agents;
use crate::error::Error;
use crate::id::SessionId;
use crate::key::{AgentId, SessionKey};
use crate::turns::Engine;
use crate::viewer::Viewer;

/// Sessions of which a caller chooses one: the contract's figure.
const CANDIDATES_MAX: usize = 10;
/// Digits of a short id: fewer would mean too many, and a UUID has no more.
const SHORT_ID_DIGITS: std::ops::RangeInclusive<usize> = 8..=32;
/// Longest title in an address: that of the page that writes them.
const SLUG_MAX: usize = 60;

/// How a session is named.
enum Name {
    Key(SessionRef),
    Id(SessionId),
    Label(String),
    ShortId { digits: String, slug: Option<String> },
    Reference { key: SessionRef, slug: Option<String> },
}

/// `sessions.resolve`.
struct Resolve {
    name: Name,
    agent: Option<AgentId>,
    parent: Option<SessionRef>,
    /// The names that a label may not mean.
    without: Vec<ShownKind>,
    allow_missing: bool,
}

impl TryFrom<proto::ResolveSessionRequest> for Resolve {
    type Error = Error;

    fn try_from(request: proto::ResolveSessionRequest) -> Result<Self, Error> {
        let proto::ResolveSessionRequest {
            key,
            agent_id,
            session_id,
            short_id,
            slug_hint,
            label,
            reference,
            spawned_by,
            allow_missing,
            include_global,
            include_unknown,
        } = request;
        let key = Some(key).filter(|key| !key.is_empty());
        if slug_hint.is_some() && short_id.is_none() {
            return Err(Error::Field {
                path: "/slugHint",
                problem: "needs shortId",
            });
        }
        let name = match (key, session_id, label, short_id, reference) {
            (Some(key), None, None, None, None) => Name::Key(SessionRef::new(key, agent_id.clone())),
            (None, Some(id), None, None, None) => Name::Id(SessionId::new(id)),
            (None, None, Some(label), None, None) => Name::Label(label),
            (None, None, None, Some(digits), None) => Name::ShortId {
                digits: short_id_of(&digits)?,
                slug: slug_hint,
            },
            (None, None, None, None, Some(proto::SessionReference { key, slug })) => Name::Reference {
                key: SessionRef::new(key, agent_id.clone()),
                slug: slug.filter(|slug| !slug.is_empty()),
            },
            (None, None, None, None, None) => {
                return Err(Error::Field {
                    path: "/key",
                    problem: "is needed, or sessionId, label, shortId or reference",
                });
            }
            _ => {
                return Err(Error::Field {
                    path: "/",
                    problem: "name the session by one of key, sessionId, label, shortId and reference",
                });
            }
        };
        let named = [
            (include_global, ShownKind::Global),
            (include_unknown, ShownKind::Unknown),
        ];
        Ok(Self {
            name,
            agent: agent_id.as_deref().map(AgentId::normalise).transpose()?,
            parent: spawned_by.map(|key| SessionRef::new(key, None)),
            without: named
                .into_iter()
                .filter_map(|(wanted, kind)| (wanted != Some(true)).then_some(kind))
                .collect(),
            allow_missing: allow_missing.unwrap_or(false),
        })
    }
}

fn short_id_of(text: &str) -> Result<String, Error> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    if SHORT_ID_DIGITS.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(digits.to_ascii_lowercase())
    } else {
        Err(Error::Field {
            path: "/shortId",
            problem: "is not 8 to 32 hexadecimal digits",
        })
    }
}

/// What a name means.
enum Meaning {
    /// A session that is named by its key.
    Key(SessionKey),
    /// A session that is named otherwise.
    Session(Box<SessionRecord>),
    Several(Vec<SessionRecord>),
    /// Nothing; what a caller is told behind "No session found".
    Nothing(String),
}

pub(crate) async fn resolve(
    engine: &Engine,
    viewer: &Viewer,
    request: proto::ResolveSessionRequest,
) -> Result<proto::ResolveSessionResponse, Error> {
    let resolve = Resolve::try_from(request)?;
    let agents = &engine.policy()?.agents;
    let allow_missing = resolve.allow_missing;
    match resolve.meaning(engine, viewer, agents).await? {
        Meaning::Key(key) => Ok(proto::ResolveSessionResponse {
            ok: true,
            agent_id: key.agent().to_string(),
            key: key.to_string(),
            ..proto::ResolveSessionResponse::default()
        }),
        Meaning::Session(session) => Ok(proto::ResolveSessionResponse {
            ok: true,
            key: session.key.to_string(),
            agent_id: session.agent.to_string(),
            display_name: session.title().map(str::to_owned),
            candidates: Vec::new(),
        }),
        Meaning::Several(sessions) => Ok(proto::ResolveSessionResponse {
            ok: false,
            candidates: sessions.iter().take(CANDIDATES_MAX).map(candidate).collect(),
            ..proto::ResolveSessionResponse::default()
        }),
        Meaning::Nothing(_) if allow_missing => Ok(proto::ResolveSessionResponse::default()),
        Meaning::Nothing(name) => Err(Error::NoneFound(name)),
    }
}

fn candidate(session: &SessionRecord) -> proto::SessionCandidate {
    proto::SessionCandidate {
        key: session.key.to_string(),
        agent_id: session.agent.to_string(),
        display_name: session.title().map(str::to_owned),
    }
}

impl Resolve {
    async fn meaning(self, engine: &Engine, viewer: &Viewer, agents: &Agents) -> Result<Meaning, Error> {
        let sessions = &engine.stores().sessions;
        let parent = self
            .parent
            .as_ref()
            .map(|parent| parent.key(agents))
            .transpose()?;
        let fits = |session: &SessionRecord| {
            viewer.may_see(session.user.as_deref())
                && agents.get(&session.agent).is_some()
                && self.agent.as_ref().is_none_or(|agent| *agent == session.agent)
                && parent
                    .as_ref()
                    .is_none_or(|parent| session.parent.as_ref() == Some(parent))
        };
        match self.name {
            Name::Key(name) => {
                let key = name.key(agents)?;
                agents.of(&key)?;
                let found = match sessions.find(&key).await? {
                    Some(session) => fits(&session),
                    // An agent's main session is always there, whether something was said in it or not.
                    None => key.is_main() && parent.is_none(),
                };
                Ok(if found {
                    Meaning::Key(key)
                } else {
                    Meaning::Nothing(format!(": {key}"))
                })
            }
            Name::Id(id) => {
                let mut found = sessions.look_up(Lookup::Id(id.clone())).await?;
                found.retain(fits);
                match found.as_slice() {
                    [session] => Ok(Meaning::Key(session.key.clone())),
                    [] => Ok(Meaning::Nothing(format!(": {id}"))),
                    [_, _, ..] => Err(Error::SeveralFound {
                        by: "id",
                        name: id.to_string(),
                    }),
                }
            }
            Name::Label(label) => {
                let filter = SessionFilter {
                    label: Some(label.clone()),
                    viewer: viewer.clone(),
                    without: self.without,
                    limit: 2,
                    ..SessionFilter::default()
                };
                let mut found = sessions.list(filter).await?.sessions;
                found.retain(fits);
                Ok(match found.pop() {
                    Some(session) => Meaning::Key(session.key), // labels are unique
                    None => Meaning::Nothing(format!(" with label: {label}")),
                })
            }
            Name::ShortId { digits, slug } => {
                let mut found = sessions.look_up(Lookup::ShortId(digits.clone())).await?;
                found.retain(|session| fits(session) && session.key.uuid().is_some());
                if let Some(hint) = slug
                    && found.iter().any(|session| reads_like(session, &hint))
                {
                    found.retain(|session| reads_like(session, &hint));
                }
                Ok(one_of(found, format!(": {digits}")))
            }
            Name::Reference { key, slug } => {
                // What is no key is a title alone.
                if let Ok(key) = key.key(agents)
                    && let Some(session) = sessions.find(&key).await?.filter(|session| fits(session))
                {
                    return Ok(Meaning::Session(Box::new(session)));
                }
                let nothing = format!(": {key}");
                let Some(slug) = slug else {
                    return Ok(Meaning::Nothing(nothing));
                };
                let mut found = sessions.look_up(Lookup::EndsWithUuid).await?;
                found.retain(|session| {
                    fits(session) && session.key.uuid().is_some() && reads_like(session, &slug)
                });
                Ok(one_of(found, nothing))
            }
        }
    }
}

fn one_of(mut found: Vec<SessionRecord>, name: String) -> Meaning {
    match (found.pop(), found.is_empty()) {
        (None, _) => Meaning::Nothing(name),
        (Some(session), true) => Meaning::Session(Box::new(session)),
        (Some(last), false) => {
            found.push(last);
            Meaning::Several(found)
        }
    }
}

fn reads_like(session: &SessionRecord, slug: &str) -> bool {
    let titles = [&session.display_name, &session.label, &session.derived_title];
    titles.into_iter().flatten().any(|title| slug_of(title) == slug)
}

/// A title as addresses write it: lower case words and hyphens, up to the last that is no hexadecimal number: the short id follows it.
fn slug_of(title: &str) -> String {
    let mut slug = String::new();
    for c in title.to_lowercase().chars() {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            slug.push(c);
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_matches('-');
    let last = slug.rfind(|c: char| ('g'..='z').contains(&c)).unwrap_or_default();
    let end = slug
        .char_indices()
        .skip_while(|(at, _)| *at < last)
        .find(|(_, c)| *c == '-')
        .map_or(slug.len(), |(at, _)| at);
    let words = if slug.contains(|c: char| ('g'..='z').contains(&c)) {
        slug.get(..end).unwrap_or_default()
    } else {
        ""
    };
    let cut = words.get(..words.len().min(SLUG_MAX)).unwrap_or_default();
    cut.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests;
