-- What a file of shape 2 looked like: the tests of the migration start from it.

CREATE TABLE account (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE COLLATE NOCASE,
    passphrase TEXT NOT NULL,
    made       INTEGER NOT NULL
) STRICT;

CREATE TABLE api_key (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    hash    BLOB NOT NULL UNIQUE,
    label   TEXT NOT NULL,
    made    INTEGER NOT NULL
) STRICT;

-- A request to sign in that waits for a person (RFC 8628). `answer` is null, 'connect' or 'refuse'.
CREATE TABLE device (
    hash      BLOB PRIMARY KEY,
    user_code TEXT NOT NULL UNIQUE,
    node      TEXT NOT NULL,
    name      TEXT NOT NULL,
    expires   INTEGER NOT NULL,
    gap       INTEGER NOT NULL,
    polled    INTEGER,
    answer    TEXT CHECK (answer IN ('connect', 'refuse')),
    account   INTEGER REFERENCES account ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- A node's right to connect. It ends by being deleted, and its tokens with it.
CREATE TABLE node_grant (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    account           INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    node              TEXT NOT NULL,
    name              TEXT NOT NULL,
    made              INTEGER NOT NULL,
    connected         INTEGER,
    drained           INTEGER NOT NULL DEFAULT 0,
    current_pair      INTEGER NOT NULL DEFAULT 0,
    previous_pair     INTEGER,
    pair_seen         INTEGER NOT NULL DEFAULT 0,
    previous_retried  INTEGER NOT NULL DEFAULT 0
) STRICT;

-- `pair` is the generation of a grant's tokens; retired refresh tokens stay, so that their reuse is noticed.
CREATE TABLE token (
    hash       BLOB PRIMARY KEY,
    node_grant INTEGER NOT NULL REFERENCES node_grant ON DELETE CASCADE,
    kind       TEXT NOT NULL CHECK (kind IN ('access', 'refresh')),
    pair       INTEGER NOT NULL,
    expires    INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX token_of_grant ON token (node_grant, pair);
