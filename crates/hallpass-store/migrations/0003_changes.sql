-- What changed at which revision: a running gateway reads those rows anew, not all of them. Noted by triggers, so that no
-- statement can forget it: a revocation that is not noted would not be seen. The triggers are SQLite's own text.

CREATE TABLE change (
    revision BIGINT NOT NULL, -- the one that the change is part of
    kind TEXT NOT NULL CHECK (kind IN ('client', 'token')),
    id TEXT NOT NULL -- the client's name, the token's `jti`
);
CREATE INDEX change_revision ON change (revision);

-- Each revision has a mark drawn by lot. A database that knows the mark of the revision in force is the same one, further on;
-- any other is an older copy, or another's.
CREATE TABLE history (
    revision BIGINT PRIMARY KEY,
    mark TEXT NOT NULL
);
INSERT INTO history (revision, mark) SELECT number, lower(hex(randomblob(16))) FROM revision;

-- Which ended tokens still matter follows from these two.
CREATE INDEX token_issued ON token (issued_at);
CREATE INDEX token_expires ON token (expires_at);

-- A gateway that has not looked for so many revisions has to be started anew.
CREATE TRIGGER revision_moved AFTER UPDATE ON revision BEGIN
    INSERT INTO history (revision, mark) VALUES (NEW.number, lower(hex(randomblob(16))));
    DELETE FROM history WHERE revision < NEW.number - 10000;
    DELETE FROM change WHERE revision < NEW.number - 10000;
END;

-- The revision moves at the end of the transaction that a change is part of.
CREATE TRIGGER token_added AFTER INSERT ON token BEGIN
    INSERT INTO change (revision, kind, id) SELECT number + 1, 'token', NEW.jti FROM revision;
END;
CREATE TRIGGER token_changed AFTER UPDATE ON token BEGIN
    INSERT INTO change (revision, kind, id) SELECT number + 1, 'token', NEW.jti FROM revision;
END;
CREATE TRIGGER token_dropped AFTER DELETE ON token BEGIN
    INSERT INTO change (revision, kind, id) SELECT number + 1, 'token', OLD.jti FROM revision;
END;
CREATE TRIGGER client_added AFTER INSERT ON client BEGIN
    INSERT INTO change (revision, kind, id) SELECT number + 1, 'client', NEW.name FROM revision;
END;
CREATE TRIGGER client_changed AFTER UPDATE ON client BEGIN
    INSERT INTO change (revision, kind, id) SELECT number + 1, 'client', NEW.name FROM revision;
END;
