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
) STRICT;
INSERT INTO "deliveries" VALUES(1,'r1/0','r1','agent:main:main','{"channel":"irc","account_id":"home","to":"#room","reply_to_id":"m1"}','nothing there',1700000000002,'taken',0,0,1700000000003,NULL);
INSERT INTO "deliveries" VALUES(2,'r2/0','r2','agent:main:main','{"channel":"irc","account_id":"home","to":"#room","reply_to_id":"m1"}','[half] an ans',1700000000004,'waiting',0,0,NULL,NULL);
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
INSERT INTO "entries" VALUES(1,1,'e1-1','user','"look \"here\""',1700000000001,'r1',0,1,'{"senderLabel":"Ada"}');
INSERT INTO "entries" VALUES(1,2,'e1-2','assistant','[{"type":"text","text":"nothing there"}]',1700000000002,'r1',0,1,'{"provider":"p","model":"m","stopReason":"stop","usage":{"input":10,"output":5}}');
INSERT INTO "entries" VALUES(1,3,'e1-3','user','"and now?"',1700000000003,'r2',0,1,'{}');
INSERT INTO "entries" VALUES(1,4,'e1-4','assistant','[{"type":"text","text":"half an ans"},{"notice":true,"text":"The answer broke off.","type":"text"}]',1700000000004,'r2',0,1,'{"stopReason":"interrupted","errorMessage":"The answer broke off.","abortOrigin":"restart"}');
INSERT INTO "entries" VALUES(1,5,'e1-5','system','[{"type":"text","text":"A reply could not be sent to irc: gone"}]',1700000000005,'r2',0,0,'{"errorMessage":"A reply could not be sent to irc: gone"}');
INSERT INTO "entries" VALUES(1,6,'e1-6','assistant','[{"type":"hologram", "of": [1.0, "\u00e9"]}, {"type":"text","text":"see"}]',1700000000006,NULL,0,1,'{}');
INSERT INTO "entries" VALUES(2,1,'e2-1','user','"before the reset"',1700000000001,NULL,0,1,'{}');
INSERT INTO "entries" VALUES(2,2,'e2-2','system','"reset"',1700000000002,NULL,1,0,'{}');
INSERT INTO "entries" VALUES(2,3,'e2-3','user','"go"',1700000000003,'r3',0,1,'{}');
INSERT INTO "entries" VALUES(3,1,'e3-1','user','"later"',1700000000001,'r4',0,1,'{}');
CREATE TABLE inbound (
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    message TEXT NOT NULL,
    run TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (channel, account, message)
) STRICT, WITHOUT ROWID;
INSERT INTO "inbound" VALUES('irc','home','m1','r1',1700000000000);
CREATE TABLE requests (
    idempotency_key TEXT PRIMARY KEY,
    fingerprint BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "requests" VALUES('req-1',X'03',1700000000000);
CREATE TABLE session_counts (
    agent TEXT NOT NULL,
    archived INTEGER NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (agent, archived)
) STRICT, WITHOUT ROWID;
INSERT INTO "session_counts" VALUES('main',0,3);
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
INSERT INTO "sessions" VALUES(1,'agent:main:main','main','t-main','direct','1',1700000000000,1700000000006,1700000000006,NULL,NULL,'look','nothing there','irc','channel','{"channel":"irc","account_id":"home","to":"#room","reply_to_id":"m1"}','done',NULL,'r2',NULL,NULL,0,NULL,'p','m',NULL,NULL,10,5,0,0,0,1,6);
INSERT INTO "sessions" VALUES(2,'agent:main:dash','main','t-dash','direct','1',1700000000000,1700000000003,1700000000003,'Dash',NULL,NULL,'go',NULL,NULL,NULL,'running','r3','r3',NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,10,5,0,0,0,2,3);
INSERT INTO "sessions" VALUES(3,'agent:main:later','main','t-later','direct','1',1700000000000,1700000000001,1700000000001,NULL,NULL,NULL,'later',NULL,NULL,NULL,'queued',NULL,'r4',NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,10,5,0,0,0,1,1);
CREATE TABLE turn_texts (
    run TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    part INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (run, attempt, part)
) STRICT, WITHOUT ROWID;
INSERT INTO "turn_texts" VALUES('r3',1,1,'going ');
INSERT INTO "turn_texts" VALUES('r3',1,2,'on');
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
, effects INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO "turns" VALUES(1,'r1',1,'agent:main:main','t-main','done','gone',NULL,1,1,'followup','{"channel":"irc","account_id":"home","to":"#room","reply_to_id":"m1"}',X'0102',NULL,NULL,NULL,5,1700000000000,1700000000000,1700000000001,1700000000002,'stop',NULL,NULL,NULL,2,'00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',0);
INSERT INTO "turns" VALUES(2,'r2',1,'agent:main:main','t-main','interrupted','gone',NULL,2,2,'followup',NULL,X'0102',NULL,NULL,NULL,5,1700000000000,1700000000000,1700000000003,1700000000004,'restart','The answer broke off.',NULL,NULL,4,NULL,0);
INSERT INTO "turns" VALUES(3,'r3',2,'agent:main:dash','t-dash','running','dead',1700000015000,1,1,'followup',NULL,X'0102',NULL,NULL,NULL,5,1700000000000,1700000000000,1700000000003,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0);
INSERT INTO "turns" VALUES(4,'r4',3,'agent:main:later','t-later','queued',NULL,NULL,0,0,'followup','{"channel":"irc","account_id":"home","to":"#room","reply_to_id":"m1"}',X'0102',NULL,NULL,NULL,5,1700000000000,1700000000000,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0);
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
CREATE TRIGGER turn_text_of_ended AFTER UPDATE OF ended_at ON turns BEGIN
    DELETE FROM turn_texts WHERE run = new.run;
END;
CREATE TRIGGER turn_text_of_forgotten AFTER DELETE ON turns BEGIN
    DELETE FROM turn_texts WHERE run = old.run;
END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('sessions',3);
INSERT INTO "sqlite_sequence" VALUES('turns',4);
INSERT INTO "sqlite_sequence" VALUES('deliveries',2);
COMMIT;
PRAGMA user_version = 3;
