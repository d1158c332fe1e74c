-- The journal's tables. PRAGMA user_version holds the schema's number: a change here raises it (see opening.py).

-- The batch as a whole: no row before its intake is committed, one row after.
CREATE TABLE batch (
    only_row     INTEGER PRIMARY KEY CHECK (only_row = 1),
    token        TEXT NOT NULL,
    source       TEXT NOT NULL,
    input_sha256 TEXT NOT NULL,
    base_url     TEXT NOT NULL,
    created_at   REAL NOT NULL,
    name         TEXT
);

-- What intake froze. No row of it is ever updated, so what changes stands apart, in narrow rows.
CREATE TABLE requests (
    idx      INTEGER PRIMARY KEY, -- 0-based number of the record
    id       TEXT NOT NULL UNIQUE,
    key      TEXT NOT NULL UNIQUE,
    body     BLOB NOT NULL,       -- the exact bytes to POST
    fan_out  INTEGER NOT NULL,
    surfaces TEXT NOT NULL,       -- JSON array of strings
    line     INTEGER NOT NULL
);

-- Whose results a request's are, where that is another (a retry's); empty for any other batch.
CREATE TABLE origins (
    idx    INTEGER PRIMARY KEY,
    id     TEXT NOT NULL,
    number INTEGER NOT NULL -- the index that the results show
);

-- Where each request stands. state: 0 pending, 1 sent, 2 accepted, 3 done, 4 rejected.
CREATE TABLE progress (
    idx           INTEGER PRIMARY KEY,
    state         INTEGER NOT NULL DEFAULT 0,
    expected      INTEGER NOT NULL, -- captures: the documented fan-out, until the service has listed its children
    sent_at       REAL,             -- the last send; set in state 1 only
    first_sent_at REAL,             -- the earliest send whose outcome nobody knows
    job           TEXT,
    accepted_at   REAL,
    replayed      INTEGER,
    children      TEXT              -- JSON array of strings; '[]' while unknown
);
CREATE INDEX progress_pending  ON progress (idx) WHERE state = 0;
CREATE INDEX progress_sent     ON progress (idx) WHERE state = 1;
CREATE INDEX progress_accepted ON progress (idx) WHERE state = 2;

-- The lines of the results file, in the order in which they came about. child is NULL in a rejected request's line.
CREATE TABLE results (
    seq      INTEGER PRIMARY KEY, -- from 1, without gaps: rows are never deleted
    idx      INTEGER NOT NULL,
    child    TEXT,
    ended_at REAL NOT NULL,
    surface  TEXT,
    region   TEXT,
    status   TEXT NOT NULL,
    envelope BLOB,                -- JSON, compressed by zlib
    error    TEXT                 -- JSON
);
CREATE UNIQUE INDEX results_child ON results (idx, child);

-- Sums, kept by the two triggers below, so that counting never scans.
CREATE TABLE totals (
    state    INTEGER PRIMARY KEY,
    requests INTEGER NOT NULL,
    captures INTEGER NOT NULL
);
INSERT INTO totals VALUES (0, 0, 0), (1, 0, 0), (2, 0, 0), (3, 0, 0), (4, 0, 0);

CREATE TABLE ended (
    status   TEXT PRIMARY KEY,
    captures INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TRIGGER progress_moved AFTER UPDATE OF state, expected ON progress
WHEN OLD.state <> NEW.state OR OLD.expected <> NEW.expected
BEGIN
    UPDATE totals SET requests = requests - 1, captures = captures - OLD.expected WHERE state = OLD.state;
    UPDATE totals SET requests = requests + 1, captures = captures + NEW.expected WHERE state = NEW.state;
END;

CREATE TRIGGER capture_ended AFTER INSERT ON results WHEN NEW.child IS NOT NULL
BEGIN
    INSERT INTO ended VALUES (NEW.status, 1) ON CONFLICT (status) DO UPDATE SET captures = captures + 1;
END;

-- The last deadline of each gate, as wall time.
CREATE TABLE gates (
    lane  TEXT PRIMARY KEY,
    until REAL NOT NULL
) WITHOUT ROWID;

-- What the pacing core wants to know again in the next invocation.
CREATE TABLE learnt (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL -- JSON
) WITHOUT ROWID;

-- What happened, for the report.
CREATE TABLE notes (
    seq  INTEGER PRIMARY KEY,
    at   REAL NOT NULL,
    kind TEXT NOT NULL,
    data TEXT NOT NULL -- JSON object
);

-- How far each results file has been written and synced.
CREATE TABLE projections (
    path      TEXT PRIMARY KEY,
    seq       INTEGER NOT NULL,
    end_byte  INTEGER NOT NULL,
    crc       INTEGER NOT NULL
) WITHOUT ROWID;
