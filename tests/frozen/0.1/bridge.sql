PRAGMA user_version = 10;
BEGIN TRANSACTION;
CREATE TABLE account_lease (
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    owner TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (channel, account)
) WITHOUT ROWID;
INSERT INTO "account_lease" VALUES('webhook','shop','01a2236d-da27-7328-bd70-7538633a60c5',9223372036854775807);
CREATE TABLE account_state (
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (channel, account, name)
) WITHOUT ROWID;
CREATE TABLE approved_sender (
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    sender_id TEXT NOT NULL,
    request_id TEXT NOT NULL,
    approved_at INTEGER NOT NULL,
    PRIMARY KEY (channel, account, sender_id)
) WITHOUT ROWID;
CREATE TABLE gatehouse_probe (id INTEGER PRIMARY KEY, count INTEGER NOT NULL);
INSERT INTO "gatehouse_probe" VALUES(1,4);
CREATE TABLE inbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    message_id TEXT NOT NULL,
    chat_id TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'refused', 'adopted')),
    message TEXT NOT NULL,          -- JSON; empty once settled
    reason TEXT,                    -- of a refusal
    run_id TEXT,                    -- of an adoption
    attempts INTEGER NOT NULL DEFAULT 0,
    next_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL, traceparent TEXT, urgent INTEGER NOT NULL DEFAULT 0,
    UNIQUE (channel, account, message_id)
);
INSERT INTO "inbox" VALUES(1,'webhook','shop','m1','anna','refused','','pairing: a code was offered',NULL,0,1795890759885,1795890759885,'00-c6dee02ad2e10dcd97c3dc3405ed6e2a-f337fecdec3befa1-01',0);
CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    delivery_key TEXT NOT NULL UNIQUE,
    run_id TEXT NOT NULL,
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    chat TEXT NOT NULL,
    thread_id TEXT,
    reply_to_id TEXT,
    text TEXT NOT NULL,             -- empty once settled
    state TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sending', 'sent', 'unknown', 'dead')),
    late INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    unknowns INTEGER NOT NULL DEFAULT 0,
    next_at INTEGER NOT NULL,
    reason TEXT,
    created_at INTEGER NOT NULL,
    queued_at INTEGER NOT NULL,
    settled_at INTEGER
, fingerprint BLOB, content TEXT, traceparent TEXT, session_key TEXT, dropped INTEGER NOT NULL DEFAULT 0, part_count INTEGER NOT NULL DEFAULT 1);
INSERT INTO "outbox" VALUES(1,'01a2236e-48db-7076-8f56-ff2838a8bb10','pairing/01a2236e-48da-7699-b1eb-cea610dcefb1/code','pairing/01a2236e-48da-7699-b1eb-cea610dcefb1','webhook','shop','anna',NULL,NULL,'We have not met. The owner of this assistant can let you in within an hour, with this code: T3VMQ63N','queued',0,5,0,1795890782553,NULL,1795890759898,1795890759899,NULL,X'0BBAB9FC794272B22B627AA4B18FDF17604691C67E14396268371BDC9F01F2CF',NULL,'00-c6dee02ad2e10dcd97c3dc3405ed6e2a-f337fecdec3befa1-01',NULL,0,1);
CREATE TABLE outbox_part (
    delivery INTEGER NOT NULL REFERENCES outbox (seq) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    text TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sending', 'sent')),
    possible_duplicate INTEGER NOT NULL DEFAULT 0,
    receipt TEXT,
    sent_at INTEGER, unconfirmed INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (delivery, position)
) WITHOUT ROWID;
INSERT INTO "outbox_part" VALUES(1,0,'We have not met. The owner of this assistant can let you in within an hour, with this code: T3VMQ63N','queued',0,NULL,NULL,0);
CREATE TABLE outbox_rest (
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    chat TEXT NOT NULL,             -- in lower case
    thread_id TEXT NOT NULL,        -- blank: none
    run_id TEXT NOT NULL,
    session_key TEXT,
    text TEXT NOT NULL,
    part_count INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (channel, account, chat, thread_id)
);
CREATE TABLE pairing_request (
    id TEXT PRIMARY KEY,
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    sender_id TEXT NOT NULL,
    sender_name TEXT,
    reply_to TEXT NOT NULL,
    code TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    UNIQUE (channel, account, sender_id)
) WITHOUT ROWID;
INSERT INTO "pairing_request" VALUES('01a2236e-48da-7699-b1eb-cea610dcefb1','webhook','shop','anna','Anna','anna','T3VMQ63N',1795890759898,1795890759898,1795894359898);
CREATE TABLE partner (
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    chat_id TEXT NOT NULL,
    sender_id TEXT NOT NULL,        -- blank: everybody in the chat
    heard_at INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,      -- the row of the inbox that was counted last
    rounds TEXT NOT NULL,           -- all of it, as JSON; the columns are what is looked for
    strikes INTEGER NOT NULL,
    paused_until INTEGER NOT NULL,  -- 0: not
    PRIMARY KEY (channel, account, chat_id, sender_id)
) WITHOUT ROWID;
CREATE TABLE preview (
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    run_id TEXT NOT NULL,
    chat TEXT NOT NULL,
    thread_id TEXT,
    reply_to_id TEXT,
    shared INTEGER NOT NULL,
    message TEXT NOT NULL,          -- the platform's id of it
    doubtful INTEGER NOT NULL,      -- a change of it may still come
    posted_at INTEGER NOT NULL,
    PRIMARY KEY (channel, account, run_id)
) WITHOUT ROWID;
CREATE TABLE said (
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    chat TEXT NOT NULL,             -- in lower case
    at INTEGER NOT NULL,
    PRIMARY KEY (channel, account, chat)
) WITHOUT ROWID;
CREATE INDEX inbox_waiting ON inbox (channel, account, chat_id, seq) WHERE state = 'new';
CREATE INDEX inbox_settled ON inbox (received_at) WHERE state <> 'new';
CREATE INDEX outbox_waiting ON outbox (channel, account, chat, seq) WHERE state IN ('queued', 'sending');
CREATE INDEX outbox_dead ON outbox (channel, account) WHERE state IN ('dead', 'unknown');
CREATE INDEX outbox_settled ON outbox (settled_at) WHERE settled_at IS NOT NULL;
CREATE INDEX approved_by_request ON approved_sender (request_id);
CREATE INDEX outbox_part_doubtful ON outbox_part (delivery) WHERE possible_duplicate <> 0 OR unconfirmed <> 0;
CREATE INDEX inbox_adopted ON inbox (seq) WHERE state = 'adopted' AND message <> '';
CREATE INDEX inbox_adopted_by_age ON inbox (received_at) WHERE state = 'adopted' AND message <> '';
CREATE INDEX account_lease_by_owner ON account_lease (owner);
CREATE INDEX outbox_rest_by_age ON outbox_rest (created_at);
CREATE INDEX inbox_urgent ON inbox (seq) WHERE state = 'new' AND urgent <> 0;
CREATE INDEX said_by_age ON said (at);
CREATE INDEX partner_by_age ON partner (heard_at);
CREATE INDEX partner_paused ON partner (channel, account, paused_until) WHERE paused_until <> 0;
CREATE INDEX preview_by_age ON preview (posted_at);
COMMIT;
