-- What the log is asked for beside a client's events. Each index is paid for by every call, so the frequent outcome and the
-- frequent kind are left out of theirs, and what most rows have in common (a server, a tool) has none: it is found soon
-- from the newest on.
CREATE INDEX event_at ON event (at_ms);
CREATE INDEX event_not_ok ON event (outcome, id) WHERE outcome <> 'ok';
CREATE INDEX event_not_call ON event (kind, id) WHERE kind <> 'call';
