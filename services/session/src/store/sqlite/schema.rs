//! The tables. A migration is never changed once released; the next one follows it.

/// In order; the database remembers how many it has seen.
pub(super) const MIGRATIONS: &[&str] = &[
    r"
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- never used twice: rows of a forgotten session must not reappear
    key TEXT NOT NULL UNIQUE,
    agent TEXT NOT NULL,
    session_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    lifecycle_revision TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    last_interaction_at INTEGER,
    label TEXT UNIQUE,
    display_name TEXT,
    derived_title TEXT,
    preview TEXT,
    channel TEXT,
    chat_type TEXT,
    target TEXT,
    status TEXT,
    active_run TEXT,
    last_run TEXT,
    started_at INTEGER,
    ended_at INTEGER,
    aborted_last_run INTEGER NOT NULL DEFAULT 0,
    model_override TEXT,
    answered_provider TEXT,
    answered_model TEXT,
    thinking_level TEXT,
    queue_mode TEXT,
    input_tokens INTEGER NOT NULL DEFAULT 0,
    output_tokens INTEGER NOT NULL DEFAULT 0,
    archived INTEGER NOT NULL DEFAULT 0,
    pinned INTEGER NOT NULL DEFAULT 0,
    unread INTEGER NOT NULL DEFAULT 0,
    first_seq INTEGER NOT NULL DEFAULT 1,
    last_seq INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX sessions_newest ON sessions (archived, updated_at DESC, id DESC);
CREATE INDEX sessions_newest_of_all ON sessions (updated_at DESC, id DESC);
CREATE INDEX sessions_newest_of_agent ON sessions (agent, archived, updated_at DESC, id DESC);

-- How many sessions there are, so that a list's total costs nothing.
CREATE TABLE session_counts (
    agent TEXT NOT NULL,
    archived INTEGER NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (agent, archived)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER session_counted AFTER INSERT ON sessions BEGIN
    INSERT INTO session_counts (agent, archived, n) VALUES (new.agent, new.archived, 1)
        ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER session_uncounted AFTER DELETE ON sessions BEGIN
    UPDATE session_counts SET n = n - 1 WHERE agent = old.agent AND archived = old.archived;
END;
CREATE TRIGGER session_recounted AFTER UPDATE OF archived ON sessions WHEN old.archived <> new.archived BEGIN
    UPDATE session_counts SET n = n - 1 WHERE agent = old.agent AND archived = old.archived;
    INSERT INTO session_counts (agent, archived, n) VALUES (new.agent, new.archived, 1)
        ON CONFLICT DO UPDATE SET n = n + 1;
END;

-- Transcripts: rows are added, never changed.
CREATE TABLE entries (
    session INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    entry_id TEXT NOT NULL,
    role TEXT NOT NULL,
    content TEXT NOT NULL,
    timestamp INTEGER NOT NULL,
    run TEXT,
    boundary INTEGER NOT NULL,
    in_context INTEGER NOT NULL,
    extra TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX entries_in_order ON entries (session, seq);

CREATE TABLE turns (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of arrival
    run TEXT NOT NULL UNIQUE,
    session INTEGER NOT NULL,
    key TEXT NOT NULL,
    session_id TEXT NOT NULL,
    state TEXT NOT NULL,
    owner TEXT,
    lease_until INTEGER,
    visible INTEGER NOT NULL DEFAULT 0,
    attempt INTEGER NOT NULL DEFAULT 0,
    mode TEXT NOT NULL,
    target TEXT,
    fingerprint BLOB NOT NULL,
    model TEXT,
    thinking TEXT,
    timeout_ms INTEGER,
    bytes INTEGER NOT NULL,
    queued_at INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    stop_reason TEXT,
    error TEXT,
    abort_origin TEXT,
    merged_into TEXT,
    answer_seq INTEGER,
    traceparent TEXT
) STRICT;
-- S1: the database itself refuses a second turn that is leased or running.
CREATE UNIQUE INDEX turns_active ON turns (session) WHERE state IN ('leased', 'running');
CREATE INDEX turns_queued ON turns (session, id) WHERE state = 'queued';
CREATE INDEX turns_ended ON turns (ended_at) WHERE ended_at IS NOT NULL;

-- Messages of channels that were taken: the key against doubles.
CREATE TABLE inbound (
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    message TEXT NOT NULL,
    run TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (channel, account, message)
) STRICT, WITHOUT ROWID;
CREATE INDEX inbound_by_age ON inbound (created_at);

-- Replies on their way to the bridge.
CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    run TEXT NOT NULL,
    session_key TEXT NOT NULL,
    target TEXT NOT NULL,
    text TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting',
    attempts INTEGER NOT NULL DEFAULT 0,
    not_before INTEGER NOT NULL DEFAULT 0,
    settled_at INTEGER,
    error TEXT
) STRICT;
CREATE INDEX deliveries_waiting ON deliveries (id) WHERE state = 'waiting';
CREATE INDEX deliveries_settled ON deliveries (settled_at) WHERE settled_at IS NOT NULL;
",
    r"
-- What waits, in the order of arrival, with all that the choice of the next turn asks: the planner took the table's own order
-- instead, and read every turn there ever was.
CREATE INDEX turns_waiting ON turns (id, session, not_before, queued_at) WHERE state = 'queued';
-- Whether an older reply of a chat waits is asked for each reply that waits.
CREATE INDEX deliveries_waiting_of_session ON deliveries (session_key, id, not_before) WHERE state = 'waiting';
-- Which turn answers a message that was merged into another one.
CREATE INDEX turns_merged ON turns (session, run, merged_into) WHERE merged_into IS NOT NULL;
-- A list of one agent's sessions, archived or not.
CREATE INDEX sessions_newest_of_agent_and_all ON sessions (agent, updated_at DESC, id DESC);

-- Requests with an idempotency key that made no turn.
CREATE TABLE requests (
    idempotency_key TEXT PRIMARY KEY,
    fingerprint BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX requests_by_age ON requests (created_at);
",
    r"
-- `visible` counts the attempts that showed something; what is in `effects` forbids another attempt.
ALTER TABLE turns ADD COLUMN effects INTEGER NOT NULL DEFAULT 0;
-- The text in flight of turns that have not ended, in the pieces in which it was kept.
CREATE TABLE turn_texts (
    run TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    part INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (run, attempt, part)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER turn_text_of_ended AFTER UPDATE OF ended_at ON turns BEGIN
    DELETE FROM turn_texts WHERE run = new.run;
END;
CREATE TRIGGER turn_text_of_forgotten AFTER DELETE ON turns BEGIN
    DELETE FROM turn_texts WHERE run = old.run;
END;
",
    r"
-- What a reply says beside words; NULL: the text alone.
ALTER TABLE deliveries ADD COLUMN content TEXT;
-- The trace of its turn.
ALTER TABLE deliveries ADD COLUMN traceparent TEXT;
-- Which rows of a turn that goes on are in its transcript already, by their number in the attempt.
CREATE TABLE turn_steps (
    run TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    step INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (run, attempt, step)
) STRICT, WITHOUT ROWID;
-- One trigger for all that goes with the end of a turn, and one for all that goes with the turn.
DROP TRIGGER turn_text_of_ended;
CREATE TRIGGER turn_ended AFTER UPDATE OF ended_at ON turns BEGIN
    DELETE FROM turn_texts WHERE run = new.run;
    DELETE FROM turn_steps WHERE run = new.run;
END;
DROP TRIGGER turn_text_of_forgotten;
CREATE TRIGGER turn_forgotten AFTER DELETE ON turns BEGIN
    DELETE FROM turn_texts WHERE run = old.run;
    DELETE FROM turn_steps WHERE run = old.run;
END;
",
    r"
-- Models read a conversation from this row on: what was said before stands in the row of a compaction.
ALTER TABLE sessions ADD COLUMN context_seq INTEGER NOT NULL DEFAULT 0;
-- What a turn does instead of answering; NULL: it answers.
ALTER TABLE turns ADD COLUMN task TEXT;
-- The media that are kept, by the SHA-256 of their bytes. The bytes are files.
CREATE TABLE media (
    id TEXT PRIMARY KEY,
    mime_type TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    kept_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX media_by_age ON media (kept_at);
-- What they weigh together, so that a bound on it costs nothing.
CREATE TABLE media_total (one INTEGER PRIMARY KEY CHECK (one = 1), bytes INTEGER NOT NULL) STRICT;
INSERT INTO media_total (one, bytes) VALUES (1, 0);
CREATE TRIGGER media_weighed AFTER INSERT ON media BEGIN
    UPDATE media_total SET bytes = bytes + new.bytes WHERE one = 1;
END;
CREATE TRIGGER media_unweighed AFTER DELETE ON media BEGIN
    UPDATE media_total SET bytes = bytes - old.bytes WHERE one = 1;
END;
-- Which sessions' transcripts name them.
CREATE TABLE media_refs (
    media TEXT NOT NULL,
    session INTEGER NOT NULL,
    PRIMARY KEY (media, session)
) STRICT, WITHOUT ROWID;
CREATE INDEX media_refs_of_session ON media_refs (session);
CREATE TRIGGER media_of_forgotten AFTER DELETE ON sessions BEGIN
    DELETE FROM media_refs WHERE session = old.id;
END;
",
    super::nodes::MIGRATION,
    r"
-- What a session is put into and where it was begun from; since when it is put away, kept at the top and marked; when it was
-- read, and what else its owner set, as JSON.
ALTER TABLE sessions ADD COLUMN category TEXT;
ALTER TABLE sessions ADD COLUMN parent TEXT;
ALTER TABLE sessions ADD COLUMN archived_at INTEGER;
ALTER TABLE sessions ADD COLUMN pinned_at INTEGER;
ALTER TABLE sessions ADD COLUMN marked_unread_at INTEGER;
ALTER TABLE sessions ADD COLUMN last_read_at INTEGER;
ALTER TABLE sessions ADD COLUMN last_activity_at INTEGER;
ALTER TABLE sessions ADD COLUMN settings TEXT;
-- What stands there was read; what was marked stays so. `pinned` and `unread` are not written any more.
UPDATE sessions SET last_read_at = updated_at, archived_at = iif(archived, updated_at, NULL),
    pinned_at = iif(pinned, updated_at, NULL), marked_unread_at = iif(unread, updated_at, NULL);
CREATE INDEX sessions_of_parent ON sessions (parent, updated_at DESC, id DESC) WHERE parent IS NOT NULL;
CREATE INDEX sessions_of_category ON sessions (category) WHERE category IS NOT NULL;
CREATE INDEX sessions_by_id ON sessions (session_id);
-- Behind which row a message is read that steered the turn which answers it.
ALTER TABLE turns ADD COLUMN read_after INTEGER;
-- The groups that sessions are put into, and the order of what a side bar shows.
CREATE TABLE session_groups (
    kind TEXT NOT NULL,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (kind, position),
    UNIQUE (kind, name)
) STRICT, WITHOUT ROWID;
",
    r"
-- Who said it; NULL: the owner, a process, or a message of an earlier version.
ALTER TABLE turns ADD COLUMN sender TEXT;
",
    r"
-- The named user whose session it is; NULL: nobody's in particular, as all of earlier versions are.
ALTER TABLE sessions ADD COLUMN user TEXT;
",
    r"
-- What the results of nodes held that is seen or heard, for as long as their invocations are remembered.
CREATE TABLE node_invocation_media (
    invocation INTEGER NOT NULL,
    position INTEGER NOT NULL,
    media TEXT NOT NULL,
    PRIMARY KEY (invocation, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX node_invocation_media_by_medium ON node_invocation_media (media);
CREATE TRIGGER media_of_forgotten_invocations AFTER DELETE ON node_invocations BEGIN
    DELETE FROM node_invocation_media WHERE invocation = old.n;
END;
",
    r"
-- The provider whose model writes what was shown of it; NULL: nothing was, or by an earlier version.
ALTER TABLE turns ADD COLUMN asked TEXT;
",
    r"
-- What a program brought with its turn, until it has ended: its tools, its parameters and its conversation. NULL: no program did.
ALTER TABLE turns ADD COLUMN program BLOB;
CREATE TRIGGER program_of_ended AFTER UPDATE OF ended_at ON turns WHEN new.program IS NOT NULL BEGIN
    UPDATE turns SET program = NULL WHERE id = new.id;
END;
-- How long a session is kept after its last turn, in milliseconds, and until when; NULL: for ever.
ALTER TABLE sessions ADD COLUMN keep_ms INTEGER;
ALTER TABLE sessions ADD COLUMN expires_at INTEGER;
CREATE INDEX sessions_expiring ON sessions (expires_at) WHERE expires_at IS NOT NULL;
",
    super::schedules::MIGRATION,
    r"
-- The named user who asked a node for something; NULL: the owner, a process, or whoever asked an earlier version.
ALTER TABLE node_invocations ADD COLUMN user TEXT;
",
    super::schedules::hooks::MIGRATION,
    r"
-- A key is its asker's own: the same one from somebody else is another request.
DROP INDEX node_invocations_by_key;
CREATE UNIQUE INDEX node_invocations_by_asker
    ON node_invocations (node, key, ifnull(client, ''), ifnull(device, ''), ifnull(user, ''));
",
    super::schedules::posts::MIGRATION,
    r"
-- When the transcript began, and when somebody said something last; NULL: as in earlier versions, when the session was made and when
-- anything happened.
ALTER TABLE sessions ADD COLUMN begun_at INTEGER;
ALTER TABLE sessions ADD COLUMN talked_at INTEGER;
",
    r"
-- The ids of the transcripts that were a session's before the one that is: clients name what they look at by them, and do not all hear of
-- a reset. A transcript that ended under an earlier version is in no row.
CREATE TABLE former_transcripts (
    session_id TEXT PRIMARY KEY,
    session INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX former_transcripts_of ON former_transcripts (session);
CREATE TRIGGER transcript_ended AFTER UPDATE OF session_id ON sessions WHEN old.session_id <> new.session_id BEGIN
    INSERT OR REPLACE INTO former_transcripts (session_id, session) VALUES (old.session_id, old.id);
END;
CREATE TRIGGER transcripts_of_forgotten AFTER DELETE ON sessions BEGIN
    DELETE FROM former_transcripts WHERE session = old.id;
END;
",
];
