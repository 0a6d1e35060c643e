//! `sessions.search`: words in what was said. Transcripts are looked through as they are read by anybody else, newest first and within
//! bounds, so that there is no index that could be behind.

use gatehouse_proto::session::v1 as proto;

use crate::error::Error;
use crate::key::{AgentId, SessionKey};
use crate::rows::text_of;
use crate::sessions::{SessionFilter, SessionRecord, SessionRef};
use crate::transcripts::{Entry, HistoryQuery, Role};
use crate::turns::Engine;
use crate::viewer::Viewer;

/// Rows of an answer unless the caller says otherwise.
const LIMIT: i64 = 10;
/// Sessions that are looked through: all that a person remembers.
const SESSIONS_MAX: u32 = 200;
/// Rows of one session that are looked through, a page at a time.
const ROWS_MAX: u32 = 1000;
const PAGE_ROWS: u32 = 250;
/// Bytes that are looked through for one question: some tenths of a second.
const BYTES_MAX: usize = 64 * 1024 * 1024;
const PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Characters around the first word that are shown.
const AROUND: usize = 80;
/// Different words of a question.
const WORDS_MAX: usize = 16;

/// What is looked for: all of these words.
#[derive(Debug)]
struct Words(Vec<String>);

impl Words {
    fn of(query: &str) -> Result<Self, Error> {
        let mut words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
        words.sort();
        words.dedup();
        words.truncate(WORDS_MAX);
        if words.is_empty() {
            return Err(Error::Field {
                path: "/query",
                problem: "is empty",
            });
        }
        Ok(Self(words))
    }

    /// Where the first of them stands, in characters, and which share of the text they are. `None`: one is missing.
    fn find(&self, text: &str) -> Option<(usize, f64)> {
        let text = text.to_lowercase();
        let (mut first, mut found) = (usize::MAX, 0);
        for word in &self.0 {
            first = first.min(text.find(word.as_str())?);
            found += text.matches(word.as_str()).count() * word.len();
        }
        let before = text.get(..first).map_or(0, |before| before.chars().count());
        #[expect(clippy::cast_precision_loss, reason = "a share, not a count")]
        let share = found as f64 / text.len().max(1) as f64;
        Some((before, share.min(1.0)))
    }
}

pub(super) async fn search(
    engine: &Engine,
    viewer: &Viewer,
    request: proto::SearchSessionsRequest,
) -> Result<proto::SearchSessionsResponse, Error> {
    let proto::SearchSessionsRequest {
        query,
        agent_id,
        session_keys,
        limit,
    } = request;
    let words = Words::of(&query)?;
    let limit = usize::try_from(limit.unwrap_or(LIMIT)).unwrap_or(1);
    let (sessions, mut truncated) = chosen(engine, viewer, agent_id, session_keys).await?;
    let mut left = BYTES_MAX;
    let mut hits = Vec::new();
    for session in sessions {
        if left == 0 {
            truncated = true;
            break;
        }
        truncated |= look(engine, &session, &words, &mut left, &mut hits).await?;
    }
    hits.sort_by(|a: &proto::SearchHit, b| b.score.total_cmp(&a.score).then(b.timestamp.cmp(&a.timestamp)));
    truncated |= hits.len() > limit;
    hits.truncate(limit);
    Ok(proto::SearchSessionsResponse {
        results: hits,
        indexing: false,
        truncated,
    })
}

