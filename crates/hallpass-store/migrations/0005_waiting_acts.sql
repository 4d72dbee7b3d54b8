-- Acts are written with the change that they tell of, and wait here until the log has them. AUTOINCREMENT, which is SQLite's own
-- word: a number that the log has seen is never given to another act.
CREATE TABLE act (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    record TEXT NOT NULL
);

-- The table of events is a view of the log from here on: `id` is the sequence number. What it held goes into the log first.
INSERT INTO act (record) SELECT record FROM event ORDER BY id;
DELETE FROM event;
ALTER TABLE event ADD COLUMN act BIGINT; -- the number it had while it waited; NULL: it is no act
CREATE INDEX event_act ON event (act) WHERE act IS NOT NULL;
