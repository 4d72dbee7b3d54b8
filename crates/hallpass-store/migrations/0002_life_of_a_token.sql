-- The grace period of a shared secret, policies, what was used when and by whom, and which gateway shows what.

-- `settings` is the policy as JSON, as it stands in hallpass.toml.
CREATE TABLE policy (
    name TEXT PRIMARY KEY,
    settings TEXT NOT NULL
);
ALTER TABLE client ADD COLUMN policy TEXT REFERENCES policy (name);
ALTER TABLE client ADD COLUMN token_used_at BIGINT; -- the first use of a token of its own: it has moved

-- One row at most. Every act counts `period` up; `seen_at` is the highest time seen during it.
CREATE TABLE grace (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    period BIGINT NOT NULL,
    tag_hex TEXT NOT NULL, -- HMAC-SHA256 of the shared secret under a key of the installation
    until_at BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT, -- ended by a person, or noted as over
    seen_at BIGINT NOT NULL,
    servers TEXT, -- a JSON list; NULL: every server
    policy TEXT REFERENCES policy (name),
    strict BOOLEAN NOT NULL
);

ALTER TABLE token ADD COLUMN until_seen BOOLEAN NOT NULL DEFAULT FALSE; -- replaced, and ends when its successor is first used
-- What was asked for when this token was minted: for so long the one before it stays good, once this one is in its place.
ALTER TABLE token ADD COLUMN overlap_s BIGINT NOT NULL DEFAULT 0;
ALTER TABLE token ADD COLUMN overlap_until_seen BOOLEAN NOT NULL DEFAULT FALSE; -- or until this one is first used
ALTER TABLE token ADD COLUMN end_told_at BIGINT; -- when the log was told that it ends soon and that a person has to act
CREATE INDEX token_state ON token (state);

ALTER TABLE client ADD COLUMN disabled_at BIGINT; -- of one that is not enabled: since when
ALTER TABLE client ADD COLUMN disabled_reason TEXT;

-- The last use of each token. A view of the log that is kept because it is asked for all the time.
CREATE TABLE token_use (
    jti TEXT PRIMARY KEY,
    client TEXT NOT NULL,
    first_ms BIGINT NOT NULL,
    last_ms BIGINT NOT NULL,
    calls BIGINT NOT NULL,
    server TEXT,
    address TEXT, -- without the port
    user_agent TEXT,
    client_info TEXT
);
CREATE INDEX token_use_client ON token_use (client, last_ms);

-- Who uses the shared secret, as well as callers can be told apart.
CREATE TABLE legacy_use (
    path_client TEXT NOT NULL, -- '' where no client's path was dialled; so the others
    client_info TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    address TEXT NOT NULL,
    first_ms BIGINT NOT NULL,
    last_ms BIGINT NOT NULL,
    let_in_ms BIGINT, -- when the last call that was let in ended
    calls BIGINT NOT NULL,
    refused BIGINT NOT NULL,
    called TEXT NOT NULL, -- a JSON object: `server/tool` or `server/method` to how often
    PRIMARY KEY (path_client, client_info, user_agent, address)
);

-- What is odd about a token's use: one row a token and kind. `client` is '' where nobody here knows the token.
CREATE TABLE warning (
    jti TEXT NOT NULL,
    kind TEXT NOT NULL,
    client TEXT NOT NULL,
    first_ms BIGINT NOT NULL,
    last_ms BIGINT NOT NULL,
    told_ms BIGINT NOT NULL, -- when it was last written into the log: not each time
    times BIGINT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (jti, kind)
);

-- The running gateway, and the revision that it has in force.
CREATE TABLE gateway (
    node TEXT PRIMARY KEY,
    pid BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    at_ms BIGINT NOT NULL
);