/// The sessions that are looked through, and whether there are more.
async fn chosen(
    engine: &Engine,
    viewer: &Viewer,
    agent: Option<String>,
    keys: Vec<String>,
) -> Result<(Vec<SessionRecord>, bool), Error> {
    if keys.is_empty() {
        let filter = SessionFilter {
            viewer: viewer.clone(),
            agent: agent.as_deref().map(AgentId::normalise).transpose()?,
            limit: SESSIONS_MAX,
            ..SessionFilter::default()
        };
        let page = engine.stores().sessions.list(filter).await?;
        let all = i64::try_from(page.sessions.len()).unwrap_or(i64::MAX);
        return Ok((page.sessions, page.total > all));
    }
    let mut sessions: Vec<SessionRecord> = Vec::with_capacity(keys.len());
    for name in keys {
        // The agent beside it is that of aliases; a full key says its own.
        let agent = agent.clone().filter(|_| SessionKey::parse(&name).is_err());
        let key = SessionRef::new(name, agent).resolve(engine, viewer).await?;
        let session = engine.stores().sessions.find(&key).await?;
        sessions.extend(session.filter(|session| sessions.iter().all(|known| known.key != session.key)));
    }
    Ok((sessions, false))
}

/// Looks one session through, newest rows first. Answers whether older ones were left.
async fn look(
    engine: &Engine,
    session: &SessionRecord,
    words: &Words,
    left: &mut usize,
    hits: &mut Vec<proto::SearchHit>,
) -> Result<bool, Error> {
    let mut offset = 0;
    while offset < ROWS_MAX && *left > 0 {
        let query = HistoryQuery {
            limit: PAGE_ROWS,
            offset,
            after: None,
            bytes_max: PAGE_BYTES.min(*left),
        };
        let page = engine.stores().transcripts.history(&session.key, query).await?;
        for entry in &page.entries {
            *left = left.saturating_sub(entry.row.content.len());
            hits.extend(hit(session, entry, words));
        }
        if !page.has_more || page.entries.is_empty() {
            return Ok(false);
        }
        offset += u32::try_from(page.entries.len()).unwrap_or(ROWS_MAX);
    }
    Ok(true)
}

fn hit(session: &SessionRecord, entry: &Entry, words: &Words) -> Option<proto::SearchHit> {
    let role = match entry.row.role {
        Role::User | Role::Assistant => entry.row.role.word(),
        Role::Tool | Role::System => return None,
    };
    let text = text_of(&entry.row.content);
    let (first, score) = words.find(&text)?;
    Some(proto::SearchHit {
        session_key: session.key.to_string(),
        session_id: session.session_id.to_string(),
        message_id: entry.row.id.to_string(),
        role: role.to_owned(),
        timestamp: entry.row.timestamp.as_ms(),
        snippet: around(&text, first),
        score,
    })
}

/// One line of what stands around a place in a text.
fn around(text: &str, place: usize) -> String {
    let begin = place.saturating_sub(AROUND);
    let mut snippet: String = text.chars().skip(begin).take(2 * AROUND).collect();
    let goes_on = text.chars().nth(begin + 2 * AROUND).is_some();
    snippet = snippet.split_whitespace().collect::<Vec<_>>().join(" ");
    match (begin > 0, goes_on) {
        (true, true) => format!("…{snippet}…"),
        (true, false) => format!("…{snippet}"),
        (false, true) => format!("{snippet}…"),
        (false, false) => snippet,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_words_must_be_there_in_any_order_and_case() {
        let words = Words::of(" Straße  MÜLLER ").unwrap();

        let (place, whole) = words.find("müller straße").unwrap();
        let (_, part) = words
            .find("In der STRASSE wohnt keiner; in der Straße wohnt Müller")
            .unwrap();

        assert_eq!(place, 0);
        assert!(whole > part && part > 0.0, "{whole} {part}");
        assert_eq!(words.find("müller wohnt hier"), None);
        assert!(Words::of(" \n").is_err());
    }

    #[test]
    fn what_is_shown_is_one_line_around_the_first_word() {
        let text = format!("{}\nneedle {}", "ä ".repeat(200), "b".repeat(400));
        let (place, _) = Words::of("needle").unwrap().find(&text).unwrap();

        let shown = around(&text, place);

        assert!(
            shown.starts_with("…ä") && shown.ends_with("b…") && shown.contains("needle"),
            "{shown}"
        );
        assert!(!shown.contains('\n') && shown.chars().count() <= 2 * AROUND + 2);
        assert_eq!(around("short", 0), "short");
    }
}
