-- Types that SQLite and Postgres share: TEXT, BIGINT, BOOLEAN. Times are seconds since the epoch unless named _ms.

CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- One row. Every change of what is in force adds one, in the same transaction; events do not.
CREATE TABLE revision (number BIGINT NOT NULL);
INSERT INTO revision (number) VALUES (1);

CREATE TABLE signing_key (
    kid TEXT PRIMARY KEY,
    algorithm TEXT NOT NULL,
    public_hex TEXT NOT NULL,
    sealed_hex TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('next', 'active', 'verify-only', 'retired')),
    former BOOLEAN NOT NULL, -- the secret of a former set-up: its tokens count only if they were adopted
    created_at BIGINT NOT NULL,
    reason TEXT -- why it was revoked
);

CREATE TABLE client (
    name TEXT PRIMARY KEY,
    subject TEXT NOT NULL,
    app TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    removed BOOLEAN NOT NULL,
    from_roster BOOLEAN NOT NULL,
    servers TEXT, -- a JSON list; NULL: every server
    config TEXT,
    entry TEXT,
    env TEXT,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX client_subject ON client (subject) WHERE NOT removed;

-- The token itself is never kept, its SHA-256 is.
CREATE TABLE token (
    jti TEXT PRIMARY KEY,
    client TEXT NOT NULL REFERENCES client (name),
    kid TEXT NOT NULL REFERENCES signing_key (kid),
    issued_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    digest TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL CHECK (state IN ('pending', 'active', 'replaced', 'revoked')),
    ended_at BIGINT,
    reason TEXT,
    subject TEXT NOT NULL, -- its `sub`: a client whose subject changed needs a new token
    placed BOOLEAN NOT NULL DEFAULT FALSE, -- FALSE: not yet, or printed instead
    adopted BOOLEAN NOT NULL DEFAULT FALSE, -- minted by a former set-up and taken over: known by its digest
    former BOOLEAN NOT NULL DEFAULT FALSE -- issued before the client was removed: its name may be another's now
);
CREATE INDEX token_client ON token (client);

CREATE TABLE placement (
    client TEXT PRIMARY KEY REFERENCES client (name),
    kind TEXT NOT NULL CHECK (kind IN ('env', 'bridge')),
    file TEXT NOT NULL,
    token_file TEXT,
    undo_hex TEXT NOT NULL, -- sealed: what stood there before may be somebody's secret
    placed_at BIGINT NOT NULL
);

-- One row a call or an act; `record` is the whole of it, the other columns are what is asked for.
CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    kind TEXT NOT NULL,
    outcome TEXT NOT NULL,
    client TEXT,
    server TEXT,
    record TEXT NOT NULL
);
CREATE INDEX event_client ON event (client, id);
