-- The Hub's state. Times are milliseconds since 1970 UTC. Secrets are kept as SHA-256 only; passphrases as argon2id.

-- An id is never given twice: whatever still names a removed account must not mean the next one. `epoch` grows when
-- everything that was begun in the account's name on the approval page is to end.
CREATE TABLE account (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL UNIQUE COLLATE NOCASE,
    passphrase TEXT NOT NULL,
    made       INTEGER NOT NULL,
    epoch      INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE api_key (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    hash    BLOB NOT NULL UNIQUE,
    label   TEXT NOT NULL,
    made    INTEGER NOT NULL
) STRICT;

-- A node's right to connect. It ends by being deleted, and its tokens with it. `seen` is when it last connected or
-- renewed its tokens: long after that it has lapsed.
CREATE TABLE node_grant (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    account           INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    node              TEXT NOT NULL,
    name              TEXT NOT NULL,
    made              INTEGER NOT NULL,
    connected         INTEGER,
    seen              INTEGER NOT NULL,
    drained           INTEGER NOT NULL DEFAULT 0,
    current_pair      INTEGER NOT NULL DEFAULT 0,
    previous_pair     INTEGER,
    pair_seen         INTEGER NOT NULL DEFAULT 0,
    previous_retried  INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX grant_of_node ON node_grant (account, node);

-- `pair` is the generation of a grant's tokens; retired refresh tokens stay, so that their reuse is noticed.
CREATE TABLE token (
    hash       BLOB PRIMARY KEY,
    node_grant INTEGER NOT NULL REFERENCES node_grant ON DELETE CASCADE,
    kind       TEXT NOT NULL CHECK (kind IN ('access', 'refresh')),
    pair       INTEGER NOT NULL,
    expires    INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX token_of_grant ON token (node_grant, pair);
