PRAGMA user_version = 3;
BEGIN TRANSACTION;
CREATE TABLE device (
    id TEXT PRIMARY KEY,            -- lower-case hex SHA-256 of the key
    public_key TEXT NOT NULL,
    display_name TEXT,              -- what the client calls itself
    label TEXT,                     -- what an operator calls it
    platform TEXT,
    device_family TEXT,
    client_id TEXT,
    client_mode TEXT,
    remote_ip TEXT,
    user_id TEXT,                   -- NULL: the gateway's owner
    approved_via TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    approved_at INTEGER NOT NULL,
    last_seen_at INTEGER
) WITHOUT ROWID;
CREATE TABLE device_role (
    device_id TEXT NOT NULL REFERENCES device (id) ON DELETE CASCADE,
    role TEXT NOT NULL CHECK (role IN ('operator', 'node')),
    scopes TEXT NOT NULL,           -- what is approved, with spaces between
    generation INTEGER NOT NULL DEFAULT 0,
    token_digest TEXT UNIQUE,       -- lower-case hex SHA-256; NULL: there is none
    token_scopes TEXT NOT NULL DEFAULT '',
    token_salt TEXT,
    token_created_at INTEGER,       -- of the first one
    token_rotated_at INTEGER,       -- of this one, if it is not the first
    token_revoked_at INTEGER, user_token_id TEXT REFERENCES user_token (id) ON DELETE CASCADE, expires_at INTEGER,
    PRIMARY KEY (device_id, role)
) WITHOUT ROWID;
CREATE TABLE pair_request (
    id TEXT PRIMARY KEY,
    device_id TEXT NOT NULL,
    role TEXT NOT NULL,
    reason TEXT NOT NULL,
    public_key TEXT NOT NULL,
    display_name TEXT,
    platform TEXT,
    device_family TEXT,
    client_id TEXT,
    client_mode TEXT,
    scopes TEXT NOT NULL,
    remote_ip TEXT NOT NULL,
    user_id TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL, user_token_id TEXT REFERENCES user_token (id) ON DELETE CASCADE,
    UNIQUE (device_id, role)
) WITHOUT ROWID;
CREATE TABLE removed_user (id TEXT PRIMARY KEY, removed_at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE setup_code (
    id TEXT PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,    -- lower-case hex SHA-256
    role TEXT NOT NULL,
    scopes TEXT NOT NULL,
    access TEXT NOT NULL,
    user_id TEXT,
    expires_at INTEGER NOT NULL,
    used_by TEXT,                   -- NULL: nobody has used it
    used_name TEXT,
    used_at INTEGER
, user_token_id TEXT REFERENCES user_token (id) ON DELETE CASCADE) WITHOUT ROWID;
CREATE TABLE user (
    id TEXT PRIMARY KEY,
    name TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE user_token (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    digest TEXT NOT NULL UNIQUE,    -- lower-case hex SHA-256
    scopes TEXT NOT NULL,
    label TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER              -- NULL: never
) WITHOUT ROWID;
CREATE INDEX pair_request_by_end ON pair_request (expires_at);
CREATE INDEX user_token_of ON user_token (user_id);
CREATE INDEX setup_code_by_end ON setup_code (expires_at);
CREATE INDEX device_role_by_token ON device_role (user_token_id);
CREATE INDEX device_role_by_end ON device_role (expires_at);
CREATE INDEX pair_request_by_token ON pair_request (user_token_id);
CREATE INDEX setup_code_by_token ON setup_code (user_token_id);
COMMIT;
