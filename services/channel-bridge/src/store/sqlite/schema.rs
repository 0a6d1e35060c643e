//! The tables, as they grew. A migration is never changed once it was in a release.

pub(super) const MIGRATIONS: &[&str] = &[
    "
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
    received_at INTEGER NOT NULL,
    UNIQUE (channel, account, message_id)
);
CREATE INDEX inbox_waiting ON inbox (channel, account, chat_id, seq) WHERE state = 'new';
CREATE INDEX inbox_settled ON inbox (received_at) WHERE state <> 'new';

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
);
CREATE INDEX outbox_waiting ON outbox (channel, account, chat, seq) WHERE state IN ('queued', 'sending');
CREATE INDEX outbox_dead ON outbox (channel, account) WHERE state IN ('dead', 'unknown');
CREATE INDEX outbox_settled ON outbox (settled_at) WHERE settled_at IS NOT NULL;
CREATE TABLE outbox_part (
    delivery INTEGER NOT NULL REFERENCES outbox (seq) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    text TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sending', 'sent')),
    possible_duplicate INTEGER NOT NULL DEFAULT 0,
    receipt TEXT,
    sent_at INTEGER,
    PRIMARY KEY (delivery, position)
) WITHOUT ROWID;

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
CREATE TABLE approved_sender (
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    sender_id TEXT NOT NULL,
    request_id TEXT NOT NULL,
    approved_at INTEGER NOT NULL,
    PRIMARY KEY (channel, account, sender_id)
) WITHOUT ROWID;
CREATE INDEX approved_by_request ON approved_sender (request_id);
",
    "
ALTER TABLE outbox_part ADD COLUMN unconfirmed INTEGER NOT NULL DEFAULT 0;
CREATE INDEX outbox_part_doubtful ON outbox_part (delivery) WHERE possible_duplicate <> 0 OR unconfirmed <> 0;
",
    "
-- What makes two deliveries of one key the same; its text is forgotten once it is sent. Absent on rows of earlier versions.
ALTER TABLE outbox ADD COLUMN fingerprint BLOB;
",
    "
-- What can be offered again to a session service that has lost it.
CREATE INDEX inbox_adopted ON inbox (seq) WHERE state = 'adopted' AND message <> '';
CREATE INDEX inbox_adopted_by_age ON inbox (received_at) WHERE state = 'adopted' AND message <> '';
",
    "
-- What accounts remember beyond their connections.
CREATE TABLE account_state (
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (channel, account, name)
) WITHOUT ROWID;
",
    "
-- Which process an account belongs to, and until when.
CREATE TABLE account_lease (
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    owner TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (channel, account)
) WITHOUT ROWID;
CREATE INDEX account_lease_by_owner ON account_lease (owner);
",
    "
-- What a delivery says beside words; NULL: the text alone.
ALTER TABLE outbox ADD COLUMN content TEXT;
",
    "
-- The trace that a row belongs to; what was there before begins one each time it is read.
ALTER TABLE inbox ADD COLUMN traceparent TEXT;
ALTER TABLE outbox ADD COLUMN traceparent TEXT;
",
    "
-- The session of a reply's run: what is stopped there is dropped here. What is dropped is over, and no dead letter.
ALTER TABLE outbox ADD COLUMN session_key TEXT;
ALTER TABLE outbox ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN part_count INTEGER NOT NULL DEFAULT 1;

-- The rest of a long answer, for whoever asks for more: one for each chat.
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
CREATE INDEX outbox_rest_by_age ON outbox_rest (created_at);

-- A word that does not wait for what was said before it: to stop that.
ALTER TABLE inbox ADD COLUMN urgent INTEGER NOT NULL DEFAULT 0;
CREATE INDEX inbox_urgent ON inbox (seq) WHERE state = 'new' AND urgent <> 0;

-- When something of ours was last said in a chat, and how often somebody and we answered each other.
CREATE TABLE said (
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    chat TEXT NOT NULL,             -- in lower case
    at INTEGER NOT NULL,
    PRIMARY KEY (channel, account, chat)
) WITHOUT ROWID;
CREATE INDEX said_by_age ON said (at);
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
CREATE INDEX partner_by_age ON partner (heard_at);
CREATE INDEX partner_paused ON partner (channel, account, paused_until) WHERE paused_until <> 0;
",
    "
-- Messages that show an answer which is still being written, until the answer takes their place.
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
CREATE INDEX preview_by_age ON preview (posted_at);
",
    "
-- What the platform said later of what it took: 0 nothing, 1 it reached nobody, 2 it was delivered, 3 it was read.
ALTER TABLE outbox_part ADD COLUMN report INTEGER NOT NULL DEFAULT 0;
CREATE INDEX outbox_part_receipt ON outbox_part (receipt) WHERE receipt IS NOT NULL;
CREATE INDEX outbox_part_reported ON outbox_part (delivery) WHERE report <> 0;

-- The same of messages whose receipt is not stored yet, or which are not ours.
CREATE TABLE early_report (
    channel TEXT NOT NULL,
    account TEXT NOT NULL,
    receipt TEXT NOT NULL,
    report INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (channel, account, receipt)
) WITHOUT ROWID;
CREATE INDEX early_report_by_age ON early_report (at);
",
];

/// The schema that this version writes.
pub const SCHEMA: usize = MIGRATIONS.len();
