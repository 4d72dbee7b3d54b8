-- How the token of a client is placed, where a person or hallpass.toml says it; NULL: the best way that its program offers.
ALTER TABLE client ADD COLUMN placement TEXT;

-- What commands registered or changed, newest last, so that the newest run can be undone.
CREATE TABLE placing (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL, -- one command
    client TEXT NOT NULL,
    before TEXT, -- its registration before, as JSON; NULL: it had none
    at BIGINT NOT NULL
);
