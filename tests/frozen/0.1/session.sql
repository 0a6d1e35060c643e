PRAGMA user_version = 18;
BEGIN TRANSACTION;
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
, content TEXT, traceparent TEXT) STRICT;
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
INSERT INTO "entries" VALUES(1,1,'01a2236d-e131-7576-9c4a-46a24bf698b0','user','"what the first release was told"',1795890733361,'4963735d-cf89-4104-98e5-8a98d9287337',0,1,'{}');
INSERT INTO "entries" VALUES(1,2,'01a2236d-e22b-74e0-8088-f8cd6faedb9f','assistant','[{"type":"text","text":"what the first release was told\n\n(This is the echo agent of \"clerk\": it only repeats what you say. For real answers, run `gatehouse setup`; or add a provider under models.providers in gatehouse.json5 and name its model in agents.defaults.model.primary.)"}]',1795890733611,'4963735d-cf89-4104-98e5-8a98d9287337',0,1,'{"provider":"echo","model":"echo","stopReason":"stop","usage":{"input":6,"output":38}}');
CREATE TABLE gatehouse_probe (id INTEGER PRIMARY KEY, count INTEGER NOT NULL);
INSERT INTO "gatehouse_probe" VALUES(1,3);
CREATE TABLE hooks (
    key TEXT PRIMARY KEY,
    fingerprint BLOB NOT NULL,
    runs TEXT NOT NULL, -- JSON
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE inbound (
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    message TEXT NOT NULL,
    run TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (channel, account, message)
) STRICT, WITHOUT ROWID;
CREATE TABLE media (
    id TEXT PRIMARY KEY,
    mime_type TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    kept_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE media_refs (
    media TEXT NOT NULL,
    session INTEGER NOT NULL,
    PRIMARY KEY (media, session)
) STRICT, WITHOUT ROWID;
CREATE TABLE media_total (one INTEGER PRIMARY KEY CHECK (one = 1), bytes INTEGER NOT NULL) STRICT;
INSERT INTO "media_total" VALUES(1,0);
CREATE TABLE node_invocation_media (
    invocation INTEGER NOT NULL,
    position INTEGER NOT NULL,
    media TEXT NOT NULL,
    PRIMARY KEY (invocation, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE node_invocations (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    node TEXT NOT NULL,
    command TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    client TEXT,
    device TEXT,
    state TEXT NOT NULL,
    foreground INTEGER NOT NULL DEFAULT 0,
    params TEXT,
    session_key TEXT,
    timeout_ms INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    expires_at INTEGER,
    result TEXT,
    result_text TEXT,
    has_result INTEGER NOT NULL DEFAULT 0,
    error_code TEXT,
    error_message TEXT
, user TEXT) STRICT;
CREATE TABLE nodes (
    id TEXT PRIMARY KEY,
    facts TEXT NOT NULL,
    name TEXT,
    granted TEXT,
    created_at INTEGER,
    approved_at INTEGER,
    request TEXT UNIQUE,
    asked TEXT,
    asked_at INTEGER,
    connected_at INTEGER NOT NULL,
    disconnected_at INTEGER,
    seen_at INTEGER NOT NULL,
    seen_reason TEXT NOT NULL,
    stats TEXT,
    session_host INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TABLE requests (
    idempotency_key TEXT PRIMARY KEY,
    fingerprint BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE schedule_jobs (
    id TEXT PRIMARY KEY,
    declaration TEXT UNIQUE,
    spec TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    next_slot INTEGER, -- NULL: none is due by itself
    last_slot INTEGER,
    state TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "schedule_jobs" VALUES('2c5b747a-07d3-4c04-956d-493abaa9824d',NULL,'{"name":"brief","schedule":{"kind":"cron","expr":"0 7 * * *","tz":"Europe/Berlin"},"sessionTarget":"isolated","wakeMode":"now","payload":{"kind":"agentTurn","message":"Good morning"},"delivery":{"mode":"none"}}',1,1,1795890745123,1795890745123,1795932000000,NULL,'{}');
CREATE TABLE schedule_posts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job TEXT NOT NULL,
    kind TEXT NOT NULL,
    slot INTEGER NOT NULL,
    url TEXT NOT NULL,
    body TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    not_before INTEGER NOT NULL
) STRICT;
CREATE TABLE schedule_slots (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    job TEXT NOT NULL,
    kind TEXT NOT NULL,
    slot INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('claimed', 'fired', 'skipped', 'missed')),
    fire_at INTEGER NOT NULL,
    catches_up INTEGER NOT NULL DEFAULT 0,
    reason TEXT,
    claimed_at INTEGER NOT NULL,
    fired_at INTEGER,
    ended_at INTEGER,
    status TEXT,
    error TEXT,
    summary TEXT,
    session_key TEXT,
    session_id TEXT,
    is_isolated INTEGER NOT NULL DEFAULT 0, -- a session of its own, which is forgotten after a while
    target TEXT,
    delivered TEXT,
    delivery_error TEXT,
    provider TEXT,
    model TEXT,
    attempt INTEGER NOT NULL DEFAULT 0,
    job_name TEXT NOT NULL,
    agent TEXT,
    UNIQUE (job, slot, kind)
) STRICT;
CREATE TABLE session_counts (
    agent TEXT NOT NULL,
    archived INTEGER NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (agent, archived)
) STRICT, WITHOUT ROWID;
INSERT INTO "session_counts" VALUES('clerk',0,1);
CREATE TABLE session_groups (
    kind TEXT NOT NULL,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (kind, position),
    UNIQUE (kind, name)
) STRICT, WITHOUT ROWID;
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
, context_seq INTEGER NOT NULL DEFAULT 0, category TEXT, parent TEXT, archived_at INTEGER, pinned_at INTEGER, marked_unread_at INTEGER, last_read_at INTEGER, last_activity_at INTEGER, settings TEXT, user TEXT, keep_ms INTEGER, expires_at INTEGER, begun_at INTEGER, talked_at INTEGER) STRICT;
INSERT INTO "sessions" VALUES(1,'agent:clerk:main','clerk','01a2236d-e132-7283-82a5-57ef03d89c16','direct','01a2236d-e132-7283-82a5-57f005a71740',1795890733361,1795890733611,1795890733611,NULL,NULL,'what the first release was told','what the first release was told  (This is the echo agent of "clerk": it only repeats what you say. For real answers, run `gatehouse setup`; or add a provider under models.providers in gatehouse.json5 and name its model in agents.defaults.m…',NULL,NULL,NULL,'done',NULL,'4963735d-cf89-4104-98e5-8a98d9287337',1795890733361,1795890733611,0,NULL,'echo','echo',NULL,NULL,6,38,0,0,0,1,2,0,NULL,NULL,NULL,NULL,NULL,1795890733361,1795890733611,NULL,NULL,NULL,NULL,NULL,1795890733361);
CREATE TABLE turn_steps (
    run TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    step INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (run, attempt, step)
) STRICT, WITHOUT ROWID;
CREATE TABLE turn_texts (
    run TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    part INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (run, attempt, part)
) STRICT, WITHOUT ROWID;
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
, effects INTEGER NOT NULL DEFAULT 0, task TEXT, read_after INTEGER, sender TEXT, asked TEXT, program BLOB) STRICT;
INSERT INTO "turns" VALUES(1,'4963735d-cf89-4104-98e5-8a98d9287337',1,'agent:clerk:main','01a2236d-e132-7283-82a5-57ef03d89c16','done','01a2236d-db2c-7548-b74a-3a4a82e6c74b',NULL,1,1,'steer',NULL,X'6CEB8A942826AADC737A959DA970A046C4C984078143D13A740DE0F363280612',NULL,NULL,NULL,33,1795890733361,1795890733361,1795890733361,1795890733611,'stop',NULL,NULL,NULL,2,'00-f9903ecaba7662918e382dfd4ee3dd47-3c711f6c06b788fe-01',0,NULL,NULL,NULL,'echo',NULL);
CREATE INDEX sessions_newest ON sessions (archived, updated_at DESC, id DESC);
CREATE INDEX sessions_newest_of_all ON sessions (updated_at DESC, id DESC);
CREATE INDEX sessions_newest_of_agent ON sessions (agent, archived, updated_at DESC, id DESC);
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
CREATE UNIQUE INDEX entries_in_order ON entries (session, seq);
CREATE UNIQUE INDEX turns_active ON turns (session) WHERE state IN ('leased', 'running');
CREATE INDEX turns_queued ON turns (session, id) WHERE state = 'queued';
CREATE INDEX turns_ended ON turns (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX inbound_by_age ON inbound (created_at);
CREATE INDEX deliveries_waiting ON deliveries (id) WHERE state = 'waiting';
CREATE INDEX deliveries_settled ON deliveries (settled_at) WHERE settled_at IS NOT NULL;
CREATE INDEX turns_waiting ON turns (id, session, not_before, queued_at) WHERE state = 'queued';
CREATE INDEX deliveries_waiting_of_session ON deliveries (session_key, id, not_before) WHERE state = 'waiting';
CREATE INDEX turns_merged ON turns (session, run, merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX sessions_newest_of_agent_and_all ON sessions (agent, updated_at DESC, id DESC);
CREATE INDEX requests_by_age ON requests (created_at);
CREATE TRIGGER turn_ended AFTER UPDATE OF ended_at ON turns BEGIN
    DELETE FROM turn_texts WHERE run = new.run;
    DELETE FROM turn_steps WHERE run = new.run;
END;
CREATE TRIGGER turn_forgotten AFTER DELETE ON turns BEGIN
    DELETE FROM turn_texts WHERE run = old.run;
    DELETE FROM turn_steps WHERE run = old.run;
END;
CREATE INDEX media_by_age ON media (kept_at);
CREATE TRIGGER media_weighed AFTER INSERT ON media BEGIN
    UPDATE media_total SET bytes = bytes + new.bytes WHERE one = 1;
END;
CREATE TRIGGER media_unweighed AFTER DELETE ON media BEGIN
    UPDATE media_total SET bytes = bytes - old.bytes WHERE one = 1;
END;
CREATE INDEX media_refs_of_session ON media_refs (session);
CREATE TRIGGER media_of_forgotten AFTER DELETE ON sessions BEGIN
    DELETE FROM media_refs WHERE session = old.id;
END;
CREATE INDEX node_invocations_of_node ON node_invocations (node, n DESC);
CREATE INDEX node_invocations_waiting ON node_invocations (node, foreground, n) WHERE state = 'queued';
CREATE INDEX node_invocations_expiring ON node_invocations (expires_at) WHERE state = 'queued';
CREATE INDEX node_invocations_running ON node_invocations (n) WHERE state = 'running';
CREATE INDEX node_invocations_ended ON node_invocations (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX node_invocations_with_result ON node_invocations (ended_at) WHERE has_result = 1;
CREATE INDEX sessions_of_parent ON sessions (parent, updated_at DESC, id DESC) WHERE parent IS NOT NULL;
CREATE INDEX sessions_of_category ON sessions (category) WHERE category IS NOT NULL;
CREATE INDEX sessions_by_id ON sessions (session_id);
CREATE INDEX node_invocation_media_by_medium ON node_invocation_media (media);
CREATE TRIGGER media_of_forgotten_invocations AFTER DELETE ON node_invocations BEGIN
    DELETE FROM node_invocation_media WHERE invocation = old.n;
END;
CREATE TRIGGER program_of_ended AFTER UPDATE OF ended_at ON turns WHEN new.program IS NOT NULL BEGIN
    UPDATE turns SET program = NULL WHERE id = new.id;
END;
CREATE INDEX sessions_expiring ON sessions (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX schedule_jobs_due ON schedule_jobs (next_slot) WHERE next_slot IS NOT NULL;
CREATE INDEX schedule_slots_claimed ON schedule_slots (fire_at) WHERE state = 'claimed';
CREATE INDEX schedule_slots_catching_up ON schedule_slots (fire_at) WHERE state = 'claimed' AND catches_up = 1;
CREATE INDEX schedule_slots_open ON schedule_slots (job) WHERE ended_at IS NULL;
CREATE INDEX schedule_slots_under_way ON schedule_slots (n) WHERE state = 'fired' AND ended_at IS NULL;
CREATE INDEX schedule_slots_ended ON schedule_slots (ended_at, n) WHERE ended_at IS NOT NULL;
CREATE INDEX schedule_slots_ended_of_job ON schedule_slots (job, ended_at, n) WHERE ended_at IS NOT NULL;
CREATE INDEX schedule_slots_isolated ON schedule_slots (job, ended_at) WHERE is_isolated = 1;
CREATE TRIGGER schedule_slot_ends_once BEFORE UPDATE OF state ON schedule_slots WHEN old.state <> 'claimed' BEGIN
    SELECT RAISE(ABORT, 'a slot left its claim twice');
END;
CREATE INDEX hooks_by_age ON hooks (created_at);
CREATE UNIQUE INDEX node_invocations_by_asker
    ON node_invocations (node, key, ifnull(client, ''), ifnull(device, ''), ifnull(user, ''));
CREATE INDEX schedule_posts_due ON schedule_posts (not_before);
COMMIT;
